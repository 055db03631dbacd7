"""Amounts as people read them: thousands apart, cents, and every digit when asked.

Belongs here: spelling of numbers and times on a page. Does not: sums.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

CENT, FINE, FINEST = Decimal("0.01"), Decimal("0.0001"), Decimal("0.00000001")
"""Digits of amounts from 1 on, of amounts from a hundredth on, and of smaller ones."""

CENTS_FROM, FINE_FROM = Decimal(100), Decimal("0.1")
"""A column is spelled in cents where its largest amount is this, in hundredths of them from there."""

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"


def money(amount: Decimal | None) -> str:
    """``1,234.50``; small amounts with more digits, so that a call's cost is not 0.00."""
    if amount is None:
        return NOTHING
    if not amount:
        return "0.00"
    return aligned(amount, digits_of_whole(amount))


def digits_of_whole(amount: Decimal) -> Decimal:
    """The digits of an amount that stands alone, and of all that it is divided into: tables of one whole
    are read beside each other."""
    size = abs(amount)
    return CENT if size >= 1 or not size else FINE if size >= CENT else FINEST


def digits_of(column: Iterable[Decimal | None]) -> Decimal:
    """One number of digits for a column, so that its points stand below each other."""
    largest = max((abs(amount) for amount in column if amount is not None), default=Decimal(0))
    return (
        CENT if not largest or largest >= CENTS_FROM else FINE if largest >= FINE_FROM else FINEST
    )


def aligned(amount: Decimal | None, digits: Decimal) -> str:
    """In a column's digits; what would round to zero and is not says so."""
    if amount is None:
        return NOTHING
    shown = amount.quantize(digits, ROUND_HALF_EVEN)
    if amount and not shown:
        return f"< {digits:f}" if amount > 0 else f"> {MINUS}{digits:f}"
    return _typeset(f"{shown or abs(shown):,f}")


def signed(amount: Decimal | None) -> str:
    """``+1,234.50``."""
    text = money(amount)
    return f"+{text}" if amount is not None and amount > 0 else text


def whole(amount: Decimal) -> str:
    """``1,235``: for axes and headlines."""
    return _typeset(f"{amount.quantize(Decimal(1), ROUND_HALF_EVEN):,f}")


def exact(amount: Decimal | None) -> str:
    """Every digit."""
    return "" if amount is None else f"{amount:,f}"


def count(number: int | Decimal | None) -> str:
    """``12,345``."""
    return NOTHING if number is None else _typeset(f"{int(number):,}")


def percent(part: Decimal, total: Decimal) -> str:
    """``12.3 %``; a share that would round to all or nothing and is not says so."""
    if not total:
        return NOTHING
    share = Fraction(part) / Fraction(total) * 100
    shown = f"{float(share):.1f}"
    if share and shown in ("0.0", "-0.0"):
        return "< 0.1 %" if share > 0 else f"> {MINUS}0.1 %"
    if share > -100 and shown == "-100.0":
        return f"< {MINUS}99.9 %"
    if share < 100 and shown == "100.0":
        return "> 99.9 %"
    return _typeset(f"{shown} %")


def share(part: Decimal, total: Decimal) -> float:
    """For the length of a bar, and nothing else."""
    return float(Fraction(part) / Fraction(total)) if total else 0.0


def day(at: date) -> str:
    """``Mon 5 Oct 2026``."""
    return f"{at:%a} {at.day} {at:%b %Y}"


def instant(at: datetime | None) -> str:
    """``2026-10-05 03:05 UTC``."""
    return NOTHING if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def moment(at: datetime | None) -> str:
    """``2026-10-05 03:05:20.680 UTC``: every digit, for who points at an instant."""
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"


def minus(text: str) -> str:
    """A hyphen before a figure as the sign that it is."""
    return re.sub(r"(?<![\w-])-(?=\d)", MINUS, text)


def _typeset(text: str) -> str:
    return text.replace("-", MINUS)
