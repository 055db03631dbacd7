"""Schedules by number: one number says everything, and the same number plays the same.

Belongs here: which month, order and policy a number has; playing and judging one. Does not: playing
many (``run``).
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from attribution_pipeline.simulator.month import Month, Schedule, month, schedule
from attribution_pipeline.simulator.month.happenings import DAYS
from attribution_pipeline.simulator.month.steps import ORDERS
from attribution_pipeline_tests.schedules.books import Day
from attribution_pipeline_tests.schedules.judge import Facts, judge
from attribution_pipeline_tests.schedules.play import play

PER_MONTH = 5
"""Schedules of one month in a row: they share its on-time books."""
WHOLE_MONTH_EVERY = 20
"""Of so many months one has the books of all its days kept."""
CLOSED_PERIODS = ("restate", "hold")


@dataclass
class Verdict:
    """One schedule, played and judged."""

    number: int
    what: str
    """Month, order, what the policy does in a closed period."""
    wrong: list[str]
    facts: Facts
    cpu_s: float
    interruptions: list[str] = field(default_factory=list)

    def line(self) -> str:
        """For the console."""
        facts = self.facts
        return (
            f"schedule {self.number:4d}  {self.what}: "
            f"{facts['states']} states, {sum_of(facts, 'cause ')} revised rows, "
            f"{facts['variances']} variances, {facts['held rows']} held, {facts['interruptions']} interruptions, "
            f"{self.cpu_s:.0f} s cpu: {'as on time' if not self.wrong else 'WRONG'}"
        )


def sum_of(facts: Counter[str], prefix: str) -> int:
    """Everything counted under a prefix."""
    return sum(count for name, count in facts.items() if name.startswith(prefix))


def month_of(number: int) -> Month:
    """The month that a schedule plays."""
    seed = number // PER_MONTH
    whole = seed % WHOLE_MONTH_EVERY == WHOLE_MONTH_EVERY - 1
    return month(seed, books=DAYS) if whole else month(seed)


def schedule_of(number: int, known: Month) -> Schedule:
    """The schedule of a number. Neighbours differ in both order and policy."""
    return schedule(
        known,
        number,
        order=ORDERS[number // len(CLOSED_PERIODS) % len(ORDERS)],
        closed_period=CLOSED_PERIODS[number % len(CLOSED_PERIODS)],
    )


def played(number: int, known: Month, on_time: Mapping[date, Day], folder: Path) -> Verdict:
    """Play it and judge it. A defect that raises is a verdict, too."""
    chosen = schedule_of(number, known)
    what = f"month {known.seed}, {len(known.books)} days, {chosen.order}, {chosen.closed_period}"
    before = time.process_time()
    try:
        result = play(known, chosen, folder)
        wrong, facts = judge(on_time, result, chosen)
        stopped = result.interruptions
    except Exception:  # noqa: BLE001 - the seed must be told, whatever went wrong
        wrong, facts, stopped = [traceback.format_exc()], Facts(), []
    return Verdict(number, what, wrong, facts, time.process_time() - before, stopped)
