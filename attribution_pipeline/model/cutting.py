"""Day cutting: how a charge longer than a day falls on UTC days.

Belongs here: the calendar and the division by seconds. Does not: which charges are cut
(``attribution/sql/planes/standing_lines.sql``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

from attribution_pipeline.model.division import largest_remainder
from attribution_pipeline.model.money import SCALE, digits_after_point, parse_decimal, scaled

DAY_US = 86_400_000_000
"""A UTC day in microseconds: the charge-day has no leap second."""

_EPOCH = date(1970, 1, 1)


def microseconds(day: date) -> int:
    """The first instant of a UTC day, in microseconds since 1970."""
    return (day - _EPOCH).days * DAY_US


@dataclass(frozen=True)
class Cut:
    """The UTC days of a charge, with the time that falls on each, as integer weights."""

    days: tuple[date, ...]
    weights: tuple[int, ...]

    def divide(self, amount: int) -> list[int]:
        """``amount`` by day: largest remainder, ties to the earlier day. Sums to ``amount``."""
        parts = largest_remainder(amount, dict(enumerate(self.weights)))
        return [parts[index] for index in range(len(self.days))]

    def divide_text(self, text: str) -> list[str]:
        """A decimal quantity by day, at 1e-12 or its own finer scale. Sums to it exactly."""
        value = parse_decimal(text)
        scale = max(SCALE, digits_after_point(value))
        return [f"{_unshift(part, scale):f}" for part in self.divide(scaled(value, scale))]


def _unshift(part: int, scale: int) -> Decimal:
    return Decimal((part < 0, tuple(map(int, str(abs(part)))), -scale))


@lru_cache(maxsize=4096)
def cut(start: int, end: int, period_start: int, period_end: int) -> Cut:
    """Days of ``[start, end)`` (microseconds since 1970), within the billing period where they meet.

    A correction's charge period lies outside the period that bills it: it is cut as it is.
    """
    lo, hi = max(start, period_start), min(end, period_end)
    if lo >= hi:
        lo, hi = start, end
    first, last = lo // DAY_US, (hi - 1) // DAY_US
    days = tuple(_EPOCH + timedelta(days=number) for number in range(first, last + 1))
    weights = tuple(
        min(hi, (number + 1) * DAY_US) - max(lo, number * DAY_US)
        for number in range(first, last + 1)
    )
    return Cut(days, weights)
