"""Exact parts: a table of lines and rows filled from its margins, quantities by signed weights.

Belongs here: the arithmetic, on plain integers and decimal text. Does not: what is divided.
``model.division`` is the ledger's own division; here its results are laid over the lines of a charge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from attribution_pipeline.model.division import largest_remainder
from attribution_pipeline.model.errors import Broken
from attribution_pipeline.model.money import digits_after_point, parse_decimal, scaled

QUANTITY_SCALE = 9
"""Quantities are divided at 1e-9, or at their own finer scale: else the parts could not sum to them."""

RATIO_SCALE = 12
"""AllocatedRatio: digits after the point."""


@dataclass(frozen=True)
class Number:
    """An exact decimal: ``digits`` x 10**-scale."""

    digits: int
    scale: int

    @classmethod
    def of(cls, text: str) -> Number:
        """A FOCUS number as written, E notation too."""
        value = parse_decimal(text)
        scale = digits_after_point(value)
        return cls(scaled(value, scale), scale)

    def at(self, scale: int) -> int:
        """The digits at a scale that is no coarser."""
        digits: int = self.digits * 10 ** (scale - self.scale)
        return digits

    def times(self, other: Number) -> Number:
        """The product, in full scale."""
        return Number(self.digits * other.digits, self.scale + other.scale)

    def equals(self, other: Number) -> bool:
        """Whether both are the same amount, however many zeros they have."""
        scale = max(self.scale, other.scale)
        return self.at(scale) == other.at(scale)


def plain(digits: int, scale: int) -> str:
    """``digits`` x 10**-scale as text: no exponent, no zeros at the end."""
    if scale == 0:
        return str(digits)
    sign = "-" if digits < 0 else ""
    text = str(abs(digits)).rjust(scale + 1, "0")
    whole, rest = text[:-scale], text[-scale:].rstrip("0")
    return f"{sign}{whole}.{rest}" if rest else (f"{sign}{whole}" if digits else "0")


def over_lines(rows: Sequence[int], lines: Sequence[int]) -> Iterator[list[int]]:
    """For each line its part of every row: a line's parts sum to the line, a row's parts to the row.

    Both margins are kept, which no division of one of them alone would do: the table's cumulated
    corners ``R x L / T``, rounded down, are differenced. A cell is less than two quanta off its exact
    share, and any part of the table is. Of one line or one row nothing is rounded. Where everything
    sums to zero there is no share: then the first row takes the lines and the last line evens out.
    Raises Broken where rows and lines do not sum to the same.
    """
    total = sum(rows)
    if total != sum(lines):
        raise Broken(f"rows sum to {total} quanta, the lines that they are of to {sum(lines)}")
    if len(lines) == 1:
        yield list(rows)
        return
    if total == 0 and (any(rows) or any(lines)):
        for line in lines[:-1]:
            yield [line, *([0] * (len(rows) - 1))]
        yield [rows[0] - sum(lines[:-1]), *rows[1:]]
        return
    corners = list(accumulate(rows))
    reached = 0
    before = [0] * len(rows)
    for line in lines:
        reached += line
        now = [corner * reached // total for corner in corners] if total else before
        column = [new - old for new, old in zip(now, before, strict=True)]
        yield [here - left for here, left in zip(column, [0, *column[:-1]], strict=True)]
        before = now


def by_weights(amount: int, weights: Sequence[int]) -> list[int]:
    """``amount`` by weights, largest remainder, ties to the earlier. Sums to ``amount`` exactly.

    Weights of both signs (a node that was over-allocated has negative idle) give parts of both signs;
    where they cancel out, their absolute values weigh. They are not all zero.
    """
    if min(weights) < 0:
        total = sum(weights)
        if total == 0:
            weights = [abs(weight) for weight in weights]
        else:
            return _signed(amount, weights, total)
    parts = largest_remainder(amount, dict(enumerate(weights)))
    return list(parts.values())


def _signed(amount: int, weights: Sequence[int], total: int) -> list[int]:
    if total < 0:
        weights, total = [-weight for weight in weights], -total
    parts = [amount * weight // total for weight in weights]
    left = amount - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda at: (-(amount * weights[at] % total), at))
    for at in by_remainder[:left]:
        parts[at] += 1
    return parts


def ratios(weights: Sequence[int]) -> list[int] | None:
    """AllocatedRatio of each, in 1e-12, summing to 1; None where weights of both signs make a share
    below 0 or above 1, which the column may not hold."""
    if min(weights) < 0 < max(weights):
        return None
    return by_weights(10**RATIO_SCALE, [abs(weight) for weight in weights])
