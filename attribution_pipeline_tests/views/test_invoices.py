"""The day by invoice adds up, also where a charge stands on two invoices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

from attribution_pipeline.views.invoices import NO_CHARGE, NOT_INVOICED, by_invoice, differs

MONEY = pa.decimal128(38, 12)


def lines(*entries: tuple[str, str | None, str]) -> pa.Table:
    return pa.table(
        {
            "charge_id": [entry[0] for entry in entries],
            "InvoiceId": pa.array([entry[1] for entry in entries], pa.string()),
            "BillingAccountId": ["acct"] * len(entries),
            "BillingCurrency": ["USD"] * len(entries),
            "billed_cost": pa.array([Decimal(entry[2]) for entry in entries], MONEY),
            "effective_cost": pa.array([Decimal(entry[2]) for entry in entries], MONEY),
        }
    )


def rows(*entries: tuple[str, str]) -> pa.Table:
    amounts = pa.array([Decimal(amount) for _, amount in entries], MONEY)
    return pa.table(
        {
            "charge_id": [charge for charge, _ in entries],
            "billed_cost": amounts,
            "effective_cost": amounts,
        }
    )


def groups(*found: Any) -> dict[str, dict[str, Any]]:
    return {group["invoice"]: group for group in by_invoice(*found)}


def test_each_invoice_stands_beside_its_rows() -> None:
    found = groups(
        lines(("a", "inv-1", "1"), ("b", "inv-1", "2"), ("c", None, "4")),
        rows(("a", "0.4"), ("a", "0.6"), ("b", "2"), ("c", "4")),
    )
    assert found["inv-1"]["charges"] == 2
    assert found["inv-1"]["billed_cost"] == found["inv-1"]["ledger_billed_cost"] == Decimal(3)
    assert found[NOT_INVOICED]["billed_cost"] == Decimal(4)
    assert not any(differs(group) for group in found.values())


def test_a_charge_on_two_invoices_is_a_group_of_both() -> None:
    found = groups(
        lines(("a", "inv-1", "1"), ("a", "inv-2", "2"), ("b", "inv-1", "5")),
        rows(("a", "3"), ("b", "5")),
    )
    assert set(found) == {"inv-1", "inv-1 + inv-2"}
    assert found["inv-1 + inv-2"]["billed_cost"] == Decimal(3)


def test_a_quantum_in_either_cost_is_a_difference() -> None:
    (group,) = by_invoice(lines(("a", "inv-1", "1")), rows(("a", "1.000000000001")))
    assert differs(group)


def test_rows_of_no_charge_are_shown_not_dropped() -> None:
    found = groups(lines(("a", "inv-1", "1")), rows(("a", "1"), ("ghost", "2")))
    assert found[NO_CHARGE]["ledger_billed_cost"] == Decimal(2)
    assert differs(found[NO_CHARGE])
