"""How an amount becomes parts: the two divisions of the ledger, on plain integers.

Belongs here: the formulas, for small frames and as the definition that the SQL kernel
(``attribution/sql/kernel``) repeats over sets. Does not: which weights a charge gets.

A *slice* is the set of charges that one body of evidence explains. All its charges are divided by
the same weights over the same denominator:

    part = amount x w / D, truncated toward zero

``open_rest`` (kinds ``meter`` and ``node``) leaves amount minus all parts to one rest row.
``largest_remainder`` (kind ``share``, D = sum of w) hands the leftover quanta out, one each, to the
largest remainders by absolute value, ties to the smaller key.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


class NothingToDivideBy(ValueError):
    """D or the sum of weights is zero: the caller keeps the amount in one open row."""


def truncated(amount: int, weight: int, denominator: int) -> int:
    """``amount x weight / denominator`` truncated toward zero, exactly."""
    part = abs(amount) * weight // denominator
    return part if amount >= 0 else -part


def open_rest(amount: int, weights: Mapping[K, int], denominator: int) -> tuple[dict[K, int], int]:
    """Parts by key, and the rest: parts + rest == amount."""
    _require_weights(weights)
    if denominator <= 0 or not any(weights.values()):
        raise NothingToDivideBy
    parts = {key: truncated(amount, w, denominator) for key, w in weights.items()}
    return parts, amount - sum(parts.values())


def largest_remainder(amount: int, weights: Mapping[K, int]) -> dict[K, int]:
    """Parts by key that sum to ``amount``. Keys must be orderable: the smaller one wins a tie."""
    _require_weights(weights)
    denominator = sum(weights.values())
    if denominator == 0:
        raise NothingToDivideBy
    parts = {key: truncated(amount, w, denominator) for key, w in weights.items()}
    left = abs(amount - sum(parts.values()))
    step = 1 if amount >= 0 else -1
    by_remainder = sorted(
        weights, key=lambda key: (-(abs(amount) * weights[key] % denominator), key)
    )
    for key in by_remainder[:left]:
        parts[key] += step
    return parts


def _require_weights(weights: Mapping[K, int]) -> None:
    for key, weight in weights.items():
        if weight < 0:
            raise ValueError(f"weight of {key!r} is {weight}: weights are non-negative integers")
