"""Keeping the roll-ups of a recorded day, and of the days whose outcomes it moved.

Belongs here: which roll-ups a day's run makes anew. Does not: making them, Dagster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Broken
from attribution_pipeline.views.daily import basis as bases
from attribution_pipeline.views.daily.basis import LEDGER_TABLES, OUTCOME_TABLES
from attribution_pipeline.views.daily.kept import rollups_of
from attribution_pipeline.views.daily.making import (
    make_ledger_tables,
    make_outcome_tables,
    rows_made,
)

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.lake import Lake, Published
    from attribution_pipeline.lake.landed import LandedView
    from attribution_pipeline.views.outcomes import Found

TRIES = 3
"""Times that outcomes are joined anew where a day was recorded meanwhile."""


Joined = Callable[["Session", "Found"], None]
"""Who has more to ask of a day's joined outcomes is handed them."""


@dataclass(frozen=True)
class KeptDay:
    """What a run did: tables of the day that were made anew, and other days whose outcomes were."""

    day: date
    made: tuple[str, ...]
    outcomes_of: tuple[date, ...]


def keep_day(
    lake: Lake,
    landed: LandedView,
    day: date,
    compute: Compute,
    *,
    joined: Joined | None = None,
) -> KeptDay:
    """Make what is missing or lags behind: ``keep_ledger_tables``, then ``keep_outcome_tables``."""
    made = keep_ledger_tables(lake, day, compute)
    moved = keep_outcome_tables(lake, landed, day, compute, joined=joined)
    if day in moved:
        made = (*made, *OUTCOME_TABLES)
    return KeptDay(day, made, tuple(one for one in moved if one != day))


def keep_ledger_tables(lake: Lake, day: date, compute: Compute) -> tuple[str, ...]:
    """Make the roll-ups of a recorded day's ledger anew that are missing or lag behind; which were.

    Raises Refusal for files that were changed, Broken where one does not sum to the ledger: it is not
    kept then.
    """
    from attribution_pipeline.attribution.engine import session

    rollups = rollups_of(lake)
    state = required(lake, day)
    wanted = {table: bases.of_ledger(table, state) for table in LEDGER_TABLES}
    missing = tuple(name for name, one in wanted.items() if not rollups.stands(name, day, one))
    if missing:
        digest = lake.document(state)["output"]["content_digest"]
        with session(compute) as db:
            totals = make_ledger_tables(db, lake, state, missing)
            for table in missing:
                rows = rows_made(db, table, state, digest)
                rollups.keep(
                    table,
                    day,
                    wanted[table],
                    rows,
                    totals,
                    unless=lambda: required(lake, day) != state,
                )
    return missing


def keep_outcome_tables(
    lake: Lake, landed: LandedView, day: date, compute: Compute, *, joined: Joined | None = None
) -> tuple[date, ...]:
    """Make roll-ups of outcomes anew that are missing or lag behind: those of ``day``, and those of days
    whose operations may be on it; of which days.

    With ``joined`` the day's outcomes are joined in any case. Raises Refusal for files that were
    changed.
    """
    required(lake, day)
    return tuple(
        other
        for other in bases.heads(lake, day - bases.AFTER, day + bases.BEFORE)
        if _keep_outcomes(lake, landed, other, compute, joined if other == day else None)
    )


def required(lake: Lake, day: date) -> Published:
    """The newest state of a recorded day."""
    state = lake.head(day)
    if state is None:
        raise Broken(f"{day} is not recorded, so it has no roll-ups")
    return state


def _keep_outcomes(
    lake: Lake, landed: LandedView, day: date, compute: Compute, joined: Joined | None
) -> bool:
    from attribution_pipeline.attribution.engine import session

    rollups = rollups_of(lake)
    for _ in range(TRIES):
        state = required(lake, day)
        wanted = _bases(lake, landed, day)
        stands = all(rollups.stands(name, day, one) for name, one in wanted.items())
        if stands and joined is None:
            return False
        with session(compute) as db:
            found = make_outcome_tables(db, lake, landed, day)
            if joined is not None:
                joined(db, found)
            if stands:
                return False
            digest = lake.document(state)["output"]["content_digest"]
            rows = {table: rows_made(db, table, state, digest) for table in OUTCOME_TABLES}
        if wanted == _bases(lake, landed, day):
            for table, basis in wanted.items():
                rollups.keep(
                    table, day, basis, rows[table], {},
                    unless=lambda: wanted != _bases(lake, landed, day),  # noqa: B023, asked at once
                )  # fmt: skip
            return True
    return False


def _bases(lake: Lake, landed: LandedView, day: date) -> dict[str, str]:
    return {table: bases.of_outcomes(table, lake, landed, day) for table in OUTCOME_TABLES}
