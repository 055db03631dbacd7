"""What a roll-up is made of, as one digest: equal basis, equal rows.

Belongs here: which states and landed files decide a roll-up. Does not: making or keeping one.

Tables of the ledger hang on one state of their day. Those of outcomes hang on landed outcomes, on the
spans that say which operation an outcome is of, and on every day that such an operation may be on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from attribution_pipeline.views.daily.queries import query
from attribution_pipeline.views.outcomes import LOOKBACK_DAYS

if TYPE_CHECKING:
    from attribution_pipeline.lake import Lake, Published
    from attribution_pipeline.lake.landed import LandedView

LEDGER_TABLES = ("spend_daily", "resources_daily", "calls_daily")
OUTCOME_TABLES = ("outcomes_daily", "outcome_costs_daily")
TABLES = (*LEDGER_TABLES, *OUTCOME_TABLES)

BEFORE, AFTER = timedelta(days=LOOKBACK_DAYS), timedelta(days=1)
"""Around the day of an outcome: where its operations may have ended."""


def heads(
    lake: Lake, first: date, last: date, as_of: datetime | None = None
) -> dict[date, Published]:
    """The newest states of the recorded days in [first, last], oldest day first."""
    found = {day: lake.head(day, as_of) for day in lake.days(as_of) if first <= day <= last}
    return {day: state for day, state in found.items() if state is not None}


def of_ledger(table: str, state: Published) -> str:
    """The basis of a roll-up of one state."""
    return _digest([recipe(table), state.manifest_id])


def of_outcomes(
    table: str, lake: Lake, landed: LandedView, day: date, as_of: datetime | None = None
) -> str:
    """The basis of a roll-up of the outcomes that were observed on a recorded day."""
    state = lake.head(day, as_of)
    said = [recipe(table), state.manifest_id if state else ""]
    files = landed.files("outcomes", day, day)
    if files:
        standing = {
            (s, one) for s, ids in landed.current_objects("outcomes").items() for one in ids
        }
        for file in files:
            said.append(file.sha256)
            said += sorted(one for one in file.objects or () if (file.source, one) in standing)
        begin, end = day - BEFORE, day + AFTER
        said += [file.sha256 for file in landed.files("spans", begin, end)]
        said += [one.manifest_id for one in heads(lake, begin, end, as_of).values()]
    return _digest(said)


@cache
def recipe(table: str) -> str:
    """Digest of what makes a table: its SQL as it is run, its schema and, for those of outcomes, how
    these are joined. A roll-up of another recipe is made again."""
    from attribution_pipeline.model.daily import SCHEMAS
    from attribution_pipeline.views.outcomes.joined import recipe as of_join

    said = [query(table), *(f"{field.name} {field.type}" for field in SCHEMAS[table])]
    return _digest([*said, *of_join()] if table in OUTCOME_TABLES else said)


def _digest(said: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(said).encode()).hexdigest()
