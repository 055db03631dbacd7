"""A schedule: what is delivered when, and what must come before what.

Belongs here: deliveries, their order, steps between which work is done. Does not: what a month's
deliveries are (``lateness``).

What must be ordered, and why nothing else must:

1. The final content of a path comes after every other content of that path: of a path the newest
   content stands. (Spans: nothing is taken back, so a batch may come again at any time.)
2. A corrected OpenCost snapshot under a path of its own comes after the first: of a cluster and
   day the snapshot that landed last stands.
3. A bill that comes in folders of its own has no order: the folder that sorts last stands.
4. A FOCUS correction comes after the close of the period that it corrects: vendors correct an open
   month by sending it again.
5. A policy version comes before the first close of what it governs: one that reaches back over a
   closed period needs ``--force``, which is another story.

A close may come before evidence of its period: what moves afterwards is restated, or held.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

KINDS = (
    "spans", "late_spans", "late_span", "replayed_spans",
    "bill", "restated_bill", "opencost", "corrected_opencost",
    "usage", "late_usage", "corrected_usage", "close", "correction", "policy",
)  # fmt: skip


@dataclass(frozen=True)
class Delivery:
    """Objects that appear in the deployment's folders together."""

    name: str
    """Unique in its schedule; says what and for when."""
    kind: str
    """One of ``KINDS``."""
    at: datetime
    """When it comes in a world that is late, but runs forward."""
    writes: Mapping[str, bytes] = field(repr=False)
    """Path from the deployment's folder -> content. A path that is there gets the new content."""
    after: frozenset[str] = frozenset()
    """Names of deliveries that must have come before."""


@dataclass(frozen=True)
class Step:
    """Deliveries that come in one go, after which the pipeline works at ``at``."""

    at: datetime
    deliveries: tuple[Delivery, ...]
    restart: bool = False
    """The pipeline is stopped before and started anew."""


@dataclass(frozen=True)
class Schedule:
    """One order in which a month reaches us."""

    seed: int
    order: str
    """``forward``: each delivery when it comes, up to 72 h late. ``shuffled``: any order."""
    closed_period: str
    """What the policy does in a closed period: ``restate`` or ``hold``."""
    steps: tuple[Step, ...]

    @property
    def deliveries(self) -> list[Delivery]:
        """All of them, in order."""
        return [delivery for step in self.steps for delivery in step.deliveries]

    def without(self, names: set[str]) -> Schedule:
        """The same schedule where these deliveries never came; steps stay where they were."""
        steps = tuple(
            Step(step.at, tuple(d for d in step.deliveries if d.name not in names), step.restart)
            for step in self.steps
        )
        return Schedule(self.seed, self.order, self.closed_period, steps)


def ordered(deliveries: Sequence[Delivery], priority: Callable[[Delivery], Any]) -> list[Delivery]:
    """By ``priority``, as far as what must come before allows. Priorities are distinct."""
    waiting = {d.name: set(d.after) for d in deliveries}
    unlocks: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        for name in delivery.after:
            unlocks.setdefault(name, []).append(delivery)
    ready = [(priority(d), d.name, d) for d in deliveries if not d.after]
    heapq.heapify(ready)
    found = []
    while ready:
        _, name, delivery = heapq.heappop(ready)
        found.append(delivery)
        for unlocked in unlocks.get(name, ()):
            waiting[unlocked.name].discard(name)
            if not waiting[unlocked.name]:
                heapq.heappush(ready, (priority(unlocked), unlocked.name, unlocked))
    if len(found) != len(deliveries):
        raise ValueError("deliveries wait for each other, or for one that never comes")
    return found
