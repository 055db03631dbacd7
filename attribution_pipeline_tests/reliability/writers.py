"""What runs in the processes that are killed, and in those that read meanwhile.

Belongs here: entry points of child processes. Does not: who starts and kills them (``kills``).

Children come from a fork server that has the libraries loaded: a child works after some 10 ms, so
a thousand kills take minutes. Nothing of delta-rs runs in the server itself, whose threads no child
would have.
"""

from __future__ import annotations

import multiprocessing
import time
import traceback
from pathlib import Path
from typing import Any

from attribution_pipeline.lake import Lake
from attribution_pipeline_tests.reliability import synthetic
from attribution_pipeline_tests.reliability.journal import BEGIN, DONE, Journal, Line

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        __name__,
        "pandas",  # Arrow imports it when it is there
        "duckdb",
        "deltalake.transaction",
        "pyarrow.dataset",
        "attribution_pipeline.lake.landed",
        "attribution_pipeline.orchestration.recording",
    ]
)

REST = 2
"""A reader rests so many times as long as it read: the writer needs its share of two cores."""


def write_states(storage: Path, journal_file: Path, days: int) -> None:
    """Record state after state until killed, beginning with what the killed one left undone."""
    journal = Journal(journal_file)
    said = journal.lines()
    pending = journal.pending()
    if pending is not None:
        task = pending.key
    elif said:
        task = synthetic.following(*said[-1].key, days)
    else:
        task = (synthetic.TASKS[0], 0, 1)
    while True:
        journal.say(Line(BEGIN, *task))
        journal.say(Line(DONE, *task, answer=synthetic.perform(storage, *task)))
        task = synthetic.following(*task, days)


def read_states(storage: Path, journal_file: Path, days: int, stop: Path, report: Any) -> None:
    """Read all days all along; every read must be some published state, and never an older one
    than was acknowledged before it, or was seen before."""
    reads, seen = 0, [0] * days
    states: set[tuple[int, int]] = set()
    kept = Lake(storage)
    try:
        while not stop.exists():
            began = time.monotonic()
            lake = kept if reads % 2 else Lake(storage)
            for day, step in _acknowledged(Journal(journal_file), seen):
                seen[day] = step
            found = lake.read("ledger", synthetic.date_of(0), synthetic.date_of(days - 1))
            for day in range(days):
                mine = [
                    row["billed_cost"]
                    for row in found.select(["charge_date", "billed_cost"]).to_pylist()
                    if row["charge_date"] == synthetic.date_of(day)
                ]
                step = synthetic.step_of(day, mine) if mine else 0
                if step < seen[day]:
                    raise AssertionError(f"day {day} was at {seen[day]} and is read at {step}")
                seen[day] = step
                states.add((day, step))
            reads += 1
            time.sleep(REST * (time.monotonic() - began))
    except BaseException:  # noqa: BLE001 - goes to the parent, which fails
        report.send((reads, len(states), traceback.format_exc()))
    else:
        report.send((reads, len(states), ""))


def _acknowledged(journal: Journal, seen: list[int]) -> list[tuple[int, int]]:
    return [(line.day, line.step) for line in journal.done("record") if line.step > seen[line.day]]
