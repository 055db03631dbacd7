"""A recorded day's roll-ups and views, taken from a deployment: kept where they lag behind, then read.

Belongs here: opening them with a deployment's lake, landed rows and limits. Does not: roll-ups
(``views.daily``), views (``views.spend``), Dagster (``assets.views``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from attribution_pipeline.orchestration.outcomes import OutcomesOfDays
from attribution_pipeline.orchestration.reserving import policy_of_day
from attribution_pipeline.views.daily.basis import LEDGER_TABLES, OUTCOME_TABLES
from attribution_pipeline.views.spend.register import VIEWS

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.views.daily.making import Totals
    from attribution_pipeline.views.outcomes import Found

OF_OUTCOMES = tuple(name for name, view in VIEWS.items() if set(view.reads) <= set(OUTCOME_TABLES))
OF_LEDGER = tuple(name for name in VIEWS if name not in OF_OUTCOMES)

CALLS = "select coalesce(sum(calls), 0) from calls_daily"


@dataclass(frozen=True)
class Viewed:
    """Views and roll-ups of a day, in the metric that its policy settles on. ``made``: the roll-ups
    that were made anew; ``remade``: other days whose outcomes were joined anew."""

    day: date
    metric: str
    views: Mapping[str, pa.Table]
    rows: Mapping[str, int]
    """Of each roll-up."""
    sums: Mapping[str, Totals]
    """Roll-up that has the ledger's costs -> what they come to, as any reader finds it."""
    calls: int
    key: str
    """Digest of what the roll-ups are made of."""
    made: Sequence[str]
    remade: Sequence[date] = ()


def spend_of(house: House, day: date, views: Sequence[str] = OF_LEDGER) -> Viewed:
    """The day's roll-ups of the ledger, brought up to date, and of the ``views`` that read them those
    that are asked for.

    Raises Refusal for a recorded file that was changed, Broken where a roll-up does not sum to its day.
    """
    from attribution_pipeline.proof.replay import clean_place
    from attribution_pipeline.views.daily import keep_ledger_tables

    with clean_place() as scratch:
        compute = house.compute(scratch)
        made = keep_ledger_tables(house.lake, day, compute)
    return _viewed(house, day, views, LEDGER_TABLES, made, ())


def business_of(
    house: House, day: date, views: Sequence[str] = OF_OUTCOMES, *, outcomes: bool = True
) -> tuple[Viewed, OutcomesOfDays | None]:
    """The day's outcomes, joined, if ``outcomes``; their roll-ups, brought up to date, also of days whose
    operations may be on this one; and of the ``views`` that read them those that are asked for."""
    from attribution_pipeline.proof.replay import clean_place
    from attribution_pipeline.views.daily import keep_outcome_tables
    from attribution_pipeline.views.outcomes import outcome_rows, per_useful

    metric = policy_of_day(house, day, None).settlement.metric
    found: list[OutcomesOfDays] = []

    def joined(db: Session, said: Found) -> None:
        found[:] = [OutcomesOfDays(said, outcome_rows(db), per_useful(db, metric), metric)]

    with clean_place() as scratch:
        compute = house.compute(scratch)
        moved = keep_outcome_tables(
            house.lake, house.landed, day, compute, joined=joined if outcomes else None
        )
    made = OUTCOME_TABLES if day in moved else ()
    others = [one for one in moved if one != day]
    return _viewed(house, day, views, OUTCOME_TABLES, made, others), found[0] if found else None


def _viewed(
    house: House,
    day: date,
    views: Sequence[str],
    tables: Sequence[str],
    made: Sequence[str],
    remade: Sequence[date],
) -> Viewed:
    from attribution_pipeline.attribution.engine import session
    from attribution_pipeline.proof.replay import clean_place
    from attribution_pipeline.views.daily import open_daily
    from attribution_pipeline.views.daily.making import SUM_TO_THE_LEDGER, sums
    from attribution_pipeline.views.spend import spend_view

    metric = policy_of_day(house, day, None).settlement.metric
    with clean_place() as scratch, session(house.compute(scratch)) as db:
        opened = open_daily(
            db, house.lake, day, day, tables, landed=house.landed, compute=house.compute(scratch)
        )
        return Viewed(
            day,
            metric,
            {name: spend_view(db, name, metric) for name in views},
            {name: db.one(f"select count(*) from {name}") for name in tables},
            {name: sums(db, name) for name in tables if name in SUM_TO_THE_LEDGER},
            int(db.one(CALLS)) if "calls_daily" in tables else 0,
            opened.key,
            made,
            remade,
        )
