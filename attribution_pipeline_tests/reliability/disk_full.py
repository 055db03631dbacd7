"""A real file system that is full: a tmpfs of a given size, and the real day on it.

Belongs here: mounting, filling, growing. Does not: injected faults (``faults``).
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.reliability import inspection, real_day
from attribution_pipeline_tests.reliability.inspection import Standing
from attribution_pipeline_tests.reliability.tally import Tally

ENOUGH_KB = 64 << 10
LAKE = "lake"


@dataclass
class DiskTally(Tally):
    """What days on small disks came to."""

    refused: int = 0
    """Days that did not fit: the caller was told that there is no space."""
    fitted: int = 0


def can_mount() -> bool:
    return (
        os.geteuid() == 0 and subprocess.run(["mountpoint", "-q", "/"], check=False).returncode == 0
    )


@contextlib.contextmanager
def disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """A tmpfs over ``folder``. Raises CalledProcessError where the machine does not allow it."""
    folder.mkdir(parents=True, exist_ok=True)
    size = f"size={kilobytes}k"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield
    finally:
        # lazily: an error that is still held may hold an open file
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


def grow(folder: Path) -> None:
    """As somebody who made room."""
    command = ["mount", "-o", f"remount,size={ENOUGH_KB}k", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def record_on(folder: Path, kilobytes: int, golden: Standing, tally: DiskTally) -> None:
    """Land and record the real day on a disk of this size; check; make room; run again; check."""
    real_day.make(folder)
    storage = folder / LAKE
    with disk(storage, kilobytes):
        error = None
        try:
            real_day.perform(folder, "first")
        except (Refusal, OSError) as caught:
            error = caught
        found = inspection.standing(storage)
        wrong = list(inspection.old_or_new(found, Standing({}, {}), golden))
        wrong += inspection.verifies(storage)
        if error is None:
            tally.fitted += 1
            wrong += found.differs(golden)
        else:
            tally.refused += 1
            wrong += _is_about_space(error)
        grow(storage)
        real_day.perform(folder, "first")
        wrong += inspection.standing(storage).differs(golden)
        wrong += inspection.whole(storage)
    tally.violations += [f"on {kilobytes} kB: {text}" for text in wrong]


def _is_about_space(error: Exception) -> Iterator[str]:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return
    if "no space left" not in str(error).lower():
        yield f"{type(error).__name__} says nothing of space: {error}"
