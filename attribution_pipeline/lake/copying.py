"""A copy of a whole lake that can be read at every moment, while it is made and while runs go on.

Belongs here: what is copied in which order. Does not: where to, who asks, or what is in it.

A log entry names files that were there before it, and the ledger's names manifests of side tables. So
what is to be copied is *listed* from the newest backwards (logs of roll-ups, the ledger's, the side
tables', the index of landed evidence, all other files), and *copied* the other way round: whatever the
copy's log names is there already. A table's log is cut at its newest seal; what is committed meanwhile
is in the next copy. Checkpoints stay behind: they only sum entries up, and the copy makes its own.

Objects that are named by their digest are hashed on the way, and not copied twice, unless the copy is
found to be damaged (``damaged``).
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from attribution_pipeline.lake.custody import Held, everything
from attribution_pipeline.lake.files import sha256_of
from attribution_pipeline.lake.log import FOLDER as SEALS
from attribution_pipeline.lake.log import seal_name, versions_in
from attribution_pipeline.lake.places import Place, passing_store
from attribution_pipeline.lake.receipts import pruned
from attribution_pipeline.lake.shapes import LEDGER, MANIFESTS, SIDE_TABLES
from attribution_pipeline.lake.store import LOG, Store, log_entry
from attribution_pipeline.model.errors import Refusal

_NAMED_BY_DIGEST = re.compile(r"(?:.*/)?([0-9a-f]{64})\.parquet", re.ASCII)
_OF_A_LOG = re.compile(rf"[a-z_]+/{LOG}/.*|{SEALS}/.*|landed/index/.*")
_LANDED_INDEX = "landed/index"


@dataclass
class Copied:
    """What copying came to."""

    files: int = 0
    bytes: int = 0
    standing: int = 0
    """Files that the target had already."""
    versions: dict[str, int] = field(default_factory=dict)
    """Table -> version of its log in the copy."""


def copy_lake(source: Place, target: Place, *, again: Collection[str] = ()) -> Copied:
    """Bring ``target`` to the state of ``source``. Raises Refusal naming a file whose bytes are not
    those of its name, and where the target is of another lake.

    ``again``: names that are copied although they stand there.
    """
    with passing_store(source) as here, passing_store(target) as there:
        return _copied(here, there, source, target, again)


def _copied(
    here: Store, there: Store, source: Place, target: Place, again: Collection[str]
) -> Copied:
    _require_same_lake(here, there)
    logs, versions = _logs(here)
    listed = {held.name: held for held in everything(source)}
    standing = {held.name: held.bytes for held in everything(target)} if _is_there(target) else {}
    for name in again:
        standing.pop(name, None)
    done = Copied(versions=versions)
    rest = sorted(name for name in listed if not _OF_A_LOG.fullmatch(name))
    with there.scratch("copy") as scratch:
        for name in rest:
            _copy(here, there, listed[name], standing.get(name), scratch, done)
        for name in logs:
            content = here.read(name)
            if name in standing and there.read(name) == content:
                done.standing += 1
                continue
            there.replace(name, content)
            done.files, done.bytes = done.files + 1, done.bytes + len(content)
    return done


def verify_lake(place: Place) -> None:
    """Hash all that readers and replays of newest states open, and everything landed but what was
    pruned: what a receipt names, and what no state reads that is readable for ever, which may be missing
    without one. Raises Refusal naming the first file that is damaged or missing."""
    from attribution_pipeline.lake.landed import LandedStore, index
    from attribution_pipeline.lake.pruning import read_by_nobody
    from attribution_pipeline.lake.tables import Lake

    with passing_store(place) as store:
        lake = Lake(place, store=store)
        lake.verify(date.min, date.max)
        landed = LandedStore(place, store=store)
        replaced = {one.file.path for one in landed.replaced()}
        may_go = replaced & (pruned(store).keys() | read_by_nobody(lake, landed))
        gone = {path for path in may_go if not store.exists(path)}
        every = (file for one in index.load(store, []) for file in one.files)
        landed.verify([file for file in every if file.path not in gone])


def may_be_continued(name: str) -> bool:
    """Whether a place that holds such a file may be what an interrupted copy left, and no lake: the
    ledger's log and the index of landed evidence come after all that they name."""
    return name != log_entry(LEDGER, 0) and not name.startswith(f"{_LANDED_INDEX}/")


def damaged(place: Place) -> list[str]:
    """Names of all files whose bytes are not those that their names are the digest of, sorted."""
    found = []
    with passing_store(place) as store:
        for held in everything(place):
            digest = _NAMED_BY_DIGEST.fullmatch(held.name)
            if digest and sha256_of(store.fetch(held.name, "whole")) != digest[1]:
                found.append(held.name)
    return sorted(found)


def _logs(store: Store) -> tuple[list[str], dict[str, int]]:
    """Names of what makes the copy's days, in the order in which they are written there: listed from
    the ledger backwards, and turned round."""
    names: list[list[str]] = []
    versions: dict[str, int] = {}
    published = (LEDGER, MANIFESTS, *SIDE_TABLES)
    # what is made from recorded days comes after the ledger, so it is looked at before
    derived = [name for name in store.names(SEALS) if name not in published]
    for table in (*derived, *published):
        found = [version for _, version in versions_in(store, f"{SEALS}/{table}")]
        if not found:
            continue
        versions[table] = max(found)
        # an entry and then its seal: of the newest alone the seal may be missing
        names.append(
            [
                name
                for version in range(max(found) + 1)
                for name in (log_entry(table, version), seal_name(table, version))
            ]
        )
    index = [f"{_LANDED_INDEX}/{name}" for name in store.names(_LANDED_INDEX)]
    return [*index, *(name for table in reversed(names) for name in table)], versions


def _copy(
    here: Store, there: Store, held: Held, standing: int | None, scratch: Path, done: Copied
) -> None:
    digest = _NAMED_BY_DIGEST.fullmatch(held.name)
    if digest and standing == held.bytes:
        done.standing += 1
        return
    try:
        found = here.fetch(held.name, "whole")
    except FileNotFoundError:
        if digest:  # pruned meanwhile: nothing in the copy's log needs it, or verifying says so
            return
        raise
    staged = scratch / "copy"
    with found.open("rb") as reader, staged.open("wb") as writer:
        shutil.copyfileobj(reader, writer)
    with staged.open("rb") as reader:
        bytes_of = hashlib.file_digest(reader, "sha256").hexdigest()
    if digest and digest[1] != bytes_of:
        raise Refusal(
            f"a file was changed: sha256 {bytes_of}, its name says {digest[1]}",
            where=here.where(held.name),
            remedy="restore it from an older copy, then copy again",
        )
    done.files, done.bytes = done.files + 1, done.bytes + staged.stat().st_size
    there.place(staged, held.name)


def _require_same_lake(here: Store, there: Store) -> None:
    """A copy grows; one of another lake would be mixed with this one."""
    for name in (log_entry(LEDGER, 0), f"{_LANDED_INDEX}/0000000001.json"):
        try:
            kept = there.read(name)
        except FileNotFoundError:
            continue
        try:
            if here.read(name) == kept:
                continue
        except FileNotFoundError:
            pass
        raise Refusal(
            "holds a copy of another lake, or more than there is to copy",
            where=there.where(""),
            remedy="name an empty place",
        )


def _is_there(place: Place) -> bool:
    return place.is_dir() if isinstance(place, Path) else True
