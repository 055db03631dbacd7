"""The n-th call to storage goes wrong, for every n, and what came of it.

Belongs here: sweeping over calls and kinds, what must hold after each. Does not: how a fault is made
(``faulty_store``), the day (``real_day``).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from attribution_pipeline.lake.folder_store import FolderStore
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.reliability import inspection, real_day
from attribution_pipeline_tests.reliability.faulty_store import FaultyStore, applies
from attribution_pipeline_tests.reliability.inspection import Standing
from attribution_pipeline_tests.reliability.tally import Tally

CAN_LAST = ("error", "no_space", "timeout_before")
"""Kinds that may stay for ever. (A timeout after every call is a store that works.)"""

LAKE = "lake"
"""The deployment file's ``storage``."""


@dataclass
class FaultTally(Tally):
    """What a sweep came to."""

    faults: Counter[str] = field(default_factory=Counter)
    """Injected, by kind."""
    met: Counter[str] = field(default_factory=Counter)
    """Injected, by the method that failed."""
    lasting: int = 0
    """Of them, faults that stayed until the run ended."""
    refused: int = 0
    """Faults that reached the caller, as one line."""
    survived: int = 0
    """Faults after which the run went on and ended as if nothing had been."""
    left_old: int = 0
    left_new: int = 0


class Sweep:
    """One act of the real day, prepared once, then run with a fault at one call after another."""

    def __init__(self, folder: Path, act: str) -> None:
        self.folder = folder
        self.act = act
        self.base = real_day.make(folder / f"{act}-base")
        for earlier in real_day.ACTS:
            real_day.deliver(self.base, earlier)
            if earlier == act:
                break
            real_day.perform(self.base, earlier)
        self.old = inspection.standing(self.base / LAKE)
        self.methods, self.new = self._without_trouble()

    def _without_trouble(self) -> tuple[list[str], Standing]:
        home = shutil.copytree(self.base, self.folder / f"{self.act}-golden")
        store = FaultyStore(FolderStore(home / LAKE))
        real_day.perform(home, self.act, store)
        assert not list(inspection.whole(home / LAKE))
        return store.sequence, inspection.standing(home / LAKE)

    def places(self, kind: str) -> list[int]:
        """The calls that a fault of this kind can befall."""
        return [n for n, name in enumerate(self.methods, start=1) if applies(kind, name)]

    def run(self, kind: str, nth: int, tally: FaultTally, *, for_ever: bool = False) -> None:
        """Fail at the n-th call; check; run again without trouble; check."""
        home = shutil.copytree(self.base, self.folder / f"{self.act}-{kind}-{nth}")
        store = FaultyStore(FolderStore(home / LAKE), kind, nth, for_ever=for_ever)
        found = list(self._one(home, store, tally))
        store.close()
        label = f"{self.act}, {kind} {'from' if for_ever else 'at'} call {nth} ({store.hit})"
        tally.violations += [f"{label}: {text}" for text in found]
        if not found:
            shutil.rmtree(home)

    def _one(self, home: Path, store: FaultyStore, tally: FaultTally) -> Iterator[str]:
        error = None
        try:
            real_day.perform(home, self.act, store)
        except Exception as caught:  # noqa: BLE001 - which errors there are is what is asked
            error = caught
        if not store.hit:
            yield f"the fault was never met in {store.calls} calls"
            return
        tally.faults[store.kind] += 1
        tally.met[store.hit] += 1
        tally.lasting += store.for_ever
        storage = home / LAKE
        found = inspection.standing(storage)
        tally.left_old += found == self.old
        tally.left_new += found == self.new
        yield from inspection.old_or_new(found, self.old, self.new)
        yield from inspection.verifies(storage)
        if error is None:
            tally.survived += 1
            yield from (f"wrong success: {text}" for text in found.differs(self.new))
        else:
            tally.refused += 1
            yield from _unclear(error)
        real_day.perform(home, self.act)
        yield from (
            f"after a rerun: {text}" for text in inspection.standing(storage).differs(self.new)
        )
        yield from (f"after a rerun: {text}" for text in inspection.whole(storage))


def _unclear(error: Exception) -> Iterator[str]:
    """What reaches a person is one line that says what and where."""
    if isinstance(error, Refusal):
        line = error.line()
    elif isinstance(error, OSError):
        line = str(error)
        if not error.filename:
            yield f"an {type(error).__name__} that names nothing: {line}"
    else:
        yield f"a {type(error).__name__} reached the caller: {error}"
        return
    if not line or "\n" in line:
        yield f"not one line: {line!r}"
