"""A schedule that goes wrong, made as small as it still goes wrong.

Belongs here: dropping deliveries, days, steps and interruptions. Does not: telling what is wrong
(``judge``).

What is left out changes what the books should say, so a part of a schedule is compared with its own
end: the files that it leaves, landed at once in a clean place, each day recorded once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

from attribution_pipeline.simulator.month import Month, Schedule
from attribution_pipeline_tests.schedules.books import recorded_at_once
from attribution_pipeline_tests.schedules.judge import judge
from attribution_pipeline_tests.schedules.play import play


def wrong_of(
    month: Month, schedule: Schedule, books: tuple[date, ...], *, interrupted: bool
) -> list[str]:
    """What is wrong with this part of a schedule, against its own end."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            played = play(
                month, schedule, Path(folder) / "late", interrupted=interrupted, books=books
            )
            files = played.place.files()
            at_once = recorded_at_once(files, books, Path(folder) / "at-once", played.place.now)
            return judge(at_once, played, schedule)[0]
        except Exception as error:  # noqa: BLE001 - a defect is what is looked for
            return [f"{type(error).__name__}: {error}"]


def shrunk(
    month: Month, schedule: Schedule, tell: Callable[[str], None] = print
) -> tuple[Schedule, tuple[date, ...], list[str]]:
    """A smallest schedule, the day that it is about, and what is wrong with it."""
    interrupted = not wrong_of(month, schedule, month.books, interrupted=False)
    tell(f"goes wrong {'only when interrupted' if interrupted else 'uninterrupted'}")

    def wrong(part: Schedule, books: tuple[date, ...]) -> bool:
        return bool(wrong_of(month, part, books, interrupted=interrupted))

    books = next(((day,) for day in month.books if wrong(schedule, (day,))), month.books)
    tell(f"about {', '.join(map(str, books))}")
    part = schedule
    size = max(1, len(part.deliveries) // 2)
    while size:
        names = [delivery.name for delivery in part.deliveries]
        for first in range(0, len(names), size):
            less = part.without(set(names[first : first + size]))
            if less.deliveries and wrong(less, books):
                part = less
        tell(f"{len(part.deliveries)} deliveries are left")
        size = size // 2 if size > 1 else 0
    part = _fewer_steps(part, lambda less: wrong(less, books))
    return part, books, wrong_of(month, part, books, interrupted=interrupted)


def _fewer_steps(schedule: Schedule, wrong: Callable[[Schedule], bool]) -> Schedule:
    """Without restarts, and with steps put together with the one that follows."""
    calm = replace(schedule, steps=tuple(replace(s, restart=False) for s in schedule.steps))
    part = calm if wrong(calm) else schedule
    number = 0
    while number < len(part.steps) - 1:
        a, b = part.steps[number : number + 2]
        joined = replace(b, deliveries=(*a.deliveries, *b.deliveries))
        less = replace(part, steps=(*part.steps[:number], joined, *part.steps[number + 2 :]))
        if wrong(less):
            part = less
        else:
            number += 1
    return part


def told(schedule: Schedule) -> list[str]:
    """A schedule in lines."""
    return [
        f"{step.at:%m-%d %H:%M} {'restart, ' if step.restart else ''}"
        f"{', '.join(delivery.name for delivery in step.deliveries) or 'nothing'}"
        for step in schedule.steps
    ]
