"""Recording a day: the order of commits, and recognising what is already there.

Belongs here: from a day's files and what is said of them to its next state. Does not: one table's
commit (``delta``), reading (``tables``).

Side tables first, then the manifest's row, then the ledger: the only commit point. Whatever dies or
fails in between leaves the old state readable, and side tables that ran ahead are brought back by
whoever works on the day next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from attribution_pipeline.lake import manifest as manifests
from attribution_pipeline.lake.crash import crash_point
from attribution_pipeline.lake.delta import DayTable
from attribution_pipeline.lake.files import StoredFile, damage, place, verified
from attribution_pipeline.lake.shapes import LEDGER, MANIFESTS, SIDE_TABLES, holds, schema_of
from attribution_pipeline.lake.states import Published, States, note
from attribution_pipeline.lake.store import Store
from attribution_pipeline.model.errors import Broken, Refusal

DayFiles = Mapping[str, Sequence[Path | StoredFile]]
"""Table -> files of a day: a ``Path`` is new and to be placed, a ``StoredFile`` stands already."""


class DayMoved(Exception):
    """Another run recorded the day with other evidence while this one computed it."""


@dataclass(frozen=True)
class CommitReceipt:
    """What recording a day came to. ``unchanged``: the recorded state was this one already."""

    day: date
    manifest_id: str
    state: int
    ledger_version: int
    unchanged: bool
    tries: int


class Recorder:
    """Records days in one lake."""

    def __init__(
        self,
        store: Store,
        tables: Mapping[str, DayTable],
        states: States,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._tables = tables
        self._states = states
        self._clock = clock

    def commit(self, day: date, files: DayFiles, manifest: Mapping[str, Any]) -> CommitReceipt:
        """See ``Lake.commit_day``."""
        _require_shape(day, files)
        head = self._states.head(day)
        key = manifests.state_key(manifest)
        if self._stands(head, key):
            return self.receipt(day)
        previous = manifest.get("previous", head.manifest_id if head else None)
        _require_head(day, head, previous)
        stored = {
            table: [self._standing(table, day, file) for file in found]
            for table, found in sorted(files.items())
        }
        if self._stands(head, key):  # it stood, but for a file that is whole again now
            return self.receipt(day)
        crash_point("day.placed")
        document = manifests.canonical(
            {
                **manifest,
                "schema": manifests.SCHEMA,
                "charge_date": day,
                "state": head.state + 1 if head else 1,
                "previous": previous,
                "files": {
                    table: [file.as_dict() for file in found] for table, found in stored.items()
                },
            }
        )
        for table in SIDE_TABLES:
            self._tables[table].replace_day(day, stored.get(table, []))
        crash_point("day.sides_committed")
        manifest_file = self._write_manifest(day, document)
        return self._publish(day, document, stored[LEDGER], manifest_file)

    def mend(self, day: date, files: DayFiles) -> CommitReceipt:
        """See ``Lake.mend_day``."""
        head = self._states.head(day)
        if head is None:
            raise Broken(f"{day} is not recorded, so there is nothing to mend")
        named = self._states.document(head)["files"]
        for table, found in sorted(files.items()):
            again = [self._standing(table, day, file).as_dict() for file in found]
            if again != named.get(table, []):
                raise Refusal(
                    f"recorded files of {table} were changed, and computing them again gave others",
                    where=self._store.where(self._tables[table].folder_of(day)),
                    remedy="restore the files that the manifest names from a copy",
                )
        return self.receipt(day)

    def receipt(self, day: date, *, made: str = "", tries: int = 0) -> CommitReceipt:
        """What recording the day comes to that stands, after a run that died is made up for: side
        tables that it left ahead are brought back, commits that it did not seal are sealed.

        ``made``: the manifest that the caller published itself.
        """
        while True:
            head = self._states.head(day)
            if head is None:
                raise Broken(f"{day} was committed and is not in the ledger's log")
            named = self._states.document(head)["files"]
            for table in SIDE_TABLES:
                entries = [StoredFile(**entry) for entry in named.get(table, [])]
                if self._tables[table].active(day) != sorted(entry.path for entry in entries):
                    self._tables[table].replace_day(day, entries)
            for each in self._tables.values():
                each.settle()
            crash_point("day.aligned")
            if self._states.head(day) == head:  # else side tables were just taken back too far
                return CommitReceipt(
                    day=day,
                    manifest_id=head.manifest_id,
                    state=head.state,
                    ledger_version=head.ledger_version,
                    unchanged=head.manifest_id != made,
                    tries=tries,
                )

    def _publish(
        self, day: date, document: str, ledger: Sequence[StoredFile], manifest_file: StoredFile
    ) -> CommitReceipt:
        """The commit point. A twin run that published this very state first is recognised."""
        manifest = json.loads(document)
        identity = manifests.manifest_id(document)
        mine = (manifest["state"], manifests.state_key(manifest))

        def is_published() -> bool:
            head = self._states.head(day)
            if head is not None and (head.state, head.state_key) == mine:
                return True
            _require_head(day, head, manifest["previous"])
            return False

        def said() -> dict[str, Any]:
            return note(manifest, identity, manifest_file, self._published_at(day))

        try:
            made = self._tables[LEDGER].replace_day(day, ledger, note=said, unless=is_published)
        except DayMoved:
            self.receipt(day)  # with the side tables of whoever was first
            raise
        crash_point("day.published")
        return self.receipt(day, made=identity, tries=made[1] if made else 0)

    def _published_at(self, day: date) -> datetime:
        """Now; never before the state that it follows, whatever the machine's clock says."""
        now = self._clock().astimezone(UTC)
        head = self._states.head(day)
        return max(now, head.published_at) if head else now

    def _stands(self, head: Published | None, key: str) -> bool:
        """Whether the day's newest state is this one, with all of its files as recorded."""
        if head is None or head.state_key != key or damage(self._store, head.manifest_file):
            return False
        named = self._states.document(head)["files"].values()
        return not any(damage(self._store, StoredFile(**one)) for many in named for one in many)

    def _standing(self, table: str, day: date, file: Path | StoredFile) -> StoredFile:
        """The file at its place: a new one is put there, a kept one is looked at again."""
        if isinstance(file, StoredFile):
            verified(self._store, file)
            return file
        return self._place(table, day, Path(file))

    def _place(self, table: str, day: date, path: Path) -> StoredFile:
        import pyarrow.parquet as pq

        expected = [(f.name, f.type) for f in schema_of(table) if f.name != "charge_date"]
        found = [(f.name, f.type) for f in pq.read_schema(path)]
        if [name for name, _ in found] != [name for name, _ in expected] or not all(
            holds(declared, kind) for (_, declared), (_, kind) in zip(expected, found, strict=True)
        ):
            wrong = sorted(f"{name} {kind}" for name, kind in set(found) ^ set(expected))
            raise Broken(f"{table} of {day} is not of its schema: {wrong or 'order of columns'}")
        return place(self._store, path, self._tables[table].folder_of(day))

    def _write_manifest(self, day: date, document: str) -> StoredFile:
        import pyarrow.parquet as pq

        row = manifests.row(json.loads(document), document)
        table = self._tables[MANIFESTS]
        with self._store.scratch("manifest") as folder:
            staged = folder / "manifest.parquet"
            pq.write_table(row, staged, compression="zstd")
            stored = place(self._store, staged, table.folder_of(day))
        crash_point("day.manifest_placed")
        table.replace_day(day, [stored], keep_others=True)
        crash_point("day.manifest_committed")
        return stored


def _require_shape(day: date, files: DayFiles) -> None:
    unknown = sorted(set(files) - {LEDGER, *SIDE_TABLES})
    if unknown:
        raise Broken(f"{day}: {unknown} are no tables of a day: {[LEDGER, *SIDE_TABLES]}")
    if not files.get(LEDGER):
        raise Broken(f"{day} has no ledger file; without rows it has an empty one")


def _require_head(day: date, head: Published | None, previous: str | None) -> None:
    found = head.manifest_id if head else None
    if found != previous:
        raise DayMoved(
            f"{day} was recorded by another run (state {found}) while this one computed it "
            f"from state {previous}; run the day again"
        )
