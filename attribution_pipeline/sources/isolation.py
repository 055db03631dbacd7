"""Parsers that a file can crash, in a process that may be lost.

Belongs here: which content is read apart, the process that reads it, what its end means. Does not:
reading (``landing_worker``, which is that process), reading many objects at once (``landing_workers``).

Parquet is decoded by a large C++ library out of whatever somebody put into a folder. A file that makes
it run wild, or out of memory, ends a process that has nothing else to do; its object is one rejected
record, and the run goes on. One such process is kept for as long as this one lives.
"""

from __future__ import annotations

import atexit
import io
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from attribution_pipeline.sources.landing_workers import CRASHED, NO_PROCESS, Worker
from attribution_pipeline.sources.parquet_guard import MAGIC

if TYPE_CHECKING:
    from attribution_pipeline.sources.landing_run import Reader
    from attribution_pipeline.sources.landing_worker import Told
    from attribution_pipeline.sources.objects import SourceObject

BOUNDED = "--bounded"
"""Tells ``landing_worker`` to give itself limits before it reads anything."""

_LOCK = threading.Lock()
_worker: Worker | None = None
_pid = 0


def is_read_apart(data: bytes | BinaryIO) -> bool:
    """Whether content is of a format whose parser a file can crash."""
    if isinstance(data, bytes):
        return data.startswith(MAGIC)
    if isinstance(data, io.BufferedReader):
        return data.peek(len(MAGIC)).startswith(MAGIC)
    start = data.tell()
    head = data.read(len(MAGIC))
    data.seek(start)
    return head == MAGIC


@contextmanager
def told_of(reader: Reader, obj: SourceObject, kind: str) -> Iterator[Told]:
    """What became of an object that is read apart. Its file of batches is there inside the block."""
    from attribution_pipeline.sources.landing_worker import Job, Told

    with tempfile.TemporaryDirectory(prefix="attribution-parsing-") as folder:
        file = Path(folder) / "batches"
        with _LOCK:
            told = _own().read(Job(reader, obj, kind, file))
        if told is None:
            told = Told(left=(NO_PROCESS, "no process could be started to read it"))
        yield refused_if_crashed(told)


def refused_if_crashed(told: Told) -> Told:
    """An object that ended its process is not left for the next run: it would crash that one, too."""
    from attribution_pipeline.sources.landing_run import Refused

    if told.left and told.left[0] == CRASHED:
        return replace(told, left=None, refused=Refused(*told.left))
    return told


def _own() -> Worker:
    """This process's worker; a forked child makes its own."""
    global _worker, _pid
    if _worker is None or _pid != os.getpid():
        _worker, _pid = Worker(BOUNDED), os.getpid()
        atexit.register(_stop, _worker, _pid)
    return _worker


def _stop(worker: Worker, pid: int) -> None:
    if pid == os.getpid():
        worker.stop()
