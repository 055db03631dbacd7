"""The day by invoice: what each invoice billed, and what the ledger made of it.

Belongs here: grouping charges by the invoices that bill them. Does not: what to do about a
difference (the asset check), or sums of a day (``tie_out``).

A charge may have lines on several invoices; a ledger row belongs to its charge. So such charges
form a group of their own, named by all their invoices, and every group adds up exactly.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

COSTS = ("billed_cost", "effective_cost")

LINE_COLUMNS = ("charge_id", "InvoiceId", "BillingAccountId", "BillingCurrency", *COSTS)
"""Of the charges of a day."""

ROW_COLUMNS = ("charge_id", *COSTS)
"""Of the ledger of a day."""

NOT_INVOICED = "(not invoiced yet)"
NO_CHARGE = "(no charge of the bill)"


def by_invoice(lines: pa.Table, rows: pa.Table) -> list[dict[str, Any]]:
    """One entry per account, currency and invoice: charges, both costs on both sides, exactly.

    ``lines``: LINE_COLUMNS, grain one line. ``rows``: ROW_COLUMNS, grain one ledger row.
    """
    billed = _summed(lines, ["charge_id", "BillingAccountId", "BillingCurrency"])
    recorded = {(row["charge_id"],): row for row in _summed(rows, ["charge_id"])}
    invoices: dict[str, set[str]] = defaultdict(set)
    pairs = lines.select(["charge_id", "InvoiceId"]).group_by(["charge_id", "InvoiceId"])
    for pair in pairs.aggregate([]).to_pylist():
        invoices[pair["charge_id"]].add(pair["InvoiceId"] or NOT_INVOICED)
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for charge in billed:
        label = " + ".join(sorted(invoices[charge["charge_id"]]))
        key = (charge["BillingAccountId"] or "", charge["BillingCurrency"] or "", label)
        _add(groups, key, charge, recorded.pop((charge["charge_id"],), None))
    for unknown in recorded.values():
        _add(groups, ("", "", NO_CHARGE), None, unknown)
    return [groups[key] for key in sorted(groups)]


def differs(group: dict[str, Any]) -> bool:
    """Whether the ledger says another amount than the invoice, in either cost."""
    return any(group[cost] != group[f"ledger_{cost}"] for cost in COSTS)


def _add(
    groups: dict[tuple[str, str, str], dict[str, Any]],
    key: tuple[str, str, str],
    charge: dict[str, Any] | None,
    recorded: dict[str, Any] | None,
) -> None:
    account, currency, invoice = key
    group = groups.setdefault(
        key,
        {
            "account": account,
            "currency": currency,
            "invoice": invoice,
            "charges": 0,
            **{name: Decimal(0) for cost in COSTS for name in (cost, f"ledger_{cost}")},
        },
    )
    group["charges"] += 1
    for cost in COSTS:
        group[cost] += charge[cost] if charge else Decimal(0)
        group[f"ledger_{cost}"] += recorded[cost] if recorded else Decimal(0)


def _summed(rows: pa.Table, by: list[str]) -> list[dict[str, Any]]:
    groups = rows.group_by(by, use_threads=False).aggregate([(cost, "sum") for cost in COSTS])
    return [
        {**{name: row[name] for name in by}, **{cost: row[f"{cost}_sum"] for cost in COSTS}}
        for row in groups.to_pylist()
    ]
