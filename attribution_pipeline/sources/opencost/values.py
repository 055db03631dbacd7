"""Values of OpenCost rows: costs as integers of 1e-5, instants, windows, JSON text.

Belongs here: one value at a time, and the reason why a row that holds it cannot be used. Does not:
which fields a payload has (``allocation``, ``assets``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from attribution_pipeline.model.evidence import KUBERNETES_COST_UNIT
from attribution_pipeline.sources.jsontext import sorted_json
from attribution_pipeline.sources.rejection import RecordRejected

Number = Decimal | int
Window = tuple[datetime, datetime]

ROW_IDENTITY_BOUND = Decimal("0.000075")
"""|totalCost - sum of its fields|: OpenCost rounds 14 terms and their total to 5 decimals, each on
its own (core/pkg/opencost/allocation_json.go), so honest rows differ by up to 15 x 5e-6."""

WINDOW = timedelta(days=1)
"""Evidence meets money at the UTC day: the only window that a landed snapshot may have."""

COST_BOUND = Decimal(10) ** 12
"""USD of one row. Beyond it nothing is a node, and 64-bit integers of 1e-5 would overflow."""

THOUSANDTH = Fraction(1, 1000)
MIB = Fraction(1 << 20)

_DIGITS_MAX = 30
_WHOLE_BOUND = 10**15
"""Far beyond a cluster's hours of anything, and products with costs stay within 128 bits."""
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_UNIT = Decimal(1).scaleb(-KUBERNETES_COST_UNIT)
_INSTANT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


class RepeatedKeys(dict[str, Any]):
    """A JSON object that names a key twice; ``pairs`` keeps every member in order."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def to_units(value: Number) -> int:
    """Dollars as integers of 1e-5, half-even."""
    rounded = _EXACT.quantize(Decimal(value), _UNIT) if value else Decimal(0)
    return int(rounded.scaleb(KUBERNETES_COST_UNIT, context=_EXACT))


def number(row: Mapping[str, Any], field: str) -> Number:
    """A cost field. Absent is zero (fields came and went over versions; the row identity guards
    the sum); null is what OpenCost writes for NaN, and is not zero.
    """
    value = row.get(field, 0)
    if value is None:
        raise RecordRejected("null_cost", f"{field} is null, which OpenCost writes for NaN")
    return _finite(value, field)


def optional_number(row: Mapping[str, Any], field: str) -> Number | None:
    """A field that may be absent or null."""
    value = row.get(field)
    return None if value is None else _finite(value, field)


def whole(row: Mapping[str, Any], field: str, unit: Fraction) -> int | None:
    """A quantity in whole units of ``unit``, half-even; None where it is not said.

    For gates alone: what is no number, or none that 64 bits hold, is not said.
    """
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        return None
    # compared by exponent first: 1E+999999999 must not become a billion digits, nor its inverse
    if isinstance(value, Decimal) and abs(value.adjusted()) > _DIGITS_MAX:
        return None if value.adjusted() > 0 else 0
    units = round(Fraction(value) / unit)
    return units if abs(units) < _WHOLE_BOUND else None


def _finite(value: Any, field: str) -> Number:
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise RecordRejected("not_a_number", f"{field} is {type(value).__name__}, not a number")
    # compared by exponent first: 1E+999999999 must not become a billion digits
    if isinstance(value, Decimal) and value and value.adjusted() > COST_BOUND.adjusted() + 12:
        raise RecordRejected("number_out_of_range", f"{field} is out of range")
    if isinstance(value, int) and value.bit_length() > 128:
        raise RecordRejected("number_out_of_range", f"{field} is out of range")
    return value


def cost(row: Mapping[str, Any], field: str, *, signed: bool) -> Decimal:
    """``field`` + its adjustment, exact. Negative is rejected unless ``signed`` (idle)."""
    plain = number(row, field)
    adjustment = number(row, field + "Adjustment")
    total = _EXACT.add(Decimal(plain), Decimal(adjustment))
    if abs(total) > COST_BOUND:
        raise RecordRejected("number_out_of_range", f"{field} is beyond {COST_BOUND}")
    if not signed and (plain < 0 or total < 0):
        raise RecordRejected("negative_cost", f"{field} is {plain}, with adjustment {total}")
    return total


def require_identity(total: Number, parts: Decimal) -> None:
    """totalCost must be the sum of its fields, up to OpenCost's own rounding."""
    gap = abs(_EXACT.subtract(Decimal(total), parts))
    if gap > ROW_IDENTITY_BOUND:
        raise RecordRejected(
            "row_identity", f"totalCost {total} differs from the sum of its fields {parts} by {gap}"
        )


def exact_sum(values: list[Decimal]) -> Decimal:
    """The sum without rounding."""
    total = Decimal(0)
    for value in values:
        total = _EXACT.add(total, value)
    return total


def exact_product(left: Number, right: Number) -> Decimal:
    """The product, to 60 digits."""
    return _EXACT.multiply(Decimal(left), Decimal(right))


@lru_cache(maxsize=4096)
def instant(text: str) -> datetime | None:
    """RFC 3339 in UTC, or None. ``"null"`` (an open end, as text) is None too."""
    if not _INSTANT.match(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def utc_day_window(row: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """The row's own window, which must be one whole UTC day: never its place in the list."""
    window = row.get("window")
    ends = [window.get("start"), window.get("end")] if isinstance(window, dict) else [None, None]
    start, end = (instant(value) if isinstance(value, str) else None for value in ends)
    if start is None or end is None or end - start != WINDOW or start.time() != datetime.min.time():
        raise RecordRejected(
            "window_not_a_utc_day",
            f"the window is {ends[0]} to {ends[1]}; query window=YYYY-MM-DDT00:00:00Z,"
            "YYYY-MM-DDT00:00:00Z, one whole elapsed UTC day",
        )
    return start, end


def window_or(row: Mapping[str, Any], otherwise: Window | None) -> Window | None:
    """The row's own window if it is a UTC day, else ``otherwise``."""
    try:
        return utc_day_window(row)
    except RecordRejected:
        return otherwise


def run(
    row: Mapping[str, Any], start: datetime, end: datetime
) -> tuple[datetime, datetime, Number]:
    """(start, end, minutes) of its run, which must lie in its window (opencost #3630, #4057)."""
    minutes = optional_number(row, "minutes")
    if minutes is None:
        raise RecordRejected("unreadable_time", "minutes is missing")
    if minutes < 0:
        raise RecordRejected("negative_minutes", f"minutes is {minutes}")
    ends = [row.get("start"), row.get("end")]
    started, ended = (instant(value) if isinstance(value, str) else None for value in ends)
    if started is None or ended is None:
        raise RecordRejected("unreadable_time", f"start {ends[0]} or end {ends[1]} is no RFC 3339")
    if ended < started:
        raise RecordRejected("ends_before_start", f"it runs from {ends[0]} to {ends[1]}")
    if started < start or ended > end:
        raise RecordRejected("outside_window", f"it runs from {ends[0]} to {ends[1]}")
    return started, ended, minutes


def plain_text(value: Number | None) -> str | None:
    """A number as written, without E notation."""
    return None if value is None else format(Decimal(value), "f")


def text_or_none(value: Any, field: str) -> str | None:
    """A text property; absent and empty are null."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise RecordRejected("not_a_text", f"{field} is {type(value).__name__}, not text")
    return value


def text_if(value: Any) -> str | None:
    """A text property of a row that is rejected anyway; anything else is null."""
    return value if isinstance(value, str) and value else None


def json_text(value: Any, field: str) -> str | None:
    """A JSON object of labels with sorted keys; absent is null, empty stays ``{}``."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise RecordRejected("not_an_object", f"{field} is {type(value).__name__}, not an object")
    require_unique(value, field)
    for key, member in value.items():
        if not isinstance(member, str):
            raise RecordRejected(
                "not_a_text", f"{field}.{key} is {type(member).__name__}, not text"
            )
    return sorted_json(value)


def require_unique(value: Any, field: str) -> None:
    """A JSON object that says one key twice says nothing."""
    if isinstance(value, RepeatedKeys):
        raise RecordRejected("repeated_field", f"{field} names one of its keys twice")
