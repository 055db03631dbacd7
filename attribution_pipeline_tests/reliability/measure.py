"""Trials in portions that run beside each other, and their sum.

Belongs here: which trials a full run and a short one consist of, running portions in processes.
Does not: the trials, the table (``report``).
"""

from __future__ import annotations

import hashlib
import pickle
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attribution_pipeline.lake.shapes import TABLES
from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.reliability import (
    crash_points,
    crowds,
    disk_full,
    faults,
    flips,
    inspection,
    kills,
    real_day,
)
from attribution_pipeline_tests.reliability.crash_points import PointTally
from attribution_pipeline_tests.reliability.faults import FaultTally
from attribution_pipeline_tests.reliability.faulty_store import DELTA, KINDS
from attribution_pipeline_tests.reliability.scenarios import SCENARIOS, checkpoints_after
from attribution_pipeline_tests.reliability.tally import Tally
from attribution_pipeline_tests.reliability.writers import PROCESSES

Portion = tuple[Callable[..., Tally], tuple[Any, ...]]
Tell = Callable[[str], None]
Fault = tuple[str, int, bool]
"""Kind, at which call, whether it lasts."""

KILLS_A_PORTION, POINTS_A_PORTION, FAULTS_A_PORTION, FLIPS_A_PORTION = 25, 15, 20, 250
UNSEALED_SHARE = 10
"""One flip in entries without a seal for so many in all that is sealed."""
SMALL_DISKS_KB = range(8, 400, 4)
"""Too small for the real day, from nothing to all but the last file; the larger ones are enough."""


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    kills: int
    flips: int
    rounds: int
    every_fault: bool
    """Every call with every kind; else every method with every kind once."""
    for_ever_every: int
    """One of so many faults is made to last, too."""
    every_call: bool
    """Every call of every crash point; else one call each."""
    disks: Sequence[int]


FULL = Size(
    kills=1000, flips=10_000, rounds=50, every_fault=True, for_ever_every=7, every_call=True,
    disks=SMALL_DISKS_KB,
)  # fmt: skip
SHORT = Size(
    kills=50, flips=300, rounds=4, every_fault=False, for_ever_every=600, every_call=False,
    disks=SMALL_DISKS_KB[::16],
)  # fmt: skip


# -- portions: each in a process and a folder of its own ------------------------------------------


def kill_portion(folder: Path, count: int, seed: int) -> Tally:
    return kills.kill_at_random(folder, count, seed)


def point_portion(folder: Path, scenario: str, calls: Sequence[tuple[str, int]]) -> PointTally:
    story, tally = SCENARIOS[scenario], PointTally()
    golden = story.golden(folder / "golden")
    for point, nth in calls:
        crash_points.kill_at(story, point, nth, golden, folder / f"{point}-{nth}", tally)
    return tally


def fault_portion(folder: Path, act: str, wanted: Sequence[Fault]) -> FaultTally:
    tally = FaultTally()
    with checkpoints_after(1):
        sweep = faults.Sweep(folder, act)
        for kind, nth, for_ever in wanted:
            sweep.run(kind, nth, tally, for_ever=for_ever)
    return tally


def flip_portion(folder: Path, count: int, seed: int) -> Tally:
    tally = flips.FlipTally()
    flips.flip_at_random(flips.Flipper(recorded_twice(folder)), count, seed, tally)
    return tally


def unsealed_portion(folder: Path, table: str, count: int, seed: int) -> Tally:
    tally = flips.FlipTally()
    flips.flip_unsealed(folder, table, count, seed, tally)
    return tally


def crowd_portion(folder: Path, which: str, writers: int, rounds: int) -> Tally:
    return getattr(crowds, which)(folder, writers, rounds)


def disk_portion(folder: Path, kilobytes: Sequence[int]) -> Tally:
    tally = disk_full.DiskTally()
    real_day.perform(real_day.make(folder / "golden"), "first")
    golden = inspection.standing(folder / "golden" / "lake")
    for size in kilobytes:
        disk_full.record_on(folder / str(size), size, golden, tally)
    return tally


def recorded_twice(folder: Path) -> Path:
    """The storage of the real day after both acts, with checkpoints, each file of its own kind."""
    real_day.make(folder / "day")
    with checkpoints_after(1):
        for act in real_day.ACTS:
            real_day.deliver(folder / "day", act)
            real_day.perform(folder / "day", act)
    return folder / "day" / "lake"


# -- which portions there are -----------------------------------------------------------------------


def kill_portions(size: Size, seed: int) -> Iterator[Portion]:
    for at in range(0, size.kills, KILLS_A_PORTION):
        yield kill_portion, (min(KILLS_A_PORTION, size.kills - at), seed + at)


def point_portions(size: Size, folder: Path) -> Iterator[Portion]:
    """The synthetic story passes what the lake has; the real day also what lies around it."""
    seen: set[str] = set()
    for name, story in SCENARIOS.items():
        passes = crash_points.passes(story, folder / name)
        calls = []
        for at, (point, count) in enumerate(sorted(passes.items())):
            last = count if at % 2 else 1
            if size.every_call:
                calls += [(point, n) for n in (range(1, count + 1) if not seen else {1, count})]
            elif point not in seen:
                calls.append((point, last))
        seen |= passes.keys()
        for portion in _cut(calls, POINTS_A_PORTION):
            yield point_portion, (name, portion)


def fault_portions(size: Size, folder: Path) -> Iterator[Portion]:
    for act in real_day.ACTS:
        with checkpoints_after(1):
            sweep = faults.Sweep(folder / act, act)
        for portion in _cut(chosen_faults(sweep, size), FAULTS_A_PORTION):
            yield fault_portion, (act, portion)


def chosen_faults(sweep: faults.Sweep, size: Size) -> list[Fault]:
    """All of them; or each kind at each method that it can befall once, acts taking turns."""
    lasting = [
        (kind, nth, True)
        for at, kind in enumerate(faults.CAN_LAST)
        for nth in sweep.places(kind)[at :: size.for_ever_every]
    ]
    if size.every_fault:
        return [(kind, nth, False) for kind in KINDS for nth in sweep.places(kind)] + lasting
    pairs = sorted({(sweep.methods[nth - 1], kind) for kind in KINDS for nth in sweep.places(kind)})
    mine = pairs[list(real_day.ACTS).index(sweep.act) :: len(real_day.ACTS)]
    chosen = []
    for at, (method, kind) in enumerate(mine):
        calls = [nth for nth in sweep.places(kind) if sweep.methods[nth - 1] == method]
        # of Delta's calls the last: it is the ledger's, the one that publishes
        nth = calls[-1] if method in DELTA else calls[at * 7 % len(calls)]
        chosen.append((kind, nth, False))
    return chosen + lasting


def flip_portions(size: Size, seed: int) -> Iterator[Portion]:
    for at in range(0, size.flips, FLIPS_A_PORTION):
        yield flip_portion, (min(FLIPS_A_PORTION, size.flips - at), seed + at)
    for table in TABLES:
        yield unsealed_portion, (table, size.flips // UNSEALED_SHARE // len(TABLES), seed)


def crowd_portions(size: Size) -> Iterator[Portion]:
    yield crowd_portion, ("own_days", 8, size.rounds)
    yield crowd_portion, ("own_days", 30, 1)
    yield crowd_portion, ("one_day", 2, size.rounds)
    yield crowd_portion, ("one_day", 8, max(2, size.rounds // 10))


def disk_portions(size: Size) -> Iterator[Portion]:
    for portion in _cut(list(size.disks), FAULTS_A_PORTION):
        yield disk_portion, (portion,)


# -- running them -------------------------------------------------------------------------------------


def add_up(portions: Sequence[Portion], processes: int, tell: Tell, kept: Path) -> Tally:
    """Run all portions, at most ``processes`` beside each other; the sum of what they came to.

    Each is written into ``kept`` when it is done: a run that was cut off goes on from there, as long
    as the code is the same.
    """
    total: Tally | None = None
    code = _code_digest()
    with ProcessPoolExecutor(processes, mp_context=PROCESSES) as pool:
        for done in as_completed([pool.submit(_run, kept, code, *one) for one in portions]):
            total = total.add(done.result()) if total else done.result()
            tell(f"{type(total).__name__}: {total}")
    assert total is not None, "there was nothing to do"
    return total


def _run(kept: Path, code: str, work: Callable[..., Tally], arguments: tuple[Any, ...]) -> Tally:
    name = hashlib.sha256(repr((code, work.__name__, arguments)).encode()).hexdigest()
    path = kept / f"{name}.pickle"
    if path.exists():
        found: Tally = pickle.loads(path.read_bytes())
        return found
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        tally = work(Path(folder), *arguments)
    kept.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(pickle.dumps(tally))
    unfinished.replace(path)
    return tally


def _code_digest() -> str:
    """Of the package and of the trials: what other code came to is no result of this one."""
    digest = hashlib.sha256()
    for folder in (REPOSITORY / "attribution_pipeline", Path(__file__).parent):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".sql"):
                digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _cut(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
