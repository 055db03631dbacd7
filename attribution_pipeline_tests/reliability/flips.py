"""One bit of one file turned over, and who notices.

Belongs here: choosing bits, turning them over and back, asking everyone who reads. Does not: how
digests are kept (``lake``).

A bit is turned over in place, readers that have seen nothing yet are asked in this process, and it
is turned back. Who is asked: ``Lake.verify``; every read of every state (what the ledger's export,
its views and packets stand on); replay of the state that names the file.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.lake import Lake, Published
from attribution_pipeline.lake.landed import KIND_OF_TABLE, LandedStore
from attribution_pipeline.lake.shapes import LEDGER, SIDE_TABLES, TABLES
from attribution_pipeline.lake.store import LOG
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof.replay import INPUT_GONE, replay_day
from attribution_pipeline_tests.reliability import crash_points, inspection
from attribution_pipeline_tests.reliability.scenarios import SCENARIOS
from attribution_pipeline_tests.reliability.tally import Tally

NOT_EVIDENCE = (".locks/", ".staging/", "landed/index/.lock")
"""Nothing is read from these."""
HINT = "hint"
"""Saves work and decides nothing: changed, it must be ignored or refused, never believed."""
BY_READERS = frozenset({"ledger", "side table", "manifest", "input", "policy", "ledger's log"})
"""Kinds that reading every state opens: there the flip must be refused, too."""
_DIGEST = re.compile("[0-9a-f]{16,}")
UNSEALED = "entry without a seal"
SECOND = 2
"""The second commit of a story's table: there is one before it."""
READ_ANYWAY = 10
"""Of files of other kinds every tenth flip is met by the readers, too: they answer as before."""
BY_REPLAY = frozenset({"ledger", "side table", "manifest", "input", "policy"})
"""Kinds that a replay opens."""


@dataclass
class FlipTally(Tally):
    """What a series of flips came to."""

    flips: Counter[str] = field(default_factory=Counter)
    """By kind of file."""
    met: Counter[str] = field(default_factory=Counter)
    """By file: its path without the digests in it."""
    verify: int = 0
    """Refused by ``Lake.verify``, by name."""
    readers: int = 0
    """Refused by reading, by name, before anything was parsed."""
    replays: int = 0
    """Refused by replay, exit status 3, by name."""
    landed: int = 0
    """Refused by who reads landed evidence, by name."""
    harmless: int = 0
    """In the one entry that its writer did not live to seal: flips in what nobody reads."""
    ignored: int = 0
    """Flips in a hint, which was then taken for none."""


def kind_of(path: str) -> str:
    """What a file of a storage folder is; Broken test where nobody knows."""
    table, _, rest = path.partition("/")
    if table in TABLES and rest.startswith(f"{LOG}/"):
        if "checkpoint" in rest:
            return "checkpoint"
        return "ledger's log" if table == LEDGER else "side table's log"
    if table in (LEDGER, "manifests", *SIDE_TABLES) and rest.endswith(".parquet"):
        return {LEDGER: "ledger", "manifests": "manifest"}.get(table, "side table")
    if table == "seals":
        return "seal"
    if table == "evidence":
        return "input" if rest.endswith(".parquet") else HINT
    if table == "policies":
        return "policy"
    if table == "landed":
        if rest in ("awaiting.json", "looked_for.json"):
            return HINT
        return "landed index" if rest.startswith("index/") else "landed rows"
    raise AssertionError(f"{path}: nobody says who would notice a flipped bit in it")


class Flipper:
    """A storage folder, its files, and what readers say of it while it is whole."""

    def __init__(self, storage: Path) -> None:
        self.storage = storage
        self.files = {path: kind_of(path) for path in _files(storage)}
        self.owner = _owners(Lake(storage))
        self.whole = _read_all(storage)
        assert not _refused_by_verify(storage), "the folder is damaged before the first flip"

    def flip(self, path: str, bit: int, tally: FlipTally) -> None:
        """Turn one bit over, ask everyone, turn it back."""
        kind = self.files[path]
        tally.flips[kind] += 1
        tally.met[_DIGEST.sub("*", path)] += 1
        _turn(self.storage / path, bit)
        try:
            found = self._asked(path, kind, tally)
        finally:
            _turn(self.storage / path, bit)
        tally.violations += [f"bit {bit} of {path} ({kind}): {text}" for text in found]

    def _asked(self, path: str, kind: str, tally: FlipTally) -> list[str]:
        name = path.rsplit("/", 1)[-1]
        if kind.startswith("landed"):
            said = _refused_by_landed(self.storage)
            tally.landed += name in said
            return [] if name in said else [f"landed evidence is read, and said {said!r}"]
        if kind == HINT:
            tally.ignored += 1
            return self._hint_is_ignored(path)
        wrong = []
        said = _refused_by_verify(self.storage) or self._refused_by_older(path)
        tally.verify += name in said
        if name not in said:
            wrong.append(f"verify said {said!r}")
        if kind not in BY_READERS and tally.flips[kind] % READ_ANYWAY:
            return wrong
        try:
            found = _read_all(self.storage)
        except Refusal as refusal:
            tally.readers += 1
            if name not in refusal.line():
                wrong.append(f"a reader refused another file: {refusal.line()}")
        else:
            if kind in BY_READERS:
                wrong.append("every state was read, and nobody refused")
            if not _same(found, self.whole):
                wrong.append("a reader returned other rows")
        if kind in BY_REPLAY:
            said = self._replayed(path)
            tally.replays += name in said
            if name not in said:
                wrong.append(f"replay said {said!r}")
        return wrong

    def _refused_by_older(self, path: str) -> str:
        """Verification as of the state that names the file: the newest does not."""
        state = self.owner.get(path)
        if state is None:
            return ""
        return _refused_by_verify(self.storage, as_of=state.published_at)

    def _replayed(self, path: str) -> str:
        state = self.owner[path]
        compute = lambda scratch: Compute(1, "1GB", str(scratch / "spill"))  # noqa: E731
        verdict = replay_day(Lake(self.storage), state, compute)
        return verdict.detail if verdict.code == INPUT_GONE else f"exit status {verdict.code}"

    def _hint_is_ignored(self, path: str) -> list[str]:
        if path.startswith("landed/"):
            landed = LandedStore(self.storage)
            said = landed.waiting() if path.endswith("awaiting.json") else landed.looked()
            return [] if said is None else [f"{path} was believed"]
        lake = Lake(self.storage)
        for day in lake.days():
            for plane, said in lake.manifest(day)["inputs"].items():
                kept = lake.evidence.newest(plane, day)
                if kept is not None and kept.as_input() != said:
                    return [f"a changed hint of {plane} was believed"]
        return []


def flip_at_random(flipper: Flipper, flips: int, seed: int, tally: FlipTally) -> None:
    """Every file in turn, in random order, a random bit each time."""
    dice = random.Random(seed)
    paths = sorted(flipper.files)
    done = 0
    while done < flips and not tally.violations:
        dice.shuffle(paths)
        for path in paths[: flips - done]:
            size = (flipper.storage / path).stat().st_size
            flipper.flip(path, dice.randrange(size * 8), tally)
            done += 1


def flip_unsealed(folder: Path, table: str, flips: int, seed: int, tally: FlipTally) -> None:
    """The newest entry of a log whose writer died before it was sealed: a flip is refused by name,
    or nothing that anybody reads is another."""
    story, dice = SCENARIOS["synthetic"], random.Random(seed)
    crash_points.play_until(story, folder, f"{table}.committed", SECOND)
    storage = story.storage(folder)
    entry = max((storage / table / LOG).glob("*.json"))
    assert not (storage / "seals" / table / entry.name).exists(), "it was sealed"
    whole = inspection.standing(storage)
    for _ in range(flips):
        bit = dice.randrange(entry.stat().st_size * 8)
        _turn(entry, bit)
        try:
            said = _refused_by_verify(storage)
            differs = [] if said else list(inspection.standing(storage).differs(whole))
        finally:
            _turn(entry, bit)
        tally.flips[UNSEALED] += 1
        tally.verify += entry.name in said
        tally.harmless += not said and not differs
        wrong = differs or ([f"verify said {said!r}"] if said and entry.name not in said else [])
        tally.violations += [f"bit {bit} of an unsealed {table}: {text}" for text in wrong]


def _files(storage: Path) -> list[str]:
    found = [path.relative_to(storage).as_posix() for path in storage.rglob("*") if path.is_file()]
    return sorted(path for path in found if not path.startswith(NOT_EVIDENCE))


def _owners(lake: Lake) -> dict[str, Published]:
    """Path -> the newest state whose manifest, or whose commit, names it."""
    found: dict[str, Published] = {}
    for state in lake.states():
        said = lake.document(state)
        tables = [*said["files"].values()]
        tables += [found for plane in said["inputs"].values() for found in plane["files"].values()]
        for entry in (entry for entries in tables for entry in entries):
            found[entry["path"]] = state
        found[said["policy"]["file"]["path"]] = state
        found[state.manifest_file.path] = state
    return found


def _read_all(storage: Path) -> Mapping[str, Any]:
    """Every table of every state, its inputs and its policy, through a lake that saw nothing yet."""
    lake = Lake(storage)
    found: dict[str, Any] = {}
    for state in lake.states():
        said = lake.document(state)
        for table in (LEDGER, *SIDE_TABLES):
            rows = lake.read(table, state.day, state.day, as_of=state.published_at)
            found[f"{state.day} {state.state} {table}"] = rows
        for plane, inputs in said["inputs"].items():
            found[f"{state.day} {state.state} {plane}"] = lake.evidence.paths(inputs)
        policy = lake.policies.load(said["policy"]["file"])
        found[f"{state.day} {state.state} policy"] = policy.digest
    return found


def _same(found: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    return found.keys() == whole.keys() and all(found[key] == whole[key] for key in found)


def _refused_by_verify(storage: Path, **as_of: Any) -> str:
    try:
        lake = Lake(storage)
        days = lake.days()
        lake.verify(min(days), max(days), **as_of)
    except Refusal as refusal:
        return refusal.line()
    return ""


def _refused_by_landed(storage: Path) -> str:
    try:
        store = LandedStore(storage)
        for table in KIND_OF_TABLE:
            store.verify(store.files(table))
    except Refusal as refusal:
        return refusal.line()
    return ""


def _turn(path: Path, bit: int) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        at, which = divmod(bit, 8)
        (byte,) = os.pread(descriptor, 1, at)
        os.pwrite(descriptor, bytes([byte ^ (1 << which)]), at)
    finally:
        os.close(descriptor)
