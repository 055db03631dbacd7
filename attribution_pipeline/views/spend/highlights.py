"""What stands out in a period: the few lines that somebody should read first, dearest first.

Amounts of two currencies are never held against each other: each has its own few.

Belongs here: which questions are asked of the roll-ups, and their sentences. Does not: sums, anomalies,
rules of use (``use``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from attribution_pipeline.views.outcomes import LOOKBACK_DAYS
from attribution_pipeline.views.reasons import remedy
from attribution_pipeline.views.spend.anomalies import Anomaly, first_of_each
from attribution_pipeline.views.spend.table import CENT, spend_view
from attribution_pipeline.views.spend.use import Outrun, Unused, outrun_features, unused_jobs

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.engine import Session

MOST_OF_A_KIND = 3
"""And of a currency."""

PERCENT = 100

OF: Mapping[str, Sequence[str]] = {
    "unallocated": ("unallocated_reason", "service", "resource_id", "model"),
    "low_confidence": ("tenant_id", "feature", "confidence"),
}
"""Kind -> columns by which its rows are found in the ledger: null is a value, too."""

Told = TypeVar("Told", Anomaly, Unused, Outrun)

READS = ("spend_daily", "resources_daily", "outcomes_daily")
"""Roll-ups that must be open."""


@dataclass(frozen=True)
class Highlight:
    """``kind``: unallocated, low_confidence, anomaly, idle, unused_job, outrun. ``cost`` in ``currency``.
    ``of``: values of columns of the ledger that its rows have, of the kinds in ``OF``."""

    kind: str
    cost: Decimal
    currency: str
    says: str
    do: str
    of: Mapping[str, str | None] = field(default_factory=dict)


def highlights(
    db: Session,
    metric: str,
    newest: date,
    *,
    unusual: Sequence[Anomaly],
    scheduled: Sequence[str] = (),
) -> list[Highlight]:
    """At most a few of each kind and currency, currency by currency, dearest first. Reads the roll-ups of
    the period that ends with ``newest``, open in ``db``.

    ``unusual``: of that day (``recorded_anomalies``: they need the weeks before the period).
    ``scheduled``: patterns of workflows that run by clock, as the deployment file says. Use is not
    judged by the last ``LOOKBACK_DAYS``: outcomes of these days may still come.
    """
    until = newest - timedelta(days=LOOKBACK_DAYS)
    found = [
        *_unallocated(db, metric),
        *_low_confidence(db, metric),
        *_idle(db, metric),
        *map(_of, _few(unusual)),
        *map(_unused, _few(unused_jobs(db, metric, scheduled, until))),
        *map(_outrun, _few(outrun_features(db, metric, until))),
    ]
    return sorted(found, key=lambda one: (one.currency, -abs(one.cost), one.kind, one.says))


def _few(found: Sequence[Told]) -> list[Told]:
    return first_of_each(found, lambda one: one.currency, MOST_OF_A_KIND)


def _unallocated(db: Session, metric: str) -> Iterator[Highlight]:
    platform = spend_view(db, "platform", metric).to_pylist()
    idle = {_place(row): row["idle"] for row in platform if row["idle"] > 0}
    for row in _first(spend_view(db, "backlog", metric).to_pylist(), metric):
        where = " ".join(filter(None, (row["service"], row["resource_id"], row["model"])))
        reason = row["unallocated_reason"]
        # what was open of the resource besides its idle would make it more than that
        component = "idle" if row[metric] <= idle.get(_place(row), 0) else None
        if row["pool"] is None:
            component = "direct"
        yield Highlight(
            "unallocated", row[metric], row["billing_currency"],
            f"{_money(row[metric])} {row['billing_currency']} of {where} is `{reason}`",
            remedy(reason, component), {name: row[name] for name in OF["unallocated"]},
        )  # fmt: skip


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("pool", "service", "resource_id", "billing_currency"))


def _low_confidence(db: Session, metric: str) -> Iterator[Highlight]:
    rows = [row for row in spend_view(db, "product", metric).to_pylist() if row["estimated"]]
    for row in _first(rows, "estimated"):
        who = f"{row['tenant_id'] or 'nobody'} / {row['feature'] or 'no feature'}"
        yield Highlight(
            "low_confidence", row["estimated"], row["billing_currency"],
            f"{_money(row['estimated'])} {row['billing_currency']} of {who} is estimated",
            "Look at telemetry_coverage and sampling of its calls.",
            {"tenant_id": row["tenant_id"], "feature": row["feature"], "confidence": "estimated"},
        )  # fmt: skip


def _idle(db: Session, metric: str) -> Iterator[Highlight]:
    """Capacity, not paper: an unused commitment is no machine, and stands under unallocated."""
    rows = [
        row
        for row in spend_view(db, "platform", metric).to_pylist()
        if row["idle"] > 0 and row["unallocated"] < row["idle"]
    ]
    for row in _first(rows, "idle"):
        share = (row["idle_share"] or Decimal(0)) * PERCENT
        what = row["resource_id"] or row["pool"] or row["service"]
        yield Highlight(
            "idle", row["idle"], row["billing_currency"],
            f"{_money(row['idle'])} {row['billing_currency']} of {what} stood idle, "
            f"{share:.1f} % of it",
            "Make it smaller, or let more run on it.",
        )  # fmt: skip


def _of(found: Anomaly) -> Highlight:
    who = f"{found.tenant_id or 'nobody'} / {found.feature or 'no feature'}"
    return Highlight(
        "anomaly", found.difference, found.currency,
        f"{who} cost {_money(found.cost)} {found.currency} on {found.day}, not "
        f"{_money(found.expected)} as on the {found.against}; mostly {found.mostly}",
        "attribution explain says what moved it.",
    )  # fmt: skip


def _unused(found: Unused) -> Highlight:
    whom = "anybody" if found.tenants == found.of_tenants else (
        f"{found.tenants} of its {found.of_tenants} tenants")  # fmt: skip
    return Highlight(
        "unused_job", found.cost, found.currency,
        f"{_money(found.cost)} {found.currency} of {found.workflow_id}, which runs by clock, up to {found.until}: "
        f"no outcome says that {whom} used what it made",
        "Run it less often or on demand, or report outcomes where its output is used.",
    )  # fmt: skip


def _outrun(found: Outrun) -> Highlight:
    return Highlight(
        "outrun", found.cost, found.currency,
        f"{found.feature} cost {_times(found.cost_factor)} as much, for {_times(found.useful_factor)} as many "
        f"useful outcomes ({_days(found.newer)} against {_days(found.older)}): "
        f"{_money(found.cost)} {found.currency} more than at the older price of one",
        "attribution spend business shows what a useful outcome costs; attribution explain, why.",
    )  # fmt: skip


def _times(factor: Decimal) -> str:
    return f"{factor.quantize(CENT)} times"


def _days(span: tuple[date, date]) -> str:
    return f"{span[0]}" if span[0] == span[1] else f"{span[0]} to {span[1]}"


def _first(rows: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    dearest = sorted(rows, key=lambda row: -row[by])
    return first_of_each(dearest, lambda row: str(row["billing_currency"]), MOST_OF_A_KIND)


def _money(amount: Decimal) -> str:
    """To the cent, as the column beside the sentence has it."""
    shown = amount.quantize(CENT)
    return f"< {CENT}" if amount > 0 and not shown else f"{shown:,}"


def as_table(found: list[Highlight]) -> pa.Table:
    """Grain: a highlight. Columns ``kind``, ``cost``, ``billing_currency``, ``says``, ``do``."""
    import pyarrow as pa

    return pa.table(
        {
            "kind": pa.array([one.kind for one in found], pa.string()),
            "cost": pa.array([one.cost for one in found], pa.decimal128(38, 12)),
            "billing_currency": pa.array([one.currency for one in found], pa.string()),
            "says": pa.array([one.says for one in found], pa.string()),
            "do": pa.array([one.do for one in found], pa.string()),
        }
    )
