"""A Delta table's log, read by ourselves and sealed: no entry is believed before its bytes are.

Belongs here: seals, their chain, reading entries in order. Does not: what an entry does to a day
(``delta``), checkpoints (``checkpoints``).

Delta keeps no digest of its log. So every commit is sealed: ``seals/<table>/<version>.json`` has the
sha256 of the entry and that of the seal before. A commit is made first and sealed second, and nobody
commits on top of an entry without a seal. So at most the newest entry has none: its writer died, or is
about to seal it. Such an entry is taken only when everything that it names is found to be so, and the
next writer seals it.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from attribution_pipeline.lake.checked import said_by, with_digest
from attribution_pipeline.lake.crash import crash_point
from attribution_pipeline.lake.formats import require_known
from attribution_pipeline.lake.store import LOG, Store, create_once, log_entry
from attribution_pipeline.model.errors import Refusal

FOLDER = "seals"
SCHEMA = 1

_OURS = re.compile(r"\d{20}\.json|\d{20}\.checkpoint\.parquet|_last_checkpoint")
_PART = re.compile(r"^[._]|\.tmp|#")
"""What a writer leaves behind that is killed while it writes: nobody reads it."""

_REMEDY = "restore it from a copy; nothing was changed"


@dataclass(frozen=True)
class Entry:
    """One commit of the log. ``actions``: its lines, each an object with one key."""

    version: int
    sha256: str
    actions: tuple[tuple[str, dict[str, Any]], ...]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The actions of a kind: ``add``, ``remove``, ``commitInfo``, ``metaData``, ``protocol``."""
        return [said for found, said in self.actions if found == kind]


def seal_name(table: str, version: int, of: str = "") -> str:
    """The name of the seal of a commit; ``of`` is ``.checkpoint`` for that of a checkpoint."""
    return f"{FOLDER}/{table}/{version:020d}{of}.json"


def unsealed(store: Store, name: str, content: bytes) -> dict[str, Any]:
    """What a seal says. Raises Refusal where the seal itself was changed: it has its own digest, so
    that a changed seal is not taken for a changed entry."""
    try:
        return said_by(content)
    except ValueError:
        raise refused(store, name, "a seal of Delta's log was changed") from None


def refused(store: Store, name: str, what: str) -> Refusal:
    """A Refusal that names a damaged object."""
    return Refusal(what, where=store.where(name), remedy=_REMEDY)


def unwritten(store: Store, name: str, error: Exception) -> Exception:
    """delta-rs's own error as people are told of it; an ``OSError`` says it already."""
    if isinstance(error, OSError):
        return error
    return Refusal(
        f"Delta's log cannot be written: {' '.join(str(error).split())}",
        where=store.where(name),
        remedy="see that the folder may be written and has space, and run the day again",
    )


class SealedLog:
    """The entries of one table's log, oldest first, each read once."""

    def __init__(
        self,
        store: Store,
        table: str,
        take: Callable[[Entry], None],
        check: Callable[[Entry], None],
    ) -> None:
        """``take`` is given every entry once; ``check`` one without a seal before that, to raise
        Refusal unless all that it says is so."""
        self._store = store
        self._table = table
        self._take = take
        self._check = check
        self._lock = threading.RLock()
        self._previous = ""
        self._unsealed: bytes | None = None
        self.version = -1
        """Of the newest entry that was taken."""

    def refresh(
        self, check: Callable[[Entry], None] | None = None, *, until: int | None = None
    ) -> None:
        """Take what was committed since, or ``until`` a version. ``check`` stands in for the log's
        own, for a writer who knows what the next entry must say. Raises Refusal naming an entry or
        seal that is damaged or missing."""
        with self._lock:
            if self.version < 0:
                self._require_no_gap()
            try:
                while self.version != until and self._next(check or self._check):
                    pass
            finally:
                self._store.expect(())

    def require_nothing_else(self) -> None:
        """Raise Refusal where the log's folder holds what no run of ours puts there, or the seals
        go on where the log ends."""
        folder = f"{self._table}/{LOG}"
        for name in self._store.names(folder):
            if not _OURS.fullmatch(name) and not _PART.search(name):
                raise refused(self._store, f"{folder}/{name}", "is no file of Delta's log of ours")
        for _, version in versions_in(self._store, f"{FOLDER}/{self._table}"):
            if version > self.version:
                raise self._damaged(version, "an entry of Delta's log is missing")

    def seal(self) -> None:
        """Seal the newest entry, if nobody did. For writers, before and after they commit."""
        with self._lock:
            if self._unsealed is None:
                return
            name = seal_name(self._table, self.version)
            create_once(self._store, name, self._unsealed)
            crash_point(f"{self._table}.sealed")
            self._settle()

    def _next(self, check: Callable[[Entry], None]) -> bool:
        version = self.version + 1
        # the seal first: it is written after its entry, so with a seal there must be an entry
        seal = self._read(seal_name(self._table, version))
        content = self._read(log_entry(self._table, version))
        if content is None:
            if seal is not None:
                raise self._damaged(version, "an entry of Delta's log is missing")
            self._look_for_seal(must_be=False)
            return False
        self._look_for_seal(must_be=True)
        digest = hashlib.sha256(content).hexdigest()
        expected = with_digest(
            {
                "schema": SCHEMA,
                "table": self._table,
                "version": version,
                "entry": digest,
                "previous": self._previous,
            }
        )
        seal = seal or self._read(seal_name(self._table, version))
        if seal is None:
            entry = self._parsed(version, digest, content)
            check(entry)
        else:
            self._require_seal(version, seal, expected)
            entry = self._parsed(version, digest, content)
        self._take(entry)
        self.version = version
        self._unsealed = expected
        if seal is not None:
            self._settle()
        return True

    def _settle(self) -> None:
        if self._unsealed is not None:
            self._previous = hashlib.sha256(self._unsealed).hexdigest()
        self._unsealed = None

    def _look_for_seal(self, *, must_be: bool) -> None:
        """The newest entry had no seal when it was taken; under another entry it must have one."""
        if self._unsealed is None:
            return
        seal = self._read(seal_name(self._table, self.version))
        if seal is not None:
            self._require_seal(self.version, seal, self._unsealed)
            self._settle()
        elif must_be:
            name = seal_name(self._table, self.version)
            raise refused(self._store, name, "a seal of Delta's log is missing")

    def _require_seal(self, version: int, found: bytes, expected: bytes) -> None:
        if found == expected:
            return
        name = seal_name(self._table, version)
        said = unsealed(self._store, name, found)
        wanted = unsealed(self._store, name, expected)
        require_known("seal", said.get("schema"), self._store.where(name))
        if any(said.get(key) != wanted[key] for key in ("schema", "table", "version", "previous")):
            raise refused(self._store, name, "a seal of Delta's log does not follow the one before")
        raise self._damaged(
            version, "an entry of Delta's log was changed: it is not what was sealed"
        )

    def _parsed(self, version: int, digest: str, content: bytes) -> Entry:
        try:
            lines = [json.loads(line) for line in content.decode().rstrip("\n").split("\n")]
            actions = tuple(_action(line) for line in lines)
        except ValueError:
            raise self._damaged(version, "an entry of Delta's log cannot be read") from None
        return Entry(version, digest, actions)

    def _require_no_gap(self) -> None:
        """A missing entry would end the log in silence, with its seal gone, too."""
        found = {version for _, version in versions_in(self._store, f"{self._table}/{LOG}")}
        self._store.expect(
            [
                name
                for version in sorted(found)
                for name in (seal_name(self._table, version), log_entry(self._table, version))
            ]
        )
        for version in range(len(found)):
            # a listing may miss what appears while it is made
            if version not in found and not self._store.exists(log_entry(self._table, version)):
                raise self._damaged(version, "an entry of Delta's log is missing")

    def _read(self, name: str) -> bytes | None:
        try:
            return self._store.read(name)
        except FileNotFoundError:
            return None

    def _damaged(self, version: int, what: str) -> Refusal:
        return refused(self._store, log_entry(self._table, version), what)


def versions_in(store: Store, folder: str) -> Iterator[tuple[str, int]]:
    """(name, version) of the commits or seals in a folder, oldest first."""
    for name in store.names(folder):
        stem = name.removesuffix(".json")
        if len(stem) == 20 and stem.isdigit() and stem != name:
            yield name, int(stem)


def _action(line: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(line, dict) or len(line) != 1:
        raise ValueError("an action is an object with one key")
    ((kind, said),) = line.items()
    if not isinstance(said, dict):
        raise ValueError("an action is an object")
    return kind, said
