"""The index: numbered, chained, never overwritten. One file is one landing that happened.

Belongs here: creating index files, loading and checking them. Does not: what files and objects mean
(``store``).

A file is ``landed/index/<number>.json``, so that of two who would be the n-th landing one learns that
it came second. It has the digest of its own text, by which it is known, and that of the one before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from attribution_pipeline.lake.checked import own_digest, said_by, with_digest
from attribution_pipeline.lake.formats import require_known
from attribution_pipeline.lake.landed.records import LandedFile, ObjectRecord
from attribution_pipeline.lake.store import Store, create_once
from attribution_pipeline.model.errors import Refusal

FOLDER = "landed/index"
SCHEMA = 3
ORDINAL_DIGITS = 10
_NAME = re.compile(rf"^(\d{{{ORDINAL_DIGITS}}})\.json$")


@dataclass(frozen=True)
class Landing:
    """One index file. ``name``: its digest, which stands for it and all before it."""

    ordinal: int
    name: str
    landed_at: str
    files: tuple[LandedFile, ...]
    objects: tuple[ObjectRecord, ...]
    attributes: tuple[str, ...] | None = ()
    """Span attributes beyond the standard ones that its objects were read for, sorted. None: a release
    landed it that did not say."""
    replaces: tuple[str, ...] = ()
    """Paths of earlier files that its own stand instead of: their objects were read again."""

    @cached_property
    def of_kind(self) -> dict[str, list[ObjectRecord]]:
        """Its objects by kind, in their order: every table asks for those of one."""
        found: dict[str, list[ObjectRecord]] = {}
        for record in self.objects:
            found.setdefault(record.kind, []).append(record)
        return found


def load(store: Store, after: Sequence[Landing]) -> list[Landing]:
    """The landings that follow ``after``, in order, each checked against its own digest and chained
    to the one before. Raises Refusal naming the file that is damaged or missing.
    """
    if after and not store.exists(_path(after[-1].ordinal)):
        raise _damaged(store, after[-1].ordinal, "is missing")
    if not after:
        _require_no_gap(store)
    landings: list[Landing] = []
    previous = after[-1].name if after else ""
    while True:
        # by its number, not by a listing, which may not know the newest yet
        ordinal = len(after) + len(landings) + 1
        try:
            content = store.read(_path(ordinal))
        except FileNotFoundError:
            return landings
        landings.append(_read(store, ordinal, content, previous))
        previous = landings[-1].name


def create(
    store: Store,
    previous: Landing | None,
    landed_at: str,
    files: Sequence[LandedFile],
    objects: Sequence[ObjectRecord],
    attributes: Sequence[str] = (),
    replaces: Sequence[str] = (),
) -> Landing:
    """The next index file: whole when it appears, or not there at all.

    Raises FileExistsError where another landing came first: look again, and land what is left.
    """
    ordinal = (previous.ordinal if previous else 0) + 1
    said: dict[str, Any] = {
        "schema": SCHEMA,
        "ordinal": ordinal,
        "previous": previous.name if previous else "",
        "landed_at": landed_at,
        "files": [file.as_dict() for file in files],
        "objects": [record.as_dict() for record in objects],
        "attributes": sorted(attributes),
        "replaces": sorted(replaces),
    }
    content = with_digest(said)
    create_once(store, _path(ordinal), content)
    return Landing(
        ordinal, own_digest(content), landed_at, tuple(files), tuple(objects),
        tuple(said["attributes"]), tuple(said["replaces"]),
    )  # fmt: skip


def _read(store: Store, ordinal: int, content: bytes, previous: str) -> Landing:
    try:
        entry = said_by(content)
    except ValueError:
        raise _damaged(
            store, ordinal, "was changed: its digest is not the one that it names"
        ) from None
    require_known("landing index", entry.get("schema"), store.where(_path(ordinal)))
    if (entry["ordinal"], entry["previous"]) != (ordinal, previous):
        raise _damaged(store, ordinal, "does not follow the one before: one of them was replaced")
    return Landing(
        ordinal,
        own_digest(content),
        entry["landed_at"],
        tuple(LandedFile.from_dict(file) for file in entry["files"]),
        tuple(ObjectRecord.from_dict(record) for record in entry["objects"]),
        tuple(entry["attributes"]) if "attributes" in entry else None,
        tuple(entry.get("replaces", ())),
    )


def _require_no_gap(store: Store) -> None:
    """A missing file would end the index in silence."""
    found = {int(name[:ORDINAL_DIGITS]) for name in store.names(FOLDER) if _NAME.match(name)}
    store.expect([_path(ordinal) for ordinal in sorted(found)])
    for ordinal in range(1, len(found) + 1):
        # a listing may miss what appears while it is made
        if ordinal not in found and not store.exists(_path(ordinal)):
            raise _damaged(store, ordinal, "is missing")


def _path(ordinal: int) -> str:
    return f"{FOLDER}/{ordinal:0{ORDINAL_DIGITS}d}.json"


def _damaged(store: Store, ordinal: int, what: str) -> Refusal:
    return Refusal(
        f"the index of landed evidence {what}",
        where=store.where(_path(ordinal)),
        remedy="restore landed/index from a copy; or move the folder landed away and land again",
    )
