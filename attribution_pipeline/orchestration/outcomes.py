"""Outcomes of some days, taken from a deployment.

Belongs here: opening the view with a deployment's lake, landed rows and limits. Does not: the view
(``views.outcomes``), Dagster (``assets.views``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from attribution_pipeline.orchestration.reserving import METRIC, policy_of_day
from attribution_pipeline.views.outcomes import Found, open_outcomes, outcome_rows, per_useful

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.orchestration.house import House


@dataclass(frozen=True)
class OutcomesOfDays:
    """``rows``: grain outcome and currency. ``summed``: cost per useful outcome by the columns asked."""

    found: Found
    rows: pa.Table
    summed: pa.Table
    metric: str


def outcomes_of(
    house: House, first: date, last: date, *, by: Sequence[str] = ("kind",),
    as_of: datetime | None = None,
) -> OutcomesOfDays:  # fmt: skip
    """Outcomes that were observed in [first, last], in the metric that the newest of these days settles
    on. The storage is read only.

    Raises Refusal where a landed or a recorded file was changed.
    """
    from attribution_pipeline.attribution.engine import session
    from attribution_pipeline.proof.replay import clean_place

    recorded = [day for day in house.lake.days(as_of) if day <= last]
    metric = METRIC
    if recorded:
        metric = policy_of_day(house, recorded[-1], as_of).settlement.metric
    landed = house.landed if as_of is None else house.landed.by(as_of)
    with clean_place() as scratch, session(house.compute(scratch)) as db:
        found = open_outcomes(db, house.lake, landed, first, last, as_of=as_of)
        return OutcomesOfDays(found, outcome_rows(db), per_useful(db, metric, by), metric)
