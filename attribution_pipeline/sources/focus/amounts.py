"""The door of money: FOCUS numbers as text to DECIMAL(38,12), half-even once, exactly.

Belongs here: which texts are numbers, the vectorised conversion, what the rounding moved. Does
not: what an amount is for. The definition is ``model.money``; most texts go through Arrow's
256-bit decimals, which agree with it to the last digit (a property test), the rest through it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from attribution_pipeline.model.errors import Broken
from attribution_pipeline.model.evidence import MONEY
from attribution_pipeline.model.money import (
    SCALE,
    NotAnAmount,
    parse_decimal,
    to_decimal,
    to_quanta,
)

_EXACT = pa.decimal256(68, 49)
"""Holds every text that ``_FAST`` admits without rounding: 18 digits before the point and one to
carry, 49 after it. Beyond 19 digits before the point pyarrow 26 rounds wrongly where a round
carries into a new digit (it leaves 999...9.999999999999), so those go the long way."""

_FAST = (
    r"^-?([0-9]{1,18}(\.[0-9]{0,49})?"
    # shortest floats below 1e-4: one digit, a fraction of up to 17, an exponent down to -32
    r"|[0-9](\.[0-9]{0,17})?[eE]-(0?[0-9]|[12][0-9]|3[0-2]))$"
)

_EXACTLY = Context(prec=300)
"""Wide enough for any sum of what single amounts move (at most 110 digits each)."""

_HALF_QUANTUM = pa.scalar(Decimal(5).scaleb(-SCALE - 1))

_MOST_CHARACTERS = 110
"""``model.money`` computes with 120 digits; a longer text is not rounded, it is refused."""

_LARGEST_EXPONENT = 38
"""No amount or quantity has more digits before the point; ``1e9999`` is damage, not a number."""


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
    """Texts as amounts; what is no amount is marked ``unreadable``.

    Raises Broken, never caught, when Arrow's rounding and ours could not both be right.
    """
    fast = pc.fill_null(pc.match_substring_regex(text, _FAST), False)
    exact = pc.if_else(fast, text, pa.scalar(None, pa.string())).cast(_EXACT)
    rounded = pc.round(exact, ndigits=SCALE, round_mode="half_to_even")
    values = rounded.cast(MONEY)
    moved = pc.abs(pc.subtract_checked(rounded, exact))
    if pc.any(pc.greater(moved, _HALF_QUANTUM)).as_py():
        raise Broken("an amount moved by more than half a quantum when it was read")

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
    beyond = {index: amount.copy_abs() for index, amount in beyond.items() if amount}
    return Money(values, _mask(unreadable, len(text)), moved, beyond)


def moved_by(columns: Iterable[Money], landed: pa.Array) -> Decimal:
    """Sum of |rounded - exact| over the rows that ``landed`` (bool) keeps, exactly."""
    total = Decimal(0)
    for money in columns:
        total = _EXACTLY.add(total, pc.sum(money.moved.filter(landed)).as_py() or Decimal(0))
        for index, amount in money.moved_beyond.items():
            if landed[index].as_py():
                total = _EXACTLY.add(total, amount)
    return _EXACTLY.normalize(total) if total else Decimal(0)


def parse_number(text: str) -> Decimal:
    """A FOCUS number exactly; raises NotAnAmount for anything else, and for absurd lengths."""
    if len(text) > _MOST_CHARACTERS:
        raise NotAnAmount(f"{text[:40]!r}... has more than {_MOST_CHARACTERS} characters")
    value = parse_decimal(text)
    if value.adjusted() > _LARGEST_EXPONENT:
        raise NotAnAmount(f"{text!r} is too large")
    return value


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
