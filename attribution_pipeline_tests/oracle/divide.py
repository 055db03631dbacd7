"""Two divisions, by their definition on page 10, with Fractions.

Belongs here: nothing but arithmetic. Written apart from ``model.division``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)


def toward_zero(exact: Fraction) -> int:
    """The whole part: 2.9 is 2, -2.9 is -2."""
    return math.trunc(exact)


def half_even(exact: Fraction) -> int:
    """The nearest integer, a tie to the even one. ``round`` of a Fraction does exactly that."""
    return round(exact)


def open_parts(amount: int, weights: Mapping[K, int], denominator: int) -> tuple[dict[K, int], int]:
    """Kinds ``meter`` and ``node``: every part truncated, and the rest that nobody's part took."""
    parts = {key: toward_zero(Fraction(amount * w, denominator)) for key, w in weights.items()}
    return parts, amount - sum(parts.values())


def share(
    amount: int, weights: Mapping[K, Any], before: Callable[[K], Any] = lambda key: key
) -> dict[K, int]:
    """Kind ``share``: the leftover quanta go one each to the largest remainders.

    ``before`` orders keys whose remainders are equal: the smaller one first. Weights may be any
    exact numbers: a share does not depend on their unit.
    """
    total = sum(Fraction(w) for w in weights.values())
    exact = {key: abs(amount) * Fraction(w) / total for key, w in weights.items()}
    parts = {key: math.floor(value) for key, value in exact.items()}
    leftover = abs(amount) - sum(parts.values())
    for key in sorted(sorted(parts, key=before), key=lambda k: parts[k] - exact[k])[:leftover]:
        parts[key] += 1
    return {key: part if amount >= 0 else -part for key, part in parts.items()}


def share_in_order(amount: int, weights: Sequence[int]) -> list[int]:
    """``share`` over a list: ties to the earlier one."""
    parts = share(amount, dict(enumerate(weights)))
    return [parts[position] for position in range(len(weights))]
