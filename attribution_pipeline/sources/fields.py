"""Values that several hand-written tables hold: exact amounts, instants, whole days.

Belongs here: reading one such cell of a CSV, JSON, YAML or Parquet record, or turning it away with a
stable reason. Does not: which columns a table has (its own module).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from attribution_pipeline.model.money import (
    SCALE,
    NotAnAmount,
    from_float,
    parse_decimal,
    to_decimal,
    to_quanta,
)
from attribution_pipeline.sources.focus.instants import parse_instant
from attribution_pipeline.sources.rejection import RecordRejected
from attribution_pipeline.sources.tables import Fields

_SHOWN = 40


def exact_amount(record: Fields, column: str) -> Decimal | None:
    """A decimal number as written, with twelve digits after the point; empty is null.

    One with more digits is turned away: nothing that people wrote is rounded unseen.
    """
    value: Any = record.get(column)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
            raise NotAnAmount(f"{type(value).__name__} is not a number")
        number = from_float(value) if isinstance(value, float) else parse_decimal(str(value))
        quanta, moved = to_quanta(number)
    except NotAnAmount:
        raise RecordRejected(
            "unreadable_amount",
            f"{column} is {str(value)[:_SHOWN]!r}; write a decimal number without separators",
        ) from None
    if moved:
        raise RecordRejected(
            "amount_too_fine", f"{column} has more than {SCALE} digits after its point"
        )
    return to_decimal(quanta)


def instant(record: Fields, column: str, *, needed: bool = False) -> datetime | None:
    """An instant in UTC; without a zone it is UTC; empty is null."""
    value: Any = record.get(column)
    if value is None or value == "":
        if needed:
            raise RecordRejected("missing_value", f"{column} is empty")
        return None
    found = _instant(value)
    if found is None:
        raise RecordRejected(
            "unreadable_instant",
            f"{column} is {str(value)[:_SHOWN]!r}; write an ISO 8601 instant "
            "(2026-11-07T09:00:00Z)",
        )
    return found


def whole_day(record: Fields, column: str) -> date:
    """A UTC day, or the instant at which it begins: the ledger knows no part of a day."""
    value: Any = record.get(column)
    if value is None or value == "":
        raise RecordRejected("missing_value", f"{column} is empty")
    found = _instant(value)
    if found is None or found.time() != time():
        raise RecordRejected(
            "unreadable_date", f"{column} is {str(value)[:_SHOWN]!r}; write YYYY-MM-DD"
        )
    return found.date()


def _instant(value: Any) -> datetime | None:
    if isinstance(value, str):
        return parse_instant(value)
    if isinstance(value, datetime):
        exact = datetime.fromisoformat(value.isoformat())  # pandas' own type has nanoseconds
        return exact.replace(tzinfo=UTC) if exact.tzinfo is None else exact.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return None
