"""Period columns: instants in UTC, however an export writes them.

Belongs here: accepted spellings. Does not: which periods make sense (``lines``).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from attribution_pipeline.model.evidence import INSTANT
from attribution_pipeline.sources.focus.text import as_text, map_distinct

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|z|UTC|[+-]\d{2}(:?\d{2})?))?)?",
    re.ASCII,
)
"""ISO 8601 as FOCUS 1.2, DateTimeFormat, has it, and what exports make of it: a space for the
``T``, no zone, a date alone, seven digits of a second (Azure), `` UTC`` (BigQuery). A day-first or
month-first date can mean two days and is not read."""


def to_instants(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Instants (microseconds, UTC; finer digits cut off), and bool: there, but unreadable.

    Without a zone it is UTC: FOCUS 1.2, DateTimeFormat, and what AWS means.
    """
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(INSTANT), _no(
            column
        )
    if pa.types.is_date(column.type):
        return column.cast(pa.timestamp("us")).cast(INSTANT), _no(column)
    text = as_text(column)
    instants = map_distinct(text, parse_instant, INSTANT)
    return instants, pc.and_(pc.is_valid(text), pc.is_null(instants))


def parse_instant(text: str) -> datetime | None:
    """One instant in UTC, or None."""
    text = text.strip()
    if not _INSTANT.fullmatch(text):
        return None
    try:
        value = datetime.fromisoformat(text.removesuffix("UTC").strip())
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):  # the 30th hour, the 31st of June, the year 0
        return None


def _no(column: pa.Array) -> pa.Array:
    return pa.repeat(pa.scalar(False), len(column))
