"""Exact Shapley values of products, and rounding that keeps a sum.

Belongs here: arithmetic on fractions and integers. Does not: what the factors mean (``factors``).

The game: a coalition of factors has moved to this period's values, the others still stand at the
against-period's; it is worth the product of all of them. A factor's Shapley value is its marginal
contribution, averaged over all orders in which the factors can move (L. S. Shapley, "A Value for
n-Person Games", 1953). For a product, contributions of coalitions of one size add up to one
coefficient of a polynomial, so 2^n coalitions need not be walked one by one, and nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import factorial, lcm, prod

Moves = Mapping[str, tuple[Fraction, Fraction]]
"""Factor -> its value in the against-period and in this one."""


def shares_of_product(moves: Moves) -> dict[str, Fraction]:
    """What each factor has of ``prod(now) - prod(against)``; the shares sum to it exactly.

    Of factor i, with a and b the values before and after and n the factors that move:
    ``(b_i - a_i) x sum over t of t! (n-1-t)! / n! x [z^t] prod over j <> i of (a_j + b_j z)``.
    A factor that did not move is a constant and has nothing. A factor outside the product is a
    dummy, whose presence changes no other share, so products of different factors may be added up.
    """
    constant = prod(
        (before for before, after in moves.values() if before == after), start=Fraction(1)
    )
    names = [name for name, (before, after) in moves.items() if before != after]
    found = {name: Fraction(0) for name in moves}
    if not names or constant == 0:
        return found
    scales = [lcm(moves[name][0].denominator, moves[name][1].denominator) for name in names]
    pairs = [
        (int(moves[name][0] * scale), int(moves[name][1] * scale))
        for name, scale in zip(names, scales, strict=True)
    ]
    count = len(names)
    weights = [factorial(size) * factorial(count - 1 - size) for size in range(count)]
    whole = factorial(count) * prod(scales)
    for place, name in enumerate(names):
        by_size = _coalitions([pair for n, pair in enumerate(pairs) if n != place])
        before, after = pairs[place]
        total = (after - before) * sum(w * c for w, c in zip(weights, by_size, strict=True))
        found[name] = constant * Fraction(total, whole)
    return found


def _coalitions(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """By size: the products of all coalitions of that size, added up. [z^t] prod (a + b z)."""
    found = [1]
    for before, after in pairs:
        found = [
            before * stays + after * moves
            for stays, moves in zip([*found, 0], [0, *found], strict=True)
        ]
    return found


def apportioned(parts: Sequence[Fraction], total: int) -> list[int]:
    """``parts``, which sum to the whole number ``total``, as whole numbers that sum to it.

    Each is rounded down; what is left goes one each to the largest remainders, ties to the earlier
    part. No part moves by one or more.
    """
    down = [part.numerator // part.denominator for part in parts]
    left = total - sum(down)
    assert 0 <= left <= len(parts), "parts do not sum to their total"
    by_remainder = sorted(range(len(parts)), key=lambda n: (down[n] - parts[n], n))
    for place in by_remainder[:left]:
        down[place] += 1
    return down
