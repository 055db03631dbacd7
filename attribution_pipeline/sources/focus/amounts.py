"""The door of money: FOCUS numbers as text to DECIMAL(38,12), half-even once, exactly.

Belongs here: which texts are numbers, the vectorised conversion, what the rounding moved. Does
not: what an amount is for. The definition is ``model.money``; most texts go through Arrow's
256-bit decimals, which agree with it to the last digit (a property test), the rest through it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from attribution_pipeline.model.evidence import MONEY
from attribution_pipeline.model.money import (
    SCALE,
    NotAnAmount,
    parse_decimal,
    to_decimal,
    to_quanta,
)

_EXACT = pa.decimal256(75, 49)
"""Holds every text that ``_FAST`` admits without rounding: 25 digits before the point (one less
than DECIMAL(38,12), as rounding may carry), 49 after it."""

_FAST = (
    r"^-?([0-9]{1,25}(\.[0-9]{0,49})?"
    # shortest floats below 1e-4: one digit, a fraction of up to 17, an exponent down to -32
    r"|[0-9](\.[0-9]{0,17})?[eE]-(0?[0-9]|[12][0-9]|3[0-2]))$"
)

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
"""FOCUS 1.2, NumericFormat; a leading ``+`` and ``E+`` are read too, as they can mean one thing."""

_MOST_CHARACTERS = 110
"""``model.money`` computes with 120 digits; a longer text is not rounded, it is refused."""


@dataclass(frozen=True)
class Money:
    """One column of costs. All parts have the column's length."""

    values: pa.Array
    """DECIMAL(38,12); null where the text was null or unreadable."""
    unreadable: pa.Array
    """bool: text was there, but is no amount."""
    moved: pa.Array
    """|rounded - exact| as decimal256, null where there is no value or ``moved_beyond`` has it."""
    moved_beyond: dict[int, Decimal]
    """The same for the few that ``moved`` is too narrow for, by index."""


def to_money(text: pa.Array) -> Money:
    """Texts as amounts. Never raises: what is no amount is marked ``unreadable``."""
    fast = pc.fill_null(pc.match_substring_regex(text, _FAST), False)
    exact = pc.if_else(fast, text, pa.scalar(None, pa.string())).cast(_EXACT)
    rounded = pc.round(exact, ndigits=SCALE, round_mode="half_to_even")
    values = rounded.cast(MONEY)
    moved = pc.abs(pc.subtract_checked(rounded, exact))

    slow = pc.and_(pc.is_valid(text), pc.invert(fast))
    beyond: dict[int, Decimal] = {}
    unreadable: list[int] = []
    if pc.any(slow).as_py():
        replacements: list[Decimal | None] = []
        for index in pc.indices_nonzero(slow).to_pylist():
            try:
                quanta, beyond[index] = to_quanta(parse_number(text[index].as_py()))
                replacements.append(to_decimal(quanta))
            except NotAnAmount:
                unreadable.append(index)
                replacements.append(None)
        values = pc.replace_with_mask(values, slow, pa.array(replacements, MONEY))
    beyond = {index: abs(amount) for index, amount in beyond.items() if amount}
    return Money(values, _mask(unreadable, len(text)), moved, beyond)


def moved_by(money: Money, landed: pa.Array) -> Decimal:
    """Sum of |rounded - exact| over the rows that ``landed`` (bool) keeps."""
    total = pc.sum(money.moved.filter(landed)).as_py() or Decimal(0)
    for index, amount in money.moved_beyond.items():
        if landed[index].as_py():
            total += amount
    return Decimal(total).normalize() if total else Decimal(0)


def parse_number(text: str) -> Decimal:
    """A FOCUS number exactly; raises NotAnAmount for anything else, and for absurd lengths."""
    stripped = text.strip()
    if len(stripped) > _MOST_CHARACTERS or not _NUMBER.fullmatch(stripped):
        raise NotAnAmount(f"{text[:40]!r} is not a number")
    return parse_decimal(stripped)


def to_number_text(text: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Quantities and prices: the text as written where it is a number, and what was not one.

    Second: the texts that are no number (else null). They are kept, but nothing computes with them.
    """
    plain = pc.fill_null(pc.match_substring_regex(text, _FAST), True)
    if pc.all(plain).as_py():
        return text, pa.nulls(len(text), pa.string())
    numbers: list[str | None] = []
    others: list[str | None] = []
    for value in text.to_pylist():
        number = None if value is None else _number_text(value)
        numbers.append(number)
        others.append(value if number is None else None)
    return pa.array(numbers, pa.string()), pa.array(others, pa.string())


def _number_text(text: str) -> str | None:
    try:
        parse_number(text)
    except NotAnAmount:
        return None
    return text.strip()


def _mask(indices: list[int], length: int) -> pa.Array:
    mask = [False] * length
    for index in indices:
        mask[index] = True
    return pa.array(mask, pa.bool_())
