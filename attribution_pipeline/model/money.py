"""Money: exact amounts in quanta of 1e-12 of a billing currency.

Belongs here: what a quantum is, how text becomes quanta and back. Does not: how an amount is
divided (``division``) or summed (SQL).
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

SCALE = 12
"""Digits after the point of every ledger amount: DECIMAL(38,12)."""

QUANTA_PER_UNIT = 10**SCALE

QUANTA_BOUND = 10**38
"""What DECIMAL(38,12) can hold, in quanta."""

_NUMBER = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
"""Decimal itself would take ``+1``, ``1_000``, other scripts' digits, ``NaN`` and ``Infinity``."""

_EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)


class NotAnAmount(ValueError):
    """Text that is no finite decimal number, or one too large for DECIMAL(38,12)."""


def parse_decimal(text: str) -> Decimal:
    """A FOCUS number (integer, decimal or E notation) exactly as written.

    FOCUS 1.2, NumericFormat: no thousands separators, no ``+``, no NaN.
    """
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        raise NotAnAmount(f"{text!r} is not a number")
    return _EXACT.create_decimal(text)


def to_quanta(value: Decimal) -> tuple[int, Decimal]:
    """``value`` in quanta, rounded half-even once, and what the rounding moved (rounded - exact).

    The door: called once per amount, when it is read. Raises NotAnAmount beyond DECIMAL(38,12).
    """
    scaled = value.scaleb(SCALE, context=_EXACT)
    rounded = scaled.to_integral_value(rounding=ROUND_HALF_EVEN)
    quanta = int(rounded)
    if abs(quanta) >= QUANTA_BOUND:
        raise NotAnAmount(f"{value} is beyond DECIMAL(38,{SCALE})")
    return quanta, _EXACT.subtract(rounded, scaled).scaleb(-SCALE, context=_EXACT)


def scaled(value: Decimal, digits: int) -> int:
    """``value`` x 10**digits, exactly, where that is whole: digit by digit, so nothing rounds."""
    sign, figures, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # parse_decimal refuses NaN and infinity
    assert exponent + digits >= 0
    whole: int = int("".join(map(str, figures))) * 10 ** (exponent + digits)
    return -whole if sign else whole


def digits_after_point(value: Decimal) -> int:
    """How many digits a decimal has after its point; never negative."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # parse_decimal refuses NaN and infinity
    return max(-exponent, 0)


def from_float(value: float) -> Decimal:
    """A binary float through its shortest decimal form: what AWS meant when it wrote a double."""
    return parse_decimal(repr(value))


def to_decimal(quanta: int) -> Decimal:
    """Quanta as DECIMAL(38,12)."""
    return Decimal(quanta).scaleb(-SCALE, context=_EXACT)


def to_text(quanta: int) -> str:
    """Quanta as text with all twelve digits, never in E notation."""
    sign = "-" if quanta < 0 else ""
    whole, rest = divmod(abs(quanta), QUANTA_PER_UNIT)
    return f"{sign}{whole}.{rest:0{SCALE}d}"
