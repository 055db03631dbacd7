"""Checkpoints of a Delta table's log: for other engines and for opening fast, sealed like the log.

Belongs here: when one is made, its seal, whether it is still what was sealed. Does not: the log's
entries (``log``); our own readers need no checkpoint.

``seals/<table>/<version>.checkpoint.json`` has the sha256 of the checkpoint and of
``_last_checkpoint``, the one file of Delta that is written over. A checkpoint whose writer died
before its seal is taken only while it sums up what the entries say; the next writer of one seals it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake.checked import with_digest
from attribution_pipeline.lake.crash import crash_point
from attribution_pipeline.lake.log import FOLDER, SCHEMA, refused, seal_name, unsealed, unwritten
from attribution_pipeline.lake.store import LOG, Store, create_once

if TYPE_CHECKING:
    from deltalake import DeltaTable

EVERY = 100
"""Commits between checkpoints: what delta-rs does by itself, too."""

POINTER = "_last_checkpoint"
MADE, SEALED = ".checkpoint.parquet", ".checkpoint.json"


@dataclass(frozen=True)
class Summary:
    """What a log's entries come to: the active files with their sizes, and the table's id."""

    files: Mapping[str, int]
    identity: str


class Checkpoints:
    """The checkpoints of one table. ``summary_at``: what the entries up to a version come to."""

    def __init__(self, store: Store, table: str, summary_at: Callable[[int], Summary]) -> None:
        self._store = store
        self._table = table
        self._summary_at = summary_at
        self._newest: int | None = None

    def make_if_due(self, delta: DeltaTable, version: int) -> None:
        """After every ``EVERY`` commits, sum up the log at ``version``. The caller committed that
        version, so that nobody else sums up the same."""
        if self._newest is None:
            self._newest = max(self._versions(FOLDER, SEALED), default=0)
        if version - self._newest < EVERY:
            return
        from deltalake.exceptions import DeltaError

        self._seal_what_was_left()
        if delta.version() != version:
            delta.load_as_version(version)
        try:
            self._store.checkpoint(self._table, delta)
        except (OSError, DeltaError) as error:
            raise unwritten(self._store, self._name(version), error) from error
        crash_point("checkpoint.made")
        self._seal(version)
        crash_point("checkpoint.sealed")
        self._newest = version

    def verify(self, *, newest_only: bool = False) -> None:
        """Raise Refusal naming a checkpoint, a seal of one or ``_last_checkpoint`` that is damaged
        or missing. ``newest_only``: what opening the table reads."""
        sealed = self._versions(FOLDER, SEALED)
        made = self._versions(LOG, MADE)
        pointers = set()
        for version in sealed[-1:] if newest_only else sealed:
            said = unsealed(self._store, self._seal_name(version), self._read_seal(version))
            if (said["table"], said["version"]) != (self._table, version):
                raise refused(self._store, self._seal_name(version), "a seal is of another file")
            pointers.add(said["pointer"])
            if self._digest(self._name(version)) != said["checkpoint"]:
                raise self._refused(self._name(version))
        left = [version for version in made if version not in sealed]
        for version in left[-1:] if newest_only else left:
            self._require_sound(version, self._content(self._name(version)))
        self._require_pointer(pointers, left)

    def _seal_what_was_left(self) -> None:
        """Checkpoints that a writer made and did not live to seal."""
        self.verify(newest_only=True)
        sealed = self._versions(FOLDER, SEALED)
        for version in self._versions(LOG, MADE):
            if version not in sealed:
                self._seal(version)

    def _seal(self, version: int) -> None:
        """Seal what was looked at: a second read could come short, and would be sealed for ever."""
        checkpoint = self._content(self._name(version))
        self._require_sound(version, checkpoint)
        said = {
            "schema": SCHEMA,
            "table": self._table,
            "version": version,
            "checkpoint": hashlib.sha256(checkpoint).hexdigest(),
            "pointer": self._looked_at_pointer(),
        }
        create_once(self._store, self._seal_name(version), with_digest(said))

    def _looked_at_pointer(self) -> str | None:
        """The digest of ``_last_checkpoint`` as it stands: of the newest checkpoint, or still of the
        one before, or not there yet, where a writer died in between."""
        try:
            pointer = self._store.fetch(self._pointer).read_bytes()
        except FileNotFoundError:
            return None
        digest = hashlib.sha256(pointer).hexdigest()
        before = [
            unsealed(self._store, self._seal_name(version), self._read_seal(version))
            for version in self._versions(FOLDER, SEALED)[-1:]
        ]
        if digest not in {said["pointer"] for said in before}:
            self._require_pointing(pointer, self._versions(LOG, MADE))
        return digest

    def _require_sound(self, version: int, checkpoint: bytes) -> None:
        """A checkpoint without a seal: it must sum up what the entries say, no more and no less."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            rows = pq.read_table(
                pa.BufferReader(checkpoint), columns=["add", "metaData"]
            ).to_pylist()
            files = {row["add"]["path"]: row["add"]["size"] for row in rows if row["add"]}
            (identity,) = (row["metaData"]["id"] for row in rows if row["metaData"])
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            raise self._refused(self._name(version)) from None
        if Summary(files, identity) != self._summary_at(version):
            raise self._refused(self._name(version))

    def _require_pointer(self, sealed: set[str], left: list[int]) -> None:
        found = self._digest(self._pointer)
        if found in sealed or (found is None and not sealed):
            return
        self._require_pointing(self._content(self._pointer), left)

    def _require_pointing(self, pointer: bytes, made: list[int]) -> None:
        """``_last_checkpoint`` without a seal: it must say what is true of one that was made."""
        try:
            said: Any = json.loads(pointer)
            version, files, size = said["version"], said["numOfAddFiles"], said["sizeInBytes"]
        except (ValueError, KeyError, TypeError):
            raise self._refused(self._pointer) from None
        if version not in made:
            raise self._refused(self._pointer)
        true = len(self._summary_at(version).files), len(self._content(self._name(version)))
        if (files, size) != true:
            raise self._refused(self._pointer)

    # -- names -------------------------------------------------------------------------------

    @property
    def _pointer(self) -> str:
        return f"{self._table}/{LOG}/{POINTER}"

    def _name(self, version: int) -> str:
        return f"{self._table}/{LOG}/{version:020d}{MADE}"

    def _seal_name(self, version: int) -> str:
        return seal_name(self._table, version, ".checkpoint")

    def _read_seal(self, version: int) -> bytes:
        return self._store.read(self._seal_name(version))

    def _versions(self, folder: str, suffix: str) -> list[int]:
        parent = f"{FOLDER}/{self._table}" if folder == FOLDER else f"{self._table}/{folder}"
        return sorted(
            int(name.removesuffix(suffix))
            for name in self._store.names(parent)
            if name.endswith(suffix) and name.removesuffix(suffix).isdigit()
        )

    def _content(self, name: str) -> bytes:
        try:
            return self._store.fetch(name).read_bytes()
        except FileNotFoundError:
            raise self._refused(name) from None

    def _digest(self, name: str) -> str | None:
        try:
            with self._store.fetch(name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None

    def _refused(self, name: str) -> Exception:
        return refused(self._store, name, "a file of Delta's log is missing or was changed")
