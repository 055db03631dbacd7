"""All that lies in a storage, and taking away what nothing names: for people who keep the place.

Belongs here: listing a store object by object, removing one. Does not: which may go (``pruning``), or
copying (``copying``). Apart from ``Store`` on purpose: nothing that records or reads a day can remove
an object.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from attribution_pipeline.lake.places import Place
from attribution_pipeline.model.errors import Refusal

WORKING = (".staging", ".locks")
"""Folders of a storage that belong to runs under way."""


@dataclass(frozen=True)
class Held:
    """One object. ``name``: relative to the storage, ``/`` separated."""

    name: str
    bytes: int
    changed_at: datetime


def everything(place: Place) -> Iterator[Held]:
    """Every object but those of runs under way; in no order."""
    return _in_folder(place) if isinstance(place, Path) else _in_bucket(place)


def remove(place: Place, held: Held) -> bool:
    """Take an object away for good; False where it is another one by now, and stays.

    A run that comes to old content again writes the old file again, under the same name.
    """
    path = require_removable(place) / held.name
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    if (found.st_size, datetime.fromtimestamp(found.st_mtime, UTC)) != (
        held.bytes,
        held.changed_at,
    ):
        return False
    path.unlink()
    return True


def require_removable(place: Place) -> Path:
    """The folder from which objects can be removed. Raises Refusal for a bucket."""
    if not isinstance(place, Path):
        raise Refusal(
            "objects of a bucket are not removed from here: no credential of a run needs a right to",
            where=str(place),
            remedy="write the names with --list FILE, and have the bucket's own tools remove them",
        )
    return place


def _in_folder(root: Path) -> Iterator[Held]:
    for folder, folders, names in os.walk(root):
        inside = Path(folder).relative_to(root)
        if inside == Path():
            folders[:] = [name for name in folders if name not in WORKING]
        for name in names:
            if name.startswith("."):
                continue  # what a writer leaves behind that is killed while it writes
            try:
                found = (Path(folder) / name).stat()
            except FileNotFoundError:
                continue
            changed = datetime.fromtimestamp(found.st_mtime, UTC)
            yield Held((inside / name).as_posix(), found.st_size, changed)


def _in_bucket(place: Place) -> Iterator[Held]:
    from attribution_pipeline.buckets import Bucket
    from attribution_pipeline.buckets.client import Client

    assert isinstance(place, Bucket)
    start = len(place.key("")) + 1 if place.key("") else 0
    for found in Client(place).entries():
        if not isinstance(found, str):
            yield Held(found.key[start:], found.size, found.modified)
