"""What a few outcomes ask of published tables, named value by value.

Belongs here: conditions on one column each, which a file is looked through by before its other columns
are read. Does not: which operations an outcome is of (``joined``), outcomes by the thousand: these are
joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attribution_pipeline.proof.relations import quoted

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session

MOST_VALUES = 256
"""Values that are named. Of 90 days x 111,000 calls, those of one trace take half of what a join takes,
and those of a day's 30,000 outcomes could not be named at all."""

_TRACES = (
    "select trace_id from outcomes where trace_id is not null union select trace_id from said "
    "union select split_part(operation_id, ':', 1) from outcomes where operation_id like '%:%'"
)
"""Of outcomes, of what spans say, and of the keys ``trace:span``."""

_IDS = "select distinct operation_id from outcomes where operation_id is not null"

PAID = "attribution_id in (select attribution_id from operation_costs)"
"""On ``ledger``, where ``operation_costs`` has few rows."""


def operations(db: Session) -> list[str] | None:
    """Conditions on ``operations``, no row under two of them: all that ``outcomes`` and ``said`` may
    be of, and of the same traces perhaps more. None where they are of too many."""
    traces, ids = _texts(db, _TRACES), _texts(db, _IDS)
    if traces is None or ids is None:
        return None
    found = []
    if traces:
        found.append(f"trace_id in ({_listed(traces)})")
    if ids:
        other = f" and (trace_id in ({_listed(traces)})) is not true" if traces else ""
        found.append(f"response_id in ({_listed(ids)}){other}")
    return found or ["false"]


def costs(db: Session) -> list[str] | None:
    """The same on ``operation_costs``, of the operations that ``links`` and ``published`` name."""
    numbers = db.rows(f"select distinct operation_number from links limit {MOST_VALUES + 1}")
    if len(numbers) > MOST_VALUES:
        return None
    keys = _texts(
        db,
        "select distinct operation_key from links join published using "
        "(charge_date, operation_number) where operation_key is not null",
    )
    if keys is None:
        return None
    if not numbers:
        return ["false"]
    named = f"operation_number in ({', '.join(str(one) for (one,) in numbers)})"
    return [f"{named} or operation_key in ({_listed(keys)})" if keys else named]


def _texts(db: Session, query: str) -> list[str] | None:
    found = db.rows(f"select * from ({query}) limit {MOST_VALUES + 1}")
    return None if len(found) > MOST_VALUES else sorted(text for (text,) in found)


def _listed(values: Sequence[str]) -> str:
    return ", ".join(quoted(value) for value in values)
