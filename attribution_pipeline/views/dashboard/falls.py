"""A waterfall in numbers: bars that lead from one amount over its changes to another.

Belongs here: where bars begin and end, and where the axis is cut. Does not: colours, bars by day
(``plots``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from attribution_pipeline.views.dashboard import amounts

FALL_WIDTH = 420.0

CUT_BELOW = Decimal("0.2")
"""Where what moved is less than this part of the largest amount, it would be too small to see on an axis
from 0: the axis is cut, and says so."""

BREAK_LEFT, BREAK_RIGHT = 14.0, 26.0
"""Pixels between which the axis is cut: to the left of it stands 0."""

FOOT_SHARE = Decimal("0.1")
"""Of what moved, what is at least shown of the amount below it."""

THINNEST = 1.0
"""Pixels of a bar that would not be seen."""


@dataclass(frozen=True)
class Step:
    """A bar of a waterfall: from where to where, in pixels from the left. ``is_cut``: it runs over the
    break of the axis."""

    title: str
    x: float
    width: float
    kind: str
    amount: str
    exact: str
    note: str = ""
    is_cut: bool = False


@dataclass(frozen=True)
class Move:
    """A change that a waterfall shows: ``spelled`` as people read it."""

    title: str
    change: Decimal
    spelled: str
    note: str = ""


@dataclass(frozen=True)
class Fall:
    """``low`` and ``high``: what stands at the break, or at the left where there is none, and at the
    right end of the axis, as people read them."""

    steps: Sequence[Step]
    low: str
    high: str
    is_cut: bool


@dataclass(frozen=True)
class _Axis:
    low: Decimal
    high: Decimal
    is_cut: bool

    def x(self, amount: Decimal) -> float:
        if self.is_cut and amount < self.low:
            return 0.0
        left = BREAK_RIGHT if self.is_cut else 0.0
        share = (amount - self.low) / ((self.high - self.low) or Decimal(1))
        return min(FALL_WIDTH, max(0.0, left + (FALL_WIDTH - left) * float(share)))


def waterfall(before: Decimal, moves: Sequence[Move], after: Decimal) -> Fall:
    """Bars that lead from one amount to another, over changes that sum to the difference or nearly. Bars
    of both amounts begin at 0; where that hides what moved, the axis is cut between 0 and ``low``."""
    at, reached = before, [before, after]
    for move in moves:
        at += move.change
        reached.append(at)
    axis = _axis(min(reached), max(reached))

    def end(title: str, amount: Decimal) -> Step:
        left, right = sorted((axis.x(Decimal(0)), axis.x(amount)))
        return Step(title, left, right - left, "end", amounts.money(amount),
                    amounts.exact(amount), is_cut=axis.is_cut)  # fmt: skip

    found = [end("before", before)]
    at = before
    for move in moves:
        left, right = sorted((axis.x(at), axis.x(at + move.change)))
        kind = "more" if move.change > 0 else "less"
        found.append(
            Step(move.title, left, max(right - left, THINNEST), kind, move.spelled,
                 amounts.exact(move.change), move.note)
        )  # fmt: skip
        at += move.change
    found.append(end("after", after))
    return Fall(found, amounts.money(axis.low), amounts.money(axis.high), axis.is_cut)


def _axis(low: Decimal, high: Decimal) -> _Axis:
    """From 0, or where all amounts are far from it and near each other from a round one below them."""
    span = high - low
    if low <= 0 or not span or span >= high * CUT_BELOW:
        return _Axis(min(low, Decimal(0)), max(high, Decimal(0)), is_cut=False)
    step = Decimal(10) ** span.adjusted()
    foot = ((low - span * FOOT_SHARE) / step).to_integral_value(ROUND_FLOOR) * step
    top = (high / step).to_integral_value(ROUND_CEILING) * step
    return _Axis(max(foot, Decimal(0)), top, is_cut=foot > 0)
