"""What stands out in a period: the few lines that somebody should read first, dearest first.

Belongs here: which questions are asked of the roll-ups, and their sentences. Does not: sums, anomalies,
rules of use (``use``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.views.reasons import remedy
from attribution_pipeline.views.spend.anomalies import Anomaly, anomalies
from attribution_pipeline.views.spend.table import spend_view
from attribution_pipeline.views.spend.use import Outrun, Unused, outrun_features, unused_jobs

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.engine import Session

MOST_OF_A_KIND = 3
PERCENT = 100
CENT = Decimal("0.01")

READS = ("spend_daily", "resources_daily", "outcomes_daily")
"""Roll-ups that must be open."""


@dataclass(frozen=True)
class Highlight:
    """``kind``: unallocated, low_confidence, anomaly, idle, unused_job, outrun. ``cost`` in ``currency``."""

    kind: str
    cost: Decimal
    currency: str
    says: str
    do: str


def highlights(
    db: Session, metric: str, newest: date, *, scheduled: Sequence[str] = ()
) -> list[Highlight]:
    """At most a few of each kind, dearest first. Reads the roll-ups that are open in ``db``.

    ``scheduled``: patterns of workflows that run by clock, as the deployment file says.
    """
    found = [
        *_unallocated(db, metric),
        *_low_confidence(db, metric),
        *_idle(db, metric),
        *(_of(anomaly) for anomaly in anomalies(db, metric, newest)[:MOST_OF_A_KIND]),
        *(_unused(one) for one in unused_jobs(db, metric, scheduled)[:MOST_OF_A_KIND]),
        *(_outrun(one) for one in outrun_features(db, metric)[:MOST_OF_A_KIND]),
    ]
    return sorted(found, key=lambda one: (-abs(one.cost), one.kind, one.says))


def _unallocated(db: Session, metric: str) -> Iterator[Highlight]:
    for row in _first(spend_view(db, "backlog", metric).to_pylist(), metric):
        where = " ".join(filter(None, (row["service"], row["resource_id"], row["model"])))
        reason = row["unallocated_reason"]
        yield Highlight(
            "unallocated", row[metric], row["billing_currency"],
            f"{_money(row[metric])} {row['billing_currency']} of {where} is `{reason}`",
            remedy(reason),
        )  # fmt: skip


def _low_confidence(db: Session, metric: str) -> Iterator[Highlight]:
    rows = [row for row in spend_view(db, "product", metric).to_pylist() if row["estimated"]]
    for row in _first(rows, "estimated"):
        who = f"{row['tenant_id'] or 'nobody'} / {row['feature'] or 'no feature'}"
        yield Highlight(
            "low_confidence", row["estimated"], row["billing_currency"],
            f"{_money(row['estimated'])} {row['billing_currency']} of {who} is estimated",
            "Look at telemetry_coverage and sampling of its calls.",
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
        f"{_money(found.cost)} {found.currency} of {found.workflow_id}, which runs by clock: no outcome "
        f"says that {whom} used what it made",
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
    return sorted(rows, key=lambda row: -row[by])[:MOST_OF_A_KIND]


def _money(amount: Decimal) -> str:
    return f"{amount.quantize(CENT):,}"


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
