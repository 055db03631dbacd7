"""The index: numbered, chained, never overwritten. One file is one landing that happened.

Belongs here: creating index files atomically, loading and checking them, the lock that keeps two
landing runs apart. Does not: what files and objects mean (``store``).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attribution_pipeline.lake.files import sync_folder
from attribution_pipeline.lake.landed.records import LandedFile, ObjectRecord
from attribution_pipeline.model.errors import Refusal

SCHEMA = 1
ORDINAL_DIGITS = 10
DIGEST_DIGITS = 16
_NAME = re.compile(rf"^(\d{{{ORDINAL_DIGITS}}})-([0-9a-f]{{{DIGEST_DIGITS}}})\.json$")


@dataclass(frozen=True)
class Landing:
    """One index file."""

    ordinal: int
    name: str
    landed_at: str
    files: tuple[LandedFile, ...]
    objects: tuple[ObjectRecord, ...]


def load(folder: Path, after: Sequence[Landing]) -> list[Landing]:
    """The landings that follow ``after``, in order, each checked against its own name and chained
    to the one before. Raises Refusal naming the file that is damaged, missing or one too many.
    """
    names = sorted(name for name in _listed(folder) if _NAME.match(name))
    expected = [landing.name for landing in after]
    if names[: len(expected)] != expected:
        gone = sorted(set(expected) - set(names)) or names[: len(expected)]
        raise _damaged(folder / gone[0], "is missing, or was replaced")
    landings: list[Landing] = []
    previous = expected[-1] if expected else ""
    for ordinal, name in enumerate(names[len(expected) :], start=len(expected) + 1):
        landings.append(_read(folder / name, ordinal, previous))
        previous = name
    return landings


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _read(path: Path, ordinal: int, previous: str) -> Landing:
    content = path.read_bytes()
    number, digest = path.name.removesuffix(".json").split("-")
    if hashlib.sha256(content).hexdigest()[:DIGEST_DIGITS] != digest:
        raise _damaged(path, "was changed: its sha256 is not the one in its name")
    if int(number) != ordinal:
        found = "is the second of its number" if int(number) < ordinal else "follows a missing one"
        raise _damaged(path, f"{found}; number {ordinal} was expected")
    entry = json.loads(content)
    if entry["previous"] != previous:
        raise _damaged(path, f"follows {entry['previous']}, not {previous}")
    return Landing(
        ordinal,
        path.name,
        entry["landed_at"],
        tuple(LandedFile.from_dict(file) for file in entry["files"]),
        tuple(ObjectRecord.from_dict(record) for record in entry["objects"]),
    )


def _damaged(path: Path, what: str) -> Refusal:
    return Refusal(
        f"the index of landed evidence {what}",
        where=str(path),
        remedy="restore landed/index from a copy; or move the folder landed away and land again",
    )


def create(
    folder: Path,
    previous: Landing | None,
    landed_at: str,
    files: Sequence[LandedFile],
    objects: Sequence[ObjectRecord],
) -> Landing:
    """The next index file: whole and durable when it appears, or not there at all.

    ``os.link`` refuses to replace; the caller holds the lock, so the number is free.
    """
    ordinal = (previous.ordinal if previous else 0) + 1
    entry: dict[str, Any] = {
        "schema": SCHEMA,
        "ordinal": ordinal,
        "previous": previous.name if previous else "",
        "landed_at": landed_at,
        "files": [file.as_dict() for file in files],
        "objects": [record.as_dict() for record in objects],
    }
    content = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    digest = hashlib.sha256(content).hexdigest()[:DIGEST_DIGITS]
    name = f"{ordinal:0{ORDINAL_DIGITS}d}-{digest}.json"
    part = folder / f".{name}.{os.getpid()}"
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.link(part, folder / name)
    sync_folder(folder)
    part.unlink()
    return Landing(ordinal, name, landed_at, tuple(files), tuple(objects))


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Only one landing run at a time; the kernel lets go when the holder dies.

    Two runs that read the same new object would land its rows twice, which no later reader could
    tell from two objects.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sync_folder(folder.parent)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
