"""Unit scale: prices that are off by the hours of a day or a month, or by a binary thousand.

Belongs here: the known conversions, and which of them a ratio looks like. Does not: which two
prices are compared (``snapshot``, ``bill``).
"""

from __future__ import annotations

from fractions import Fraction

FACTORS = {
    24: "hours of a day",
    720: "hours of 30 days",
    730: "hours of an average month",
    744: "hours of 31 days",
    1024: "a binary thousand",
}
"""Conversions that were seen to be missing or made twice (opencost/opencost#3781, #4020, #2796)."""

TOLERANCE = 2
"""List prices and bills differ by discounts, pods and nodes by rounding: by less than this."""

SMALLEST_FACTOR = min(FACTORS) // TOLERANCE
"""Prices this many times apart differ by more than any discount or rounding."""


def nearest(ratio: Fraction | int) -> int | None:
    """The conversion nearest to ``ratio``, None where it is beyond all of them by ``TOLERANCE``."""
    apart = {factor: max(Fraction(ratio) / factor, Fraction(factor) / ratio) for factor in FACTORS}
    factor = min(apart, key=lambda known: apart[known])
    return factor if apart[factor] <= TOLERANCE else None


def named(ratio: Fraction | int) -> str:
    """``730 (hours of an average month)``, or how many times where no conversion is near."""
    factor = nearest(ratio)
    if factor is None:
        return f"none: about {round(ratio):,} times"
    return f"{factor} ({FACTORS[factor]}), at about {round(ratio):,} times"
