"""Days of a range in processes beside each other: no day waits for what another day's run computes.

Belongs here: processes, which day goes into which, and what is left when one ends. Does not: a day's run
(``run_session``), the range (``run``).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.run_report import DayOutcome

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

    from attribution_pipeline.orchestration.run_session import RunSession

ENDED = (
    "the process that computed it ended before it did, as when the machine has no memory left: run it again "
    "with a smaller --days-at-once, or lower compute.memory_limit"
)


LAST = -100
"""Of what is done at a process's end."""


def started(at_once: int) -> ProcessPoolExecutor:
    """Processes for ``beside_each_other``, which import what a day needs: best while evidence is landed."""
    processes = _processes(at_once)
    for _ in range(at_once):
        processes.submit(_get_ready)
    return processes


def beside_each_other(
    processes: ProcessPoolExecutor, path: Path, days: Sequence[date], force: bool, at_once: int
) -> Iterator[DayOutcome]:
    """Outcomes in the order of the days, each as soon as those before it are there.

    Where a process ends, the days that were in work are computed again, each alone; one whose process
    ends then too is a failed day. Nothing is queued: who stops waiting stops what is not begun.
    """
    from concurrent.futures import FIRST_COMPLETED, wait
    from concurrent.futures.process import BrokenProcessPool

    waiting, alone = deque(days), deque[date]()
    flying: dict[Future[DayOutcome], date] = {}
    done: dict[date, DayOutcome] = {}
    with contextlib.ExitStack() as open_now:
        open_now.enter_context(processes)

        def others() -> ProcessPoolExecutor:
            open_now.close()
            return open_now.enter_context(_processes(at_once))

        for day in days:
            while day not in done:
                source, limit = (alone, 1) if alone else (waiting, at_once)
                while source and len(flying) < limit:
                    one = source.popleft()
                    try:
                        future = processes.submit(_make, str(path), force, one)
                    except BrokenProcessPool:  # one was ended before it had a day
                        processes = others()
                        future = processes.submit(_make, str(path), force, one)
                    flying[future] = one
                was_alone = len(flying) == 1
                broken: list[date] = []
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    one = flying.pop(future)
                    try:
                        done[one] = future.result()
                    except BrokenProcessPool:
                        broken.append(one)
                if broken:
                    broken += flying.values()
                    flying.clear()
                    processes = others()
                    if was_alone:
                        done[broken[0]] = DayOutcome(broken[0], "failed", error=ENDED)
                    else:
                        alone.extend(sorted(broken))
            yield done.pop(day)


def _processes(at_once: int) -> ProcessPoolExecutor:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # a fork would share DuckDB's threads
    return ProcessPoolExecutor(
        at_once, multiprocessing.get_context("spawn"), initializer=_end_with_parent
    )


# -- in a process of a day --------------------------------------------------------------------------

_sessions: list[RunSession] = []
"""Its own, opened with its first day."""
_open_till_it_ends = contextlib.ExitStack()


def _end_with_parent() -> None:
    """Nobody hears of a day whose caller was killed; a commit that this interrupts is whole or not there."""
    import multiprocessing
    from multiprocessing.connection import wait
    from multiprocessing.util import Finalize

    # it ends without taking DuckDB apart, which would tell of that at length on stderr
    Finalize(None, os._exit, args=(0,), exitpriority=LAST)
    parent = multiprocessing.parent_process()
    assert parent is not None  # it was started by one

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _get_ready() -> None:
    """Imports alone: nothing of the deployment is read before evidence has landed."""
    import deltalake  # noqa: F401
    import duckdb  # noqa: F401

    import attribution_pipeline.orchestration.composition
    import attribution_pipeline.orchestration.recording  # noqa: F401


def _make(path: str, force: bool, day: date) -> DayOutcome:
    try:
        if not _sessions:
            _sessions.append(_session(path, force))
        return _sessions[0].make(day)
    except Refusal as refusal:
        return DayOutcome(day, "failed", error=refusal.line(), is_refusal=True)


def _session(path: str, force: bool) -> RunSession:
    from attribution_pipeline.orchestration.instance import headless_instance
    from attribution_pipeline.orchestration.resources import open_house
    from attribution_pipeline.orchestration.run_session import RunSession

    instance = _open_till_it_ends.enter_context(headless_instance())
    return RunSession(open_house(Path(path)), instance, force=force)
