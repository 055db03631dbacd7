"""Whether a commit that has no seal yet is what a run of ours wrote.

Belongs here: holding a log entry against its own note and against the files that it names. Does not:
when that is asked (``log``), what the entry then does to a day (``delta``).

Its writer died between commit and seal, or is about to seal. The next writer will seal what stands
there, so all that the entry says must be found to be so: the note carries its own digest and names
what the entry adds and removes, files are named by their sha256, and a ledger commit is what its
manifest makes of it. Times and names that Delta keeps for itself, and nobody reads, are not looked at.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake.files import hashed
from attribution_pipeline.lake.log import Entry, refused
from attribution_pipeline.lake.manifest import canonical
from attribution_pipeline.lake.store import Store, log_entry
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import pyarrow as pa

DAY_FILE = re.compile(r"charge_date=(\d{4}-\d{2}-\d{2})/([0-9a-f]{64})\.parquet")
"""Where a file lies inside its table: its day and its sha256."""

Note = dict[str, Any]


def sworn(note: Note) -> Note:
    """The note with the digest of all else that it says."""
    said = {key: value for key, value in note.items() if key != "sha256"}
    return {**said, "sha256": hashlib.sha256(canonical(said).encode()).hexdigest()}


def stats_of(rows: int) -> str:
    """What a commit says of a file's content to other engines, which count by it."""
    return json.dumps({"numRecords": rows})


class Adoption:
    """Checks entries of one table. ``check_note``: given a note and the files that its day has after
    the commit, raises Refusal unless they go together."""

    def __init__(
        self,
        store: Store,
        table: str,
        schema: Callable[[], pa.Schema],
        properties: Mapping[str, str],
        check_note: Callable[[Note, list[str]], None],
    ) -> None:
        self._store = store
        self._table = table
        self._schema = schema
        self._properties = properties
        self._check_note = check_note

    def require_true(self, entry: Entry, files_of: Callable[[str], Mapping[str, int]]) -> None:
        """Raise Refusal unless everything that the entry says is so. ``files_of``: the files of a
        day (ISO) before it, path inside the table to size."""
        if entry.version == 0:
            self._require_created(entry)
            return
        note = self.note_of(entry)
        day = str(note.get("charge_date"))
        files = dict(files_of(day))
        for said in entry.of("remove"):
            if files.pop(said["path"], None) is None or said.get("dataChange") is not True:
                raise self._unbelievable(entry)
        for said, rows in zip(entry.of("add"), note["rows"], strict=True):
            self._require_added(entry, day, said, rows)
            files[said["path"]] = said["size"]
        self._check_note(note, sorted(f"{self._table}/{path}" for path in files))

    def require_written(self, entry: Entry, note: Note) -> None:
        """Raise Refusal unless the entry reads as the caller just wrote it."""
        if self.note_of(entry) != json.loads(json.dumps(note)):
            raise self._unbelievable(entry)

    def note_of(self, entry: Entry) -> Note:
        """The note of an entry of ours, which names what the entry adds and removes."""
        try:
            (info,) = entry.of("commitInfo")
            note: Note = json.loads(info["userMetadata"])
            int(info["timestamp"])
            added = [f"{self._table}/{said['path']}" for said in entry.of("add")]
            removed = [f"{self._table}/{said['path']}" for said in entry.of("remove")]
            known = len(added) + len(removed) + 1 == len(entry.actions)
            named = (note["added"], note["removed"]) == (added, removed)
            if not known or not named or len(note["rows"]) != len(added) or sworn(note) != note:
                raise self._unbelievable(entry)
        except (ValueError, KeyError, TypeError):
            raise self._unbelievable(entry) from None
        return note

    def _require_added(self, entry: Entry, day: str, said: dict[str, Any], rows: int) -> None:
        found = DAY_FILE.fullmatch(said["path"])
        expected = {
            "partitionValues": {"charge_date": day},
            "dataChange": True,
            "stats": stats_of(rows),
        }
        differs = any(said.get(key) != value for key, value in expected.items())
        if found is None or found[1] != day or differs:
            raise self._unbelievable(entry)
        name = f"{self._table}/{said['path']}"
        try:
            path, digest = hashed(self._store, name, found[2])
            whole = digest == found[2]
        except FileNotFoundError:
            whole = False
        if not whole:
            raise refused(
                self._store, name, "a file of the newest commit is missing or was changed"
            )
        if path.stat().st_size != said.get("size"):
            raise self._unbelievable(entry)

    def _require_created(self, entry: Entry) -> None:
        from deltalake import Schema

        try:
            (said,) = entry.of("metaData")
            schema = json.loads(said["schemaString"])
            same = (
                len(entry.of("protocol")) == 1
                and (said["name"], said["partitionColumns"]) == (self._table, ["charge_date"])
                and said["configuration"] == self._properties
                and schema == json.loads(Schema.from_arrow(self._schema()).to_json())
            )
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise self._unbelievable(entry)

    def _unbelievable(self, entry: Entry) -> Refusal:
        return refused(
            self._store,
            log_entry(self._table, entry.version),
            "the newest entry of Delta's log has no seal and is not as a run writes one",
        )
