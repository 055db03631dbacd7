"""Run B: a schedule against the real pipeline, step by step, with restarts and interruptions.

Belongs here: that, and what happened on the way. Does not: what must be true of it (``judge``).
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from attribution_pipeline.orchestration.house import House
from attribution_pipeline.simulator.month import Month, Schedule
from attribution_pipeline.simulator.month.final import deployment_files
from attribution_pipeline_tests.schedules.deployment import Place, land_all, record_what_is_due
from attribution_pipeline_tests.schedules.interruptions import Interruption


@dataclass
class Played:
    """A schedule that was played to its end."""

    place: Place
    house: House
    deliveries: Counter[str] = field(default_factory=Counter)
    """By kind."""
    interruptions: list[str] = field(default_factory=list)
    """Each as it happened."""
    restarts: int = 0


def play(
    month: Month, schedule: Schedule, folder: Path, *, interrupted: bool = True,
    books: tuple[date, ...] | None = None,
) -> Played:  # fmt: skip
    """Deliver, land, record; again and again. ``interrupted``: with crashes and faults. ``books``:
    the days to keep, else the month's."""
    kept = month.books if books is None else books
    place = Place(folder, deployment_files(month, schedule.closed_period), schedule.steps[0].at)
    dice = random.Random(f"{month.seed}:{schedule.seed}:interruptions")
    house = place.open()
    played = Played(place, house)
    for step in schedule.steps:
        place.now = step.at
        for delivery in step.deliveries:
            place.write(delivery.writes)
            played.deliveries[delivery.kind] += 1
        interruption = Interruption(dice)
        if interrupted and interruption.kind:
            with interruption():
                _work(place.open(interruption.store(place.folder / "lake")), kept)
            if interruption.happened:
                played.interruptions.append(interruption.happened)
        policy_came = any(delivery.kind == "policy" for delivery in step.deliveries)
        if step.restart or policy_came or interruption.kind:
            house = place.open()  # policies are read once by a process
            played.restarts += 1
        _work(house, kept)
    # what was waiting for its time, or for nothing
    played.house = place.open()
    record_what_is_due(played.house, kept, all_stale=True)
    return played


def _work(house: House, kept: tuple[date, ...]) -> None:
    land_all(house)
    record_what_is_due(house, kept)
