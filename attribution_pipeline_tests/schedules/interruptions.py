"""What stops the pipeline in the middle: a crash at a named point, a fault of the storage.

Belongs here: choosing one, making it happen, telling it from a defect. Does not: real kills of real
processes and every n-th fault of one commit (``reliability``).

A crash here is an exception that nothing in the product catches, raised where a kill would strike:
the same process goes on with a new house, as another process would.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from attribution_pipeline.lake import crash
from attribution_pipeline.lake.folder_store import FolderStore
from attribution_pipeline_tests.reliability.faulty_store import KINDS, FaultyStore

CRASH_SHARE, FAULT_SHARE = 0.2, 0.2
"""Of the steps of a schedule."""
EARLIEST_CALL, LATEST_CALL = 3, 600
"""Crash points passed, or calls to the storage, before it happens. A step makes some hundred."""


class Crashed(BaseException):
    """The process is gone. Not an Exception: nobody may take it for an error and go on."""


class _NthPass:
    """What ``$ATTRIBUTION_CRASH`` is compared with at every point: equal at the n-th of them all."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __eq__(self, other: object) -> bool:
        self.left -= 1
        return self.left == 0

    __hash__ = None  # type: ignore[assignment]


class Interruption:
    """At most one of either kind. ``happened`` says what came of it, "" where nothing did."""

    def __init__(self, dice: random.Random) -> None:
        luck = dice.random()
        # by orders of magnitude: landing is short, recording long
        self.nth = int(math.exp(dice.uniform(math.log(EARLIEST_CALL), math.log(LATEST_CALL))))
        self.kind = ""
        if luck < CRASH_SHARE:
            self.kind = "crash"
        elif luck < CRASH_SHARE + FAULT_SHARE:
            self.kind = dice.choice(KINDS)
        self.happened = ""
        self._faulty: FaultyStore | None = None

    def store(self, root: Any) -> Any:
        """The storage to work on; None: the plain one."""
        if self.kind in KINDS:
            self._faulty = FaultyStore(FolderStore(root), self.kind, self.nth)
        return self._faulty

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Work under it. What it causes ends here; any other error goes on."""
        try:
            with _crashing(self.nth if self.kind == "crash" else 0):
                yield
        except Crashed as crashed:
            self.happened = f"crash at {crashed}"
        except Exception:
            if self._faulty is None or not self._faulty.hit:
                raise
            self.happened = f"{self.kind} in {self._faulty.hit}"
        finally:
            if self._faulty is not None:
                if self._faulty.hit and not self.happened:
                    self.happened = f"{self.kind} in {self._faulty.hit}, got over"
                self._faulty.close()


@contextlib.contextmanager
def _crashing(nth: int) -> Iterator[None]:
    """The ``nth`` crash point that is passed, whichever it is, raises; 0: none does."""
    if not nth:
        yield
        return
    armed = _NthPass(nth)

    def gone(*_: Any) -> None:
        raise Crashed(f"point {nth}")

    real = crash.os
    crash.os = SimpleNamespace(  # type: ignore[assignment]
        environ={crash.VARIABLE: armed}, getpid=os.getpid, kill=gone
    )
    try:
        yield
    finally:
        crash.os = real
