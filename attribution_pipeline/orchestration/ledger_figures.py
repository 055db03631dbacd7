"""The ledger's figures that people look at first: tie-out, tenants, what stands unallocated.

Belongs here: choosing and ordering sums for metadata and checks. Does not: the sums themselves
(``views``), or Dagster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.orchestration.metadata import share

if TYPE_CHECKING:
    import pyarrow as pa

COVERAGE_COLUMNS = (
    "provider", "model", "token_kind", "coverage", "seen_tokens", "billed_tokens", "account",
    "region",
)  # fmt: skip
"""Tokens seen over tokens billed, by meter slice."""

UNKNOWN_TENANT = "(unallocated)"
TENANTS_SHOWN = 20


def tie_out_rows(recorded: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The recorded tie-out with amounts as decimals; a manifest holds them as text."""
    texts = ("billing_currency", "cost")
    return [
        {
            "currency": row["billing_currency"],
            "not_yet_due": Decimal(0),  # a day's own slices are due; the line is of whole periods
            **{
                name: value if name in texts else Decimal(value)
                for name, value in row.items()
                if value is not None
            },
        }
        for row in recorded
    ]


def tie_out_lines(
    recorded: Iterable[Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The tie-out as people read it, a line a row and a column for each cost and currency; and
    the names of the columns."""
    from attribution_pipeline.views.tie_out import LINES, summed

    found = summed(tie_out_rows(recorded))
    columns = {f"{cost} {currency}": amounts for (currency, cost), amounts in found.items()}
    rows = [
        {"": line.replace("_", " "), **{name: column[line] for name, column in columns.items()}}
        for line in LINES
    ]
    return rows, ("", *columns)


def unallocated_share(recorded: Iterable[Mapping[str, Any]], metric: str) -> Decimal | None:
    """The largest share over currencies that stands without a tenant, by the settlement metric."""
    shares = [
        share(row["unallocated"], row["billed"])
        for row in tie_out_rows(recorded)
        if row["cost"] == metric
    ]
    return max((found for found in shares if found is not None), default=None)


def top_tenants(rows: pa.Table, metric: str) -> list[dict[str, Any]]:
    """Tenants by what they cost, dearest first; what nobody caused is one of the lines."""
    found = _summed(rows, "tenant_id", metric)
    for row in found:
        row["tenant"] = row["tenant_id"] or UNKNOWN_TENANT
    return found[:TENANTS_SHOWN]


def unallocated_by_reason(rows: pa.Table, metric: str) -> list[dict[str, Any]]:
    """What stands without a tenant, by reason, dearest first."""
    found = _summed(rows, "unallocated_reason", metric)
    return [
        {**row, "reason": row["unallocated_reason"]} for row in found if row["unallocated_reason"]
    ]


def _summed(rows: pa.Table, column: str, metric: str) -> list[dict[str, Any]]:
    from attribution_pipeline.views.ledger import summed

    found: Sequence[dict[str, Any]] = summed(rows, [column]).to_pylist()
    for row in found:
        row["currency"] = row["billing_currency"]
    return sorted(found, key=lambda row: (row["currency"] or "", -row[metric]))
