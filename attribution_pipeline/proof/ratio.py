"""A part of a whole, exactly: what shares and thresholds are compared by.

Belongs here: the comparison, and how a share is written. Does not: what is divided by what.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

NO_EVIDENCE = "no_evidence"
"""Said of a share of nothing: a question without evidence is a FAIL, never a pass."""

DIGITS = 12
"""Digits after the point that are written; cut, never rounded, so that 0.99 is never said of less."""


@dataclass(frozen=True)
class Ratio:
    """``part`` of ``whole``, both in one unit: an amount in one currency, a count, tokens."""

    part: Decimal
    whole: Decimal

    @cached_property
    def exact(self) -> Fraction | None:
        """The share; None where it says nothing: of nothing, or of amounts that net out so that the
        part is more than the whole or of the other sign."""
        if not self.whole:
            return None
        share = Fraction(self.part) / Fraction(self.whole)
        return share if 0 <= share <= 1 else None

    @property
    def value(self) -> Decimal | None:
        """The share, cut to ``DIGITS``: for reading."""
        if self.exact is None:
            return None
        return cut(self.exact)

    @property
    def missing(self) -> Decimal | None:
        """1 - the share, cut to ``DIGITS``."""
        if self.exact is None:
            return None
        return cut(1 - self.exact)

    @property
    def text(self) -> str:
        """The share as text without trailing zeros; ``none`` where there is none."""
        return "none" if self.value is None else plain(self.value)

    def reaches(self, threshold: Decimal) -> bool:
        """Whether the share is there and at or over ``threshold``, compared exactly."""
        return self.exact is not None and self.exact >= Fraction(threshold)

    def __add__(self, other: Ratio) -> Ratio:
        return Ratio(self.part + other.part, self.whole + other.whole)


def judged(by_cost: Ratio, by_tokens: Ratio) -> Ratio:
    """The one that a threshold is held against: by cost; by tokens where cost nets to nothing."""
    return by_cost if by_cost.exact is not None else by_tokens


def cut(share: Fraction) -> Decimal:
    """``DIGITS`` digits after the point, the rest cut off."""
    scaled = share.numerator * 10**DIGITS // share.denominator
    return Decimal(scaled).scaleb(-DIGITS)


def plain(value: Decimal) -> str:
    """All digits that say something, no exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(value: Decimal | None) -> str:
    """A share as people read it, cut to hundredths of a percent."""
    if value is None:
        return "none"
    hundredths = int(value * 10_000)
    return f"{hundredths // 100}.{hundredths % 100:02d} %"
