"""The ledger's figures that people look at first: tie-out, tenants, what stands unallocated.

Belongs here: choosing and ordering sums for metadata and checks. Does not: the sums themselves
(``views``), or Dagster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.ledger import is_earlier
from attribution_pipeline.orchestration.metadata import share
from attribution_pipeline.views.tie_out import BEFORE_FIRST_DAY, lines_of, summed

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

    from attribution_pipeline.orchestration.house import House

COVERAGE_COLUMNS = (
    "provider", "model", "token_kind", "coverage", "seen_tokens", "billed_tokens", "account",
    "region",
)  # fmt: skip
"""Tokens seen over tokens billed, by meter slice."""

COSTS = ("billed_cost", "effective_cost")

UNALLOCATED_COLUMNS = ("unallocated_reason", *COSTS, "billing_currency")
"""Of the ledger, what the sums by reason and the share without a tenant are made of."""

UNKNOWN_TENANT = "(unallocated)"
TENANTS_SHOWN = 20


def tie_out_rows(
    recorded: Iterable[Mapping[str, Any]], rows: pa.Table | None = None
) -> list[dict[str, Any]]:
    """The recorded tie-out with amounts as decimals; a manifest holds them as text. ``rows``: of the day's
    ledger (``UNALLOCATED_COLUMNS``), by which charges of earlier days are told apart from what is
    unallocated; None: they stay there, as in the manifest."""
    texts = ("billing_currency", "cost")
    earlier = {} if rows is None else {cost: of_earlier_days(rows, cost) for cost in COSTS}
    found = [
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
    for row in found:
        apart = earlier.get(row["cost"], {}).get(row["currency"], Decimal(0))
        row[BEFORE_FIRST_DAY] = apart
        row["unallocated"] -= apart
    return found


def tie_out_lines(
    recorded: Iterable[Mapping[str, Any]], rows: pa.Table | None = None
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The tie-out as people read it, a line a row and a column for each cost and currency; and
    the names of the columns. ``rows``: as of ``tie_out_rows``."""
    found = summed(tie_out_rows(recorded, rows))
    columns = {f"{cost} {currency}": amounts for (currency, cost), amounts in found.items()}
    lines = [
        {"": line.replace("_", " "), **{name: column[line] for name, column in columns.items()}}
        for line in lines_of(columns.values())
    ]
    return lines, ("", *columns)


def rows_of_first_day(house: House, day: date) -> pa.Table | None:
    """``UNALLOCATED_COLUMNS`` of the day's ledger where it may hold charges of earlier days: where it is
    the first. None elsewhere, without reading anything."""
    is_first = day in (min(house.lake.days(), default=None), house.deployment.first_day)
    return house.lake.read("ledger", day, day, UNALLOCATED_COLUMNS) if is_first else None


def unallocated_share(
    recorded: Iterable[Mapping[str, Any]], metric: str, rows: pa.Table | None
) -> Decimal | None:
    """The largest share over currencies that stands without a tenant, by the settlement metric: of the
    day's own charges. ``rows``: as of ``tie_out_rows``. Nobody could ever mend charges of earlier days,
    and they are in neither part of the share."""
    shares = [
        share(row["unallocated"], row["billed"] - row[BEFORE_FIRST_DAY])
        for row in tie_out_rows(recorded, rows)
        if row["cost"] == metric
    ]
    return max((found for found in shares if found is not None), default=None)


def top_tenants(rows: pa.Table, metric: str) -> list[dict[str, Any]]:
    """Tenants by what they cost, dearest first; what nobody caused is one of the lines."""
    found = _summed(rows, "tenant_id", metric)
    for row in found:
        row["tenant"] = row["tenant_id"] or UNKNOWN_TENANT
    return found[:TENANTS_SHOWN]


def of_earlier_days(rows: pa.Table, metric: str) -> dict[str, Decimal]:
    """Currency -> charges from before the ledger's first day, which are booked on it."""
    found = _summed(rows, "unallocated_reason", metric)
    return {row["currency"]: row[metric] for row in found if is_earlier(row["unallocated_reason"])}


def unallocated_by_reason(rows: pa.Table, metric: str) -> list[dict[str, Any]]:
    """What stands without a tenant, by reason, dearest first."""
    found = _summed(rows, "unallocated_reason", metric)
    return [
        {**row, "reason": row["unallocated_reason"]} for row in found if row["unallocated_reason"]
    ]


def main_component(rows: pa.Table, reason: str, currency: str | None, metric: str) -> str | None:
    """The component that has most of a reason's cost. ``rows`` have ``component`` too."""
    import pyarrow.compute as pc

    found = _summed(rows.filter(pc.field("unallocated_reason") == reason), "component", metric)
    parts = [row for row in found if row["currency"] == currency]
    return parts[0]["component"] if parts else None


def _summed(rows: pa.Table, column: str, metric: str) -> list[dict[str, Any]]:
    from attribution_pipeline.views.ledger import summed as summed_by

    found: Sequence[dict[str, Any]] = summed_by(rows, [column]).to_pylist()
    for row in found:
        row["currency"] = row["billing_currency"]
    return sorted(found, key=lambda row: (row["currency"] or "", -row[metric]))
