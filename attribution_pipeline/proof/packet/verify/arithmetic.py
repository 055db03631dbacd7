"""The divisions of the ledger, on plain integers: written a second time, from the design.

Belongs here: the formulas. Does not: which weights a charge gets.

    part = amount x w / D, truncated toward zero

``with_rest`` leaves amount minus all parts to one rest row (kinds ``meter`` and ``node``). ``whole``
(kind ``share``, D = sum of w) hands the leftover quanta out, one each, to the largest remainders by
absolute value. One quantum is 1e-12 of the billing currency.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from .failure import RECOMPUTATION, Failed

DIGITS = 12


def quanta(text: str) -> int:
    """An amount as text with twelve digits after the point, in quanta."""
    whole, point, digits = text.partition(".")
    if point != "." or len(digits) != DIGITS:
        raise Failed(RECOMPUTATION, f"{text!r} is no amount with {DIGITS} digits")
    return int(whole + digits)


def amount(of_quanta: int) -> str:
    """Quanta as text with all twelve digits."""
    sign = "-" if of_quanta < 0 else ""
    whole, rest = divmod(abs(of_quanta), 10**DIGITS)
    return f"{sign}{whole}.{rest:0{DIGITS}d}"


def part(of: int, weight: int, denominator: int) -> int:
    """``of x weight / denominator``, truncated toward zero."""
    size = abs(of) * weight // denominator
    return size if of >= 0 else -size


def whole(of: int, weights: Sequence[int], ties: Sequence[int]) -> list[int]:
    """Parts in the order of ``weights`` that sum to ``of``.

    Of equal remainders the smaller tie comes first. Raises Failed where two that are equal at the
    cut have no order between them.
    """
    denominator = sum(weights)
    parts = [part(of, weight, denominator) for weight in weights]
    left = abs(of - sum(parts))
    remainders = [abs(of) * weight % denominator for weight in weights]
    ranked = sorted(range(len(weights)), key=lambda n: (-remainders[n], ties[n]))
    if 0 < left < len(ranked):
        last, next_one = ranked[left - 1], ranked[left]
        if (remainders[last], ties[last]) == (remainders[next_one], ties[next_one]):
            raise Failed(RECOMPUTATION, "two parts are equal at the cut and nothing orders them")
    for n in ranked[:left]:
        parts[n] += 1 if of >= 0 else -1
    return parts


def adjusted(quantity: int, counted: int, of_sampled: int) -> int:
    """A quantity of a sampled call for all that it stands for, rounded half up."""
    if counted == of_sampled:
        return quantity
    return (quantity * counted * 2 + of_sampled) // (of_sampled * 2)


def rounded(value: Fraction) -> int:
    """To a whole number, half to even."""
    return round(value)
