"""A process that reads objects for a landing run, one after another, each into a file of batches.

Belongs here: the worker's loop, what it tells, the form of its files. Does not: who gets which object
(``landing_workers``), what is landed of it (``landing_run``).

A file of batches, not a pipe: a worker never waits for the run, whose order is that of the listing,
and memory holds one batch on either side, however large the object is.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.isolation import BOUNDED
from attribution_pipeline.sources.landing_run import (
    UNREADABLE_CONTENT,
    Reader,
    Refused,
    read_batches,
    refusal_of,
)
from attribution_pipeline.sources.objects import SourceObject, StillChanging, open_object

READY = "ready"

DATA_BYTES_MAX = 3 << 30
"""Memory of a process that reads apart, where it is bounded: a row group of the largest bills is some
hundred megabytes. Half of what a landing pod has (``orchestration.pods``), so that the object is refused
by its name; at the pod's own limit the kernel would end the run, and the next one, without a word."""
CPU_SECONDS_MAX = 3_600
"""For all that it reads; the next object has a new process."""

OUT_OF_MEMORY = "parser_memory"
"""Reason of an object that needed more than that."""


@dataclass(frozen=True)
class Job:
    """One object to read."""

    reader: Reader
    obj: SourceObject
    kind: str
    """Of its source."""
    file: Path
    """Where its batches go."""


@dataclass
class Told:
    """What became of it."""

    object_id: str = ""
    refused: Refused | None = None
    left: tuple[str, str] | None = None
    """Reason and detail of an object that waits for the next run."""
    failed: str = ""
    """The trace of an error that is ours."""
    file: Path = field(default_factory=Path)


def batches_in(file: Path) -> Iterator[Batch]:
    """The batches that a worker wrote, one at a time."""
    with file.open("rb") as stream:
        while True:
            try:
                table, rows, rejected, moved = pickle.load(stream)
            except EOFError:
                return
            with pa.ipc.open_stream(rows) as reader:
                yield Batch(table, reader.read_all(), rejected, moved)


def _read(job: Job) -> Told:
    told = Told(file=job.file)
    try:
        with open_object(job.obj) as opened, job.file.open("wb") as stream:
            told.object_id = opened.object_id
            try:
                for batch in read_batches(job.reader, opened, job.obj, job.kind):
                    _write(batch, stream)
            except MemoryError:
                told.refused = Refused(
                    OUT_OF_MEMORY, f"{job.obj.uri}: needs more memory than a parser may have"
                )
            except UNREADABLE_CONTENT as error:
                told.refused = refusal_of(error, job.obj)
    except StillChanging:
        told.left = "still_changing", "changed while it was read"
    except OSError as error:
        told.left = "out_of_reach", str(error.strerror)
    return told


def _write(batch: Batch, stream: BinaryIO) -> None:
    # a slice that is pickled takes all of its table along; a stream of it does not
    rows = pa.BufferOutputStream()
    with pa.ipc.new_stream(rows, batch.rows.schema) as writer:
        writer.write_table(batch.rows)
    whole = (
        batch.table,
        rows.getvalue().to_pybytes(),
        batch.rejected,
        Decimal(batch.rounding_moved),
    )
    pickle.dump(whole, stream, pickle.HIGHEST_PROTOCOL)


def _bound_itself() -> None:
    """Limits that the process cannot lift again."""
    import resource

    for limit, most in (
        (resource.RLIMIT_DATA, DATA_BYTES_MAX),
        (resource.RLIMIT_CPU, CPU_SECONDS_MAX),
        (resource.RLIMIT_CORE, 0),  # a core would be a copy of evidence that nobody looks after
    ):
        hard = resource.getrlimit(limit)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))


def main() -> None:
    """Jobs from stdin until it ends, what became of each to stdout; prints go to stderr."""
    if BOUNDED in sys.argv[1:]:
        _bound_itself()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run is told, and stops its workers
    jobs = sys.stdin.buffer
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        _answer(answers, READY)
        while True:
            try:
                job: Job = pickle.load(jobs)
            except EOFError:
                return
            try:
                told = _read(job)
            except Exception:  # noqa: BLE001 - told to the run, which raises it
                told = Told(failed=traceback.format_exc())
            _answer(answers, told)


def _answer(answers: BinaryIO, told: object) -> None:
    pickle.dump(told, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


if __name__ == "__main__":
    # under its own name, so that what is pickled here is known there
    from attribution_pipeline.sources.landing_worker import main as run

    run()
