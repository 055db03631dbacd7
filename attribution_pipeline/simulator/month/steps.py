"""The order in which a month's deliveries come, and the steps between which work is done.

Belongs here: order and steps of a seed. Does not: the deliveries (``lateness``), what must be
ordered and why (``deliveries``).
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import pairwise

from attribution_pipeline.simulator.month.deliveries import Delivery, Schedule, Step, ordered
from attribution_pipeline.simulator.month.happenings import Month
from attribution_pipeline.simulator.month.lateness import books_closed, deliveries, midnight

ORDERS = ("forward", "shuffled")
STEPS = (4, 7)
"""Fewest and most parts that deliveries come in."""
RESTART_SHARE = 0.3
SPANS_APART_SHARE = 0.4
"""Parts of which spans come in a step of their own."""
LAST_WORK = timedelta(days=14)
"""When the last step works, counted from the end of the month: everything that closes is settled."""
_EARLY = {"policy": 0.25, "close": 0.4}
"""In a shuffled order books close early as a rule, so that much comes afterwards."""


def schedule(
    month: Month, seed: int, *, order: str | None = None, closed_period: str = "restate"
) -> Schedule:
    """One order in which the month reaches us: the same for the same seed. ``order``: by seed."""
    dice = random.Random(f"{month.seed}:{seed}:schedule")
    chosen = order or dice.choice(ORDERS)
    found = list(deliveries(month, dice, chosen, closed_period))
    if chosen == "forward":
        found = ordered(found, lambda delivery: (delivery.at, delivery.name))
    else:
        luck = {d.name: dice.random() * _EARLY.get(d.kind, 1) for d in found}
        found = ordered(found, lambda delivery: luck[delivery.name])
    return Schedule(seed, chosen, closed_period, _steps(month, found, dice, chosen))


def _steps(
    month: Month, found: list[Delivery], dice: random.Random, order: str
) -> tuple[Step, ...]:
    count = dice.randint(*STEPS)
    early = 1
    if order == "forward":
        # before the first kept day is over there is nothing to do
        over = midnight(month.books[0] + timedelta(days=1))
        early = max(1, sum(delivery.at <= over for delivery in found))
    cuts = {0, len(found), *dice.sample(range(early, len(found)), count - 1)}
    closing = sum(delivery.at <= books_closed(month) for delivery in found)
    if order == "forward":
        # work is done before a policy reaches back, and between the last close and what follows it
        cuts |= {closing, next(n for n, d in enumerate(found) if d.kind == "policy")}
    # out of order, half of the kept days are over from the first step on
    begins = month.books[len(month.books) // 2] if order == "shuffled" else month.days[0]
    first, last = midnight(begins), all_over(month)
    steps, now = [], first
    for number, (begin, end) in enumerate(pairwise(sorted(cuts)), start=1):
        part = tuple(found[begin:end])
        if end == len(found):
            now = last
        elif order == "shuffled":
            now = first + (last - first) * number / count
        elif end == closing:
            now = books_closed(month)
        else:
            now = max(now, *(delivery.at for delivery in part))
        parts = _spans_apart(part) if dice.random() < SPANS_APART_SHARE else (part,)
        steps += [Step(now, one, restart=dice.random() < RESTART_SHARE) for one in parts]
    return tuple(steps)


def _spans_apart(part: tuple[Delivery, ...]) -> tuple[tuple[Delivery, ...], ...]:
    """The same deliveries, spans in a step of their own: nothing else moves days then."""
    late = tuple(delivery for delivery in part if "span" in delivery.kind)
    others = tuple(delivery for delivery in part if delivery not in late)
    return (others, late) if others and late else (part,)


def all_over(month: Month) -> datetime:
    """When the last step works: everything has come, and what is closed is settled."""
    return midnight(month.next_period) + LAST_WORK
