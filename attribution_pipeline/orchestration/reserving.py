"""What the status of reservations is made of, taken from a deployment.

Belongs here: which records, which days of the ledger, which metric. Does not: status (``views``),
Dagster (``assets.reservations``), printing (``commands.reservations``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from attribution_pipeline.views.forecast import HISTORY_DAYS
from attribution_pipeline.views.reservations import LEDGER_COLUMNS, Status, statuses
from attribution_pipeline.views.reserved import Reservation, reservations_of

if TYPE_CHECKING:
    from attribution_pipeline.lake.landed import LandedView
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House

TABLE = "reservations"

METRIC = "effective_cost"
"""What chargeback sums where no recorded day says otherwise: the policy's own default."""

OVER_DAYS = 31
"""A reservation is watched for a month after its period: late bills and restatements come by then."""


@dataclass(frozen=True)
class Reserved:
    """Status of every reservation that is watched. ``metric``: the cost that is held against it."""

    statuses: Sequence[Status]
    metric: str
    through: date | None
    """The newest recorded day."""
    policy: Policy | None
    """The version that day was recorded under; none where no day is recorded, or nothing reserved."""
    long_over: int
    """Reservations whose period ended more than a month before: not looked at."""


def reserved(house: House, as_of: datetime | None = None, *, every: bool = False) -> Reserved:
    """Today, or as ledger and landed records were at ``as_of``. ``every``: those long over, too.

    Raises Refusal where a landed or a recorded file was changed.
    """
    landed = house.landed if as_of is None else house.landed.by(as_of)
    found = reservations_of(landed_rows(landed, TABLE))
    days = house.lake.days(as_of)
    if not days or not found:
        made = statuses(found, _nothing(found), [], METRIC)
        return Reserved(made, METRIC, days[-1] if days else None, None, 0)
    policy = policy_of_day(house, days[-1], as_of)
    metric = policy.settlement.metric
    watched = found if every else [one for one in found if _is_watched(one, days[-1])]
    made = []
    if watched:
        history = days[-1] - timedelta(days=HISTORY_DAYS - 1)
        first = min(history, *(one.period_start for one in watched))
        inside = [day for day in days if day >= first]
        columns = [*LEDGER_COLUMNS, metric, *_scope_columns(watched)]
        ledger = house.lake.read("ledger", inside[0], inside[-1], columns, as_of=as_of)
        made = statuses(watched, ledger, inside, metric)
    return Reserved(made, metric, days[-1], policy, len(found) - len(watched))


def landed_rows(landed: LandedView, table: str) -> Iterator[dict[str, Any]]:
    """The standing rows of a small landed table, older objects first. Every file is hashed first."""
    import pyarrow.parquet as pq

    place = {
        (source, one): number
        for source, ids in landed.current_objects(table).items()
        for number, one in enumerate(ids)
    }
    landed.verify(landed.files(table))
    rows = [
        row
        for path in landed.paths(table)
        for row in pq.read_table(path, partitioning=None).to_pylist()
        if (row["source"], row["object_id"]) in place
    ]
    yield from sorted(
        rows,
        key=lambda row: (row["source"], place[row["source"], row["object_id"]], row["position"]),
    )


def _is_watched(one: Reservation, newest: date) -> bool:
    return one.period_end + timedelta(days=OVER_DAYS) > newest


def _scope_columns(found: Sequence[Reservation]) -> list[str]:
    return sorted({column for one in found for column in one.scope.columns})


def _nothing(found: Sequence[Reservation]) -> Any:
    from attribution_pipeline.model.ledger import LEDGER

    return LEDGER.empty_table().select([*LEDGER_COLUMNS, METRIC, *_scope_columns(found)])


def policy_of_day(house: House, day: date, as_of: datetime | None = None) -> Policy:
    """The version that a recorded day was recorded under, now or then."""
    from attribution_pipeline.orchestration.completeness import policy_of
    from attribution_pipeline.proof.relations import RecordedDay

    state = house.lake.head(day, as_of)
    assert state is not None  # the day is recorded then
    return policy_of(house, RecordedDay(state, house.lake.document(state)))
