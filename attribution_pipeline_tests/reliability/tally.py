"""Counts of a series of trials that can be added up, so that trials can run in several processes.

Belongs here: adding. Does not: what is counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

T = TypeVar("T", bound="Tally")


@dataclass
class Tally:
    """``violations``: one line each; empty is the proof."""

    violations: list[str] = field(default_factory=list)

    def add(self: T, other: T) -> T:
        """Counts and violations of both; keyed figures that are no counts are of either."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            setattr(self, one.name, _sum(mine, theirs))
        return self


def _sum(mine: Any, theirs: Any) -> Any:
    if isinstance(mine, Counter):
        return mine + theirs
    if isinstance(mine, dict):
        return {**mine, **theirs}
    return mine + theirs
