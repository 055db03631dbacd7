"""Plots as plain geometry: bars and lines that a template writes as SVG.

Belongs here: scales, ticks, stacking. Does not: colours (the style sheet), text escaping (templates),
any amount that is read rather than looked at. Heights are the one place where amounts are floats.

Why no plotting library: docs/decisions/0018.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from attribution_pipeline.views.dashboard import amounts

WIDTH, HEIGHT = 1120, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 10, 26
"""Room for the axis's amounts, and for its days."""

TICKS = 4
"""Steps of the axis that are aimed at."""

BAR_SHARE = 0.72
"""Of a day's room that its bar takes."""

WIDEST_BAR = 44.0

LABEL_ROOM = 46.0
"""Pixels that a day's label needs."""


@dataclass(frozen=True)
class Tick:
    """A line of the axis."""

    y: float
    label: str


@dataclass(frozen=True)
class Part:
    """A piece of a bar."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """A day. ``said`` is what one reads when pointing at it."""

    x: float
    width: float
    parts: Sequence[Part]
    label: str
    said: str
    href: str | None
    is_chosen: bool = False
    room_x: float = 0.0
    room: float = 0.0


@dataclass(frozen=True)
class Bars:
    """A plot of days."""

    bars: Sequence[Bar]
    ticks: Sequence[Tick]
    zero: float
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Day:
    """One day's amounts by kind, in the order in which they are stacked."""

    day: date
    amounts: Mapping[str, Decimal]
    href: str | None = None
    is_chosen: bool = False
    said: str = ""


def daily(days: Sequence[Day], first: date, last: date, recorded: Container[date] = ()) -> Bars:
    """Every calendar day from ``first`` to ``last`` has its room, recorded or not. ``recorded``: days
    that are, also if they cost nothing and are not among ``days``."""
    found = {one.day: one for one in days}
    tops = [float(sum(v for v in one.amounts.values() if v > 0)) for one in days]
    lows = [float(sum(v for v in one.amounts.values() if v < 0)) for one in days]
    axis = _axis(min([0.0, *lows]), max([0.0, *tops]))
    calendar = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    room = (WIDTH - LEFT - RIGHT) / len(calendar)
    width = min(room * BAR_SHARE, WIDEST_BAR)
    every = max(1, math.ceil(LABEL_ROOM / room))
    bars = []
    for number, day in enumerate(calendar):
        one = found.get(day)
        x = LEFT + room * number
        label = f"{day.day} {day:%b}" if number % every == 0 else ""
        bars.append(
            Bar(
                x + (room - width) / 2, width, _stacked(one.amounts, axis) if one else (), label,
                one.said if one
                else f"{amounts.day(day)}: {'nothing' if day in recorded else 'not recorded'}",
                one.href if one else None, bool(one and one.is_chosen), x, room,
            )
        )  # fmt: skip
    return Bars(bars, axis.ticks, axis.y(0.0))


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    ticks: Sequence[Tick]

    def y(self, value: float) -> float:
        return _y(value, self.low, self.high)


def _axis(low: float, high: float) -> _Axis:
    if high <= low:
        high = low + 1.0
    step = _nice((high - low) / TICKS)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    count = round((high - low) / step)
    values = [low + step * n for n in range(count + 1)]
    return _Axis(low, high, [Tick(_y(v, low, high), _tick(v, step)) for v in values])


def _y(value: float, low: float, high: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low))


def _nice(step: float) -> float:
    """1, 2, 2.5 or 5 times a power of ten, not below ``step``."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * n for n in (1, 2, 2.5, 5, 10) if power * n >= step * 0.999999)


def _tick(value: float, step: float) -> str:
    if value == 0:
        return "0"
    digits = max(0, -math.floor(math.log10(step))) if step < 1 else 0
    if step * 10 % 10 and step >= 1 and step < 10:
        digits = 1
    return f"{value:,.{digits}f}".replace("-", amounts.MINUS)


def _stacked(found: Mapping[str, Decimal], axis: _Axis) -> list[Part]:
    """Positive amounts upwards from zero, negative ones downwards."""
    up = down = 0.0
    parts = []
    for kind, amount in found.items():
        value = float(amount)
        if not value:
            continue
        start = up if value > 0 else down
        y0, y1 = axis.y(start), axis.y(start + value)
        parts.append(Part(kind, min(y0, y1), abs(y1 - y0)))
        if value > 0:
            up += value
        else:
            down += value
    return parts
