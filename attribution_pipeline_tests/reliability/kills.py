"""Writers that are killed at random times, and what came of it.

Belongs here: starting, killing, checking, rerunning, counting. Does not: what is true afterwards
(``inspection``), named crash points (``crash_points``).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from attribution_pipeline_tests.reliability import aftermath, inspection, synthetic, writers
from attribution_pipeline_tests.reliability.journal import DONE, Journal, Line
from attribution_pipeline_tests.reliability.tally import Tally

DAYS = 3
KILLS_PER_LAKE = 25
"""Then a new folder: first commits are killed too, and logs stay short."""
TASKS_OF_A_LIFE = 6
"""A writer lives up to as long as so many tasks take, on the machine as it is at that time."""
SHORTEST_LONG_LIFE_S = 0.25
PATIENCE_S = 60.0


@dataclass
class KillTally(Tally):
    """What a series of kills came to."""

    kills: int = 0
    inside: Counter[str] = field(default_factory=Counter)
    """Kills that hit inside a task, by task."""
    acknowledged: Counter[str] = field(default_factory=Counter)
    unacknowledged: int = 0
    """States that stood although their writer was killed before it was told."""
    reads: int = 0
    states_read: int = 0


def kill_at_random(folder: Path, kills: int, seed: int) -> KillTally:
    """Kill ``kills`` writers at random times while a reader reads; after each, check and rerun."""
    dice = random.Random(seed)
    tally = KillTally()
    lakes = 0
    while tally.kills < kills and not tally.violations:
        lakes += 1
        home = folder / f"lake-{lakes}"
        _one_lake(home, min(KILLS_PER_LAKE, kills - tally.kills), dice, tally)
        if not tally.violations:
            shutil.rmtree(home)
    return tally


def _one_lake(home: Path, kills: int, dice: random.Random, tally: KillTally) -> None:
    storage, journal, stop = home / "storage", Journal(home / "journal"), home / "stop"
    storage.mkdir(parents=True)
    answers, report = writers.PROCESSES.Pipe(duplex=False)
    reader = writers.PROCESSES.Process(
        target=writers.read_states, args=(storage, journal.path, DAYS, stop, report)
    )
    reader.start()
    report.close()
    try:
        for _ in range(kills):
            _one_kill(storage, journal, dice.uniform(0, _long_life(journal)), tally)
            if tally.violations:
                break
    finally:
        stop.touch()
        reads, states, trouble = answers.recv() if answers.poll(PATIENCE_S) else (0, 0, "hung")
        reader.join()
    tally.reads += reads
    tally.states_read += states
    tally.acknowledged.update(line.task for line in journal.lines() if line.moment == DONE)
    if trouble:
        tally.violations.append(f"the reader: {trouble}")


def _long_life(journal: Journal) -> float:
    lately = journal.seconds()[-TASKS_OF_A_LIFE:]
    return max(SHORTEST_LONG_LIFE_S, sum(lately))


def _one_kill(storage: Path, journal: Journal, life_s: float, tally: KillTally) -> None:
    before = len(journal.lines())
    writer = writers.PROCESSES.Process(
        target=writers.write_states, args=(storage, journal.path, DAYS)
    )
    writer.start()
    _wait_for_its_first_word(journal, before, writer)
    time.sleep(life_s)
    if writer.pid is None or not writer.is_alive():
        raise AssertionError("the writer ended by itself: see its trace above")
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    tally.kills += 1
    pending = journal.pending()
    tally.violations += aftermath.of_a_kill(storage, journal)
    if pending is None:
        return
    tally.inside[pending.task] += 1
    if pending.task == "record":
        tally.unacknowledged += aftermath.step_at(storage, pending.day) == pending.step
    rerun_pending(storage, journal)
    tally.violations += aftermath.of_a_kill(storage, journal)
    tally.violations += inspection.whole(storage)


def rerun_pending(storage: Path, journal: Journal) -> None:
    """Do the task again that a killed writer left undone, and say so."""
    pending = journal.pending()
    if pending is not None:
        answer = synthetic.perform(storage, *pending.key)
        journal.say(Line(DONE, *pending.key, answer=answer))


def _wait_for_its_first_word(journal: Journal, before: int, writer) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + PATIENCE_S
    while len(journal.lines()) == before:
        if time.monotonic() > until or not writer.is_alive():
            raise AssertionError("the writer never began")
        time.sleep(0.001)
