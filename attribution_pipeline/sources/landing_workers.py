"""Objects of a landing run read by several processes, handed back in the order of the listing.

Belongs here: when processes are worth their start, who reads what, a worker that dies. Does not:
reading (``landing_worker``), landing (``landing_run``). What lands is the same with any number of
processes: the run takes objects in the listing's order, in the batches that it would have read.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.sources.objects import SourceObject

if TYPE_CHECKING:
    from attribution_pipeline.sources.landing_run import Reader
    from attribution_pipeline.sources.landing_worker import Told

WORTHWHILE_BYTES = 128 << 20
"""Raw bytes of new objects from which workers are started: they take a second to be ready, in which
this process alone reads some 300 MB of JSON."""

WORTHWHILE_OBJECT_BYTES = 1 << 20
"""Raw bytes of the average object. Of smaller ones the run's own work on each (its record, its table)
is more than reading it, and handing it over doubles that: measured on objects of 120 kB."""

AHEAD = 2
"""Objects that may be read for each process before the run takes them: what lies in files."""

CRASHED = "reader_crashed"
"""Reason of an object whose reader's process died: killed for want of memory, mostly."""

NO_PROCESS = "no_parser_process"
"""Reason of an object that waits because no process could be started to read it."""


def processes_for(objects: Sequence[SourceObject]) -> int:
    """How many processes to read these objects in; 1 is none besides this one."""
    raw = sum(obj.size for obj in objects)
    if raw < max(WORTHWHILE_BYTES, len(objects) * WORTHWHILE_OBJECT_BYTES):
        return 1
    return min(cores(), len(objects))


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_ahead(
    reader: Reader, kind: str, objects: Sequence[SourceObject], processes: int
) -> Iterator[Told | None]:
    """What became of every object, in order; None where no process could be started to read it.

    The file of an object's batches is there until the next one is asked for.
    """
    from attribution_pipeline.sources.isolation import BOUNDED
    from attribution_pipeline.sources.landing_worker import Job

    idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    # bounded: several that read large objects at once would else take all of a machine's memory
    workers = [Worker(BOUNDED) for _ in range(processes)]
    for worker in workers:
        idle.put(worker)

    def read(job: Job) -> Told | None:
        worker = idle.get()
        try:
            return worker.read(job)
        finally:
            idle.put(worker)

    with (
        tempfile.TemporaryDirectory(prefix="attribution-landing-") as folder,
        ThreadPoolExecutor(processes, "landing") as threads,
    ):
        ahead: deque[tuple[Path, Future[Told | None]]] = deque()
        try:
            rest = iter(enumerate(objects))
            while True:
                while len(ahead) < processes * AHEAD and (following := next(rest, None)):
                    number, obj = following
                    file = Path(folder) / str(number)
                    ahead.append((file, threads.submit(read, Job(reader, obj, kind, file))))
                if not ahead:
                    return
                file, told = ahead.popleft()
                yield told.result()
                file.unlink(missing_ok=True)
        finally:
            for _, waiting in ahead:
                waiting.cancel()
            for worker in workers:
                worker.stop()


class Worker:
    """One process, started when there is something to read, and anew after it died."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def read(self, job: object) -> Told | None:
        """What became of the object; None where no process starts.

        Where the process dies that has read others before, a new one reads the object: what the
        others took of its limits is not the object's fault. Where that dies, too, it is.
        """
        from attribution_pipeline.sources.landing_worker import Told

        used = self._process is not None
        told = self._told(job)
        if used and told is not None and told.left and told.left[0] == CRASHED:
            return self._told(job) or Told(left=(NO_PROCESS, "no process could be started again"))
        return told

    def _told(self, job: object) -> Told | None:
        from attribution_pipeline.sources.landing_worker import Told

        process = self._process or self._started()
        if process is None:
            return None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(job, process.stdin, pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
            told = pickle.load(process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            status = process.wait()
            process.stdin.close()
            process.stdout.close()
            self._process = None
            return Told(left=(CRASHED, f"the process that read it died with status {status}"))
        assert isinstance(told, Told)
        return told

    def stop(self) -> None:
        """No object is half read that anybody waits for."""
        self._stopped = True
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _started(self) -> subprocess.Popen[bytes] | None:
        if self._stopped:
            return None
        # the same modules as here, and none from the folder that somebody happens to stand in
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "attribution_pipeline.sources.landing_worker",
             *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            pickle.load(process.stdout)
        except (EOFError, pickle.UnpicklingError):
            process.communicate()
            return None
        self._process = process
        return process
