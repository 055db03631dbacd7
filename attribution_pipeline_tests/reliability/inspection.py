"""What stands in a storage folder, and what must be true of it after anything at all happened.

Belongs here: what stands (published states, landed objects, other engines' view) as comparable
figures; invariants, each broken one as a line of text. Does not: causing trouble.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.lake import Lake
from attribution_pipeline.lake.landed import KIND_OF_TABLE, LandedStore
from attribution_pipeline.lake.shapes import LEDGER, SIDE_TABLES
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.buckets.paths import Root, delta

OF_A_DAY = (LEDGER, *SIDE_TABLES)


@dataclass(frozen=True)
class Standing:
    """All that counts in a storage folder. Equal figures, equal storage, whatever way it came about."""

    states: Mapping[str, str]
    """Every published state, in order: its number, content and the digest of each table's rows."""
    landed: Mapping[str, int]
    """Landed object -> its rows, as the landed files hold them."""

    def differs(self, other: Standing) -> Iterator[str]:
        yield from _differing("states", self.states, other.states)
        yield from _differing("landed", self.landed, other.landed)


def standing(storage: Root) -> Standing:
    """Read everything again, through a lake that has seen nothing yet; each file is hashed."""
    lake = Lake(storage)
    states: dict[str, str] = {}
    for state in lake.states():
        said = lake.document(state)
        label = f"{state.day} state {state.state}"
        states[label] = f"{said['output']['content_digest']} {sorted(state.inputs.items())}"
        for table in OF_A_DAY:
            rows = lake.read(table, state.day, state.day, as_of=state.published_at)
            states[f"{label} {table}"] = digest(rows)
    return Standing(states, dict(landed_rows(storage)))


def old_or_new(found: Standing, old: Standing, new: Standing) -> Iterator[str]:
    """A state is there or it is not; sources land one by one, each whole or not at all."""
    if found.states not in (old.states, new.states):
        yield from _differing("neither old nor new", found.states, new.states)
    for object_id, count in found.landed.items():
        if new.landed.get(object_id) != count:
            yield f"landed {object_id}: {count} rows, not {new.landed.get(object_id)}"
    for object_id in old.landed.keys() - found.landed.keys():
        yield f"landed {object_id} is lost"


def whole(storage: Root) -> Iterator[str]:
    """After a rerun: all verifies, side tables stand where the ledger does, other engines see what
    the manifests say."""
    yield from verifies(storage)
    lake = Lake(storage)
    for day in lake.days():
        yield from (f"{day}: {text}" for text in lake.differences(day))
    yield from other_engines_differ(storage)


def verifies(storage: Root) -> Iterator[str]:
    """What verification refuses: every table's log and seals, every file of every newest state.
    (Those of older states are hashed where ``standing`` reads them.)"""
    lake = Lake(storage)
    days = lake.days()
    try:
        lake.verify(min(days, default=date.min), max(days, default=date.max))
    except Refusal as refusal:
        yield refusal.line()


def other_engines_differ(storage: Root) -> Iterator[str]:
    """Where a plain Delta reader sees other rows than the manifests name, table by table."""
    lake = Lake(storage)
    days = lake.days()
    if not days:
        return
    for table in OF_A_DAY:
        ours = lake.read(table, days[0], days[-1])
        folder = storage / table
        theirs = ours.slice(0, 0)
        if folder.exists():
            theirs = delta(folder).to_pyarrow_table().select(ours.schema.names)
        if digest(theirs) != digest(ours):
            yield f"{table}: other engines see {digest(theirs)}, manifests say {digest(ours)}"


def digest(rows: pa.Table) -> str:
    """Count and digest of rows, whatever their order."""
    names = sorted(rows.column_names)
    texts = sorted(map(str, rows.select(names).to_pylist()))
    whole_text = "\n".join(texts)
    return f"{len(texts)} rows {hashlib.sha256(whole_text.encode()).hexdigest()[:16]}"


def each_state_once(storage: Root) -> Iterator[str]:
    """States are numbered 1, 2, 3 and none stands twice."""
    keys: dict[date, list[str]] = {}
    numbers: dict[date, list[int]] = {}
    for state in Lake(storage).states():
        keys.setdefault(state.day, []).append(state.state_key)
        numbers.setdefault(state.day, []).append(state.state)
    for day, found in keys.items():
        if len(set(found)) != len(found):
            yield f"doubled: {day} has a state twice"
        if numbers[day] != list(range(1, len(found) + 1)):
            yield f"{day}: its states are numbered {numbers[day]}"


def landed_rows(storage: Root) -> Counter[str]:
    """Object -> its landed rows; each file is hashed first."""
    store = LandedStore(storage)
    rows: Counter[str] = Counter()
    for table in KIND_OF_TABLE:
        files = store.files(table)
        store.verify(files)
        for path in store.local(files):
            found = pq.read_table(path, columns=["object_id"], partitioning=None)
            rows.update(found["object_id"].to_pylist())
    return rows


def _differing(
    what: str, found: Mapping[str, object], wanted: Mapping[str, object]
) -> Iterable[str]:
    for label in sorted(found.keys() | wanted.keys()):
        if found.get(label) != wanted.get(label):
            yield f"{what}: {label} is {found.get(label)}, not {wanted.get(label)}"
