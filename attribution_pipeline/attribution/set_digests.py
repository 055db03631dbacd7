"""Digests of sets of rows, as text: what they are made of, added and taken away.

Belongs here: the arithmetic. Does not: which rows, or how a row is hashed (``engine``, ``parts``).
"""

from __future__ import annotations

from collections.abc import Iterable

LANES, LANE_DIGITS = 4, 16
"""A set digest: sha256 in four lanes of 64 bit, as hex digits."""


def add_digests(*digests: str) -> str:
    """The set digest of the union of disjoint sets of rows, from theirs."""
    return lanes_text(sum(lanes) for lanes in zip(*map(_lanes, digests), strict=True))


def less_digest(whole: str, part: str) -> str:
    """The set digest of what is left of ``whole`` without ``part``, which is in it."""
    return lanes_text(a - b for a, b in zip(_lanes(whole), _lanes(part), strict=True))


def _lanes(digest: str) -> list[int]:
    return [int(digest[at : at + LANE_DIGITS], 16) for at in range(0, len(digest), LANE_DIGITS)]


def lanes_text(sums: Iterable[int]) -> str:
    """Sums of lanes as a set digest."""
    return "".join(f"{total % 2**64:0{LANE_DIGITS}x}" for total in sums)
