"""Stories that are played once without trouble and then over and over with it.

Belongs here: a story as a list of steps, each of which may be done again; its golden standings.
Does not: the trouble (``crash_points``, ``faults``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attribution_pipeline.lake import checkpoints
from attribution_pipeline_tests.reliability import inspection, real_day, synthetic
from attribution_pipeline_tests.reliability.inspection import Standing
from attribution_pipeline_tests.reliability.journal import BEGIN, DONE, Journal, Line


@dataclass(frozen=True)
class Scenario:
    """``perform`` does a step, for the first time or again, on a folder that ``prepare`` made."""

    name: str
    steps: Sequence[str]
    prepare: Callable[[Path], Any]
    perform: Callable[[Path, str], Any]
    storage: Callable[[Path], Path]

    def golden(self, folder: Path) -> list[Standing]:
        """What stands after each step of a run without trouble, before the first one too."""
        self.prepare(folder)
        found = [inspection.standing(self.storage(folder))]
        for step in self.steps:
            self.perform(folder, step)
            found.append(inspection.standing(self.storage(folder)))
        return found

    def play(self, folder: Path) -> None:
        """All steps that are not done yet, beginning with the one that was left undone."""
        journal = journal_of(folder)
        done = sum(line.moment == DONE for line in journal.lines())
        for n, step in enumerate(self.steps[done:], start=done):
            journal.say(Line(BEGIN, step, 0, n))
            self.perform(folder, step)
            journal.say(Line(DONE, step, 0, n))


def journal_of(folder: Path) -> Journal:
    return Journal(folder / "journal")


@contextlib.contextmanager
def checkpoints_after(commits: int) -> Iterator[None]:
    """A checkpoint of a log after so many commits: a short story has them, too."""
    usual, checkpoints.EVERY = checkpoints.EVERY, commits
    try:
        yield
    finally:
        checkpoints.EVERY = usual


def _synthetic_step(folder: Path, step: str) -> None:
    task, day, number = step.split()
    with checkpoints_after(2):
        synthetic.perform(folder / "storage", task, int(day), int(number))


# the last step finds its state recorded already
SYNTHETIC = Scenario(
    "synthetic",
    ["land 0 1", "keep 0 1", "record 0 1", "land 0 2", "record 0 2", "record 0 2"],
    prepare=lambda folder: (folder / "storage").mkdir(parents=True),
    perform=_synthetic_step,
    storage=lambda folder: folder / "storage",
)


def _real_step(folder: Path, step: str) -> None:
    real_day.deliver(folder, step)
    real_day.perform(folder, step)


REAL = Scenario(
    "real",
    list(real_day.ACTS),
    prepare=real_day.make,
    perform=_real_step,
    storage=lambda folder: folder / "lake",
)

SCENARIOS = {scenario.name: scenario for scenario in (SYNTHETIC, REAL)}
