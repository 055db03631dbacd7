"""Seeded choices, with amounts and names that hurt."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

CENT = 10**10
UNIT = 10**12
HUGE = 10**20
"""Quanta: USD 100 M, beyond what one 64-bit division can take."""


class Dice(random.Random):
    """``random.Random`` with the words that the worlds need."""

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        return items[self.randrange(len(items))]

    def some(self, items: Sequence[T], probability: float) -> list[T]:
        """Each item with this probability, in order."""
        return [item for item in items if self.chance(probability)]

    def maybe(self, value: T, probability: float = 0.5) -> T | None:
        return value if self.chance(probability) else None

    def amount(self, *, huge: bool = True) -> int:
        """Quanta: nothing, one quantum, dust, cents, dollars, fortunes; sometimes owed to us."""
        size = self.random()
        if size < 0.05:
            return 0
        if size < 0.12:
            quanta = 1
        elif size < 0.22:
            quanta = self.randint(2, 40)
        elif size < 0.40:
            quanta = self.randint(1, 5000) * CENT
        elif size < 0.90 or not huge:
            quanta = self.randint(1, 400 * UNIT)
        elif size < 0.96:
            quanta = self.randint(10**15, 9 * 10**18)
        else:
            quanta = self.randint(10**19, HUGE)
        return -quanta if self.chance(0.12) else quanta

    def weight(self, largest: int) -> int:
        """A quantity: sometimes none, often small and equal, sometimes skewed far."""
        size = self.random()
        if size < 0.08:
            return 0
        if size < 0.40:
            return self.randint(1, 5)
        if size < 0.55:
            return largest
        return self.randint(1, largest)
