"""The lake: a day is recorded by one commit, and read only through what that commit names.

Belongs here: the order of commits, recognition of a state that is already there, reading by
manifest. Does not: Delta's own ways (``delta``), bytes on disk (``files``).

A day is published by ONE commit of ``ledger``, whose note names the manifest, which names every
file of every table with its sha256. Before it, the side tables and the manifest's own row are
committed; a crash between leaves the old state readable here, and a rerun converges. Readers of
Delta alone (DuckDB, Spark, Trino) may see side tables ahead of the ledger in those moments.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake import manifest as manifests
from attribution_pipeline.lake.delta import DayTable
from attribution_pipeline.lake.evidence import DayEvidence
from attribution_pipeline.lake.files import StoredFile, damage, place, read_verified, scratch
from attribution_pipeline.lake.files import verified as verified_path
from attribution_pipeline.lake.states import Published, States, note
from attribution_pipeline.model.errors import Broken, Refusal

if TYPE_CHECKING:
    import pyarrow as pa

LEDGER = "ledger"
SIDE_TABLES = ("operation_costs", "operations")
MANIFESTS = "manifests"


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


class Lake:
    """Tables under one storage folder. Cheap to make; holds no lock and no open file."""

    def __init__(self, storage: Path) -> None:
        self.storage = Path(storage)
        self.evidence = DayEvidence(self.storage)
        self._states = States(self.storage, self._table(LEDGER))

    # -- recording ---------------------------------------------------------------------------

    def staging(self, day: date) -> contextlib.AbstractContextManager[Path]:
        """A scratch folder on the storage's device, removed at the end."""
        return scratch(self.storage, day.isoformat())

    def commit_day(
        self, day: date, files: Mapping[str, Path], manifest: Mapping[str, Any]
    ) -> CommitReceipt:
        """Record a day: one sorted Parquet file per table, without ``charge_date``, and why.

        ``manifest``: see ``lake.manifest``. ``manifest["previous"]`` is the id of the state that
        the caller saw when it began (None: none); if it is not the head any more and the head is
        not this very state, DayMoved is raised and nothing is published. A state that stands
        already, whole, is recognised by its evidence and content, and nothing is written.
        """
        head = self.head(day)
        key = manifests.state_key(manifest)
        if head is not None and head.state_key == key and self._is_whole(head):
            self._align_side_tables(head)
            return _receipt(head, unchanged=True, tries=0)
        previous = manifest.get("previous", head.manifest_id if head else None)
        _require_head(day, head, previous)
        stored = {
            table: self._place(table, day, Path(path)) for table, path in sorted(files.items())
        }
        document = manifests.canonical(
            {
                **manifest,
                "charge_date": day,
                "state": head.state + 1 if head else 1,
                "previous": previous,
                "files": {table: file.as_dict() for table, file in stored.items()},
            }
        )
        for table in SIDE_TABLES:
            self._table(table).replace_day(day, [stored[table]])
        manifest_file = self._write_manifest(day, document)
        return self._publish(day, document, stored[LEDGER], manifest_file)

    # -- reading -----------------------------------------------------------------------------

    def days(self) -> list[date]:
        """Recorded days, oldest first."""
        return list(self._states.heads())

    def states(self) -> Sequence[Published]:
        """Every state ever published, in the order of the ledger's log."""
        return self._states.all()

    def head(self, day: date) -> Published | None:
        """The day's newest state, or None where none was recorded."""
        return self._states.head(day)

    def manifest(self, day: date) -> dict[str, Any]:
        """The manifest of the day's newest state; Refusal where the day is not recorded."""
        head = self.head(day)
        if head is None:
            raise Refusal(
                f"{day} is not recorded",
                where=str(self.storage),
                remedy=f"attribution run --from {day} --to {day}",
            )
        return self._states.document(head)

    def file_paths(
        self, table: str, first: date, last: date, *, check: bool = True
    ) -> list[tuple[date, Path]]:
        """(day, path) of a table's files in [first, last], as the ledger's commits name them.

        The files lack ``charge_date``. ``check`` hashes each before it is handed out.
        """
        return [
            (day, verified_path(self.storage, stored) if check else self.storage / stored.path)
            for day, stored in self._named(table, first, last)
        ]

    def read(
        self, table: str, first: date, last: date, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """A table's rows in [first, last], in the table's schema, day by day as they were sorted.

        Opens only files that the ledger's commits name; each is hashed before it is parsed, and
        Refusal names one that differs.
        """
        import pyarrow as pa

        schema = _schema(table)
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        stored_columns = [name for name in schema.names if name != "charge_date"]
        parts = [schema.empty_table()]
        for day, stored in self._named(table, first, last):
            rows = read_verified(self.storage, stored, stored_columns)
            parts.append(_with_day(rows, day, stored.rows, schema))
        return pa.concat_tables(parts)

    def differences(self, day: date) -> list[str]:
        """Where the day's files or Delta's log are not what its manifest says; empty when whole."""
        document = self.manifest(day)
        found = []
        for table, entry in sorted(document["files"].items()):
            stored = StoredFile(**entry)
            found += [f"{table}: {text}" for text in damage(self.storage, stored)]
            active = self._table(table).active(day)
            if active != [stored.path]:
                found.append(f"{table}: Delta's log names {active}, the manifest {stored.path}")
        for plane, evidence in sorted(document["inputs"].items()):
            for table, entry in sorted(evidence["files"].items()):
                texts = damage(self.storage, StoredFile(**entry))
                found += [f"{plane}.{table}: {text}" for text in texts]
        return found

    # -- inside ------------------------------------------------------------------------------

    def _table(self, name: str) -> DayTable:
        return DayTable(self.storage, name, lambda: _schema(name))

    def _place(self, table: str, day: date, path: Path) -> StoredFile:
        import pyarrow.parquet as pq

        expected = [(f.name, f.type) for f in _schema(table) if f.name != "charge_date"]
        found = [(f.name, f.type) for f in pq.read_schema(path)]
        if found != expected:
            wrong = sorted(f"{name} {kind}" for name, kind in set(found) ^ set(expected))
            raise Broken(f"{table} of {day} is not of its schema: {wrong or 'order of columns'}")
        return place(path, self.storage, self._table(table).folder_of(day))

    def _write_manifest(self, day: date, document: str) -> StoredFile:
        import pyarrow.parquet as pq

        row = manifests.row(json.loads(document), document)
        table = self._table(MANIFESTS)
        with scratch(self.storage, "manifest") as folder:
            staged = folder / "manifest.parquet"
            pq.write_table(row, staged, compression="zstd")
            stored = place(staged, self.storage, table.folder_of(day))
        table.replace_day(day, [stored], keep_others=True)
        return stored

    def _publish(
        self, day: date, document: str, ledger: StoredFile, manifest_file: StoredFile
    ) -> CommitReceipt:
        """The commit point. A twin run that published this very state first is recognised."""
        manifest = json.loads(document)
        said = note(manifest, manifests.manifest_id(document), manifest_file)

        def is_published() -> bool:
            head = self.head(day)
            standing = (head.state, head.state_key) if head else None
            if standing == (said["state"], said["state_key"]):
                return True
            _require_head(day, head, manifest["previous"])
            return False

        made = self._table(LEDGER).replace_day(day, [ledger], note=said, unless=is_published)
        head = self.head(day)
        if head is None:
            raise Broken(f"{day} was committed and is not in the ledger's log")
        if head.manifest_id != said["manifest"]:
            self._align_side_tables(head)
        unchanged = head.manifest_id != said["manifest"]
        return _receipt(head, unchanged=unchanged, tries=made[1] if made else 0)

    def _align_side_tables(self, head: Published) -> None:
        """A run that died before its ledger commit left side tables ahead: bring them back."""
        named = self._states.document(head)["files"]
        for table in SIDE_TABLES:
            self._table(table).replace_day(head.day, [StoredFile(**named[table])])

    def _is_whole(self, head: Published) -> bool:
        if damage(self.storage, head.manifest_file):
            return False
        entries = self._states.document(head)["files"].values()
        return not any(damage(self.storage, StoredFile(**entry)) for entry in entries)

    def _named(self, table: str, first: date, last: date) -> Iterator[tuple[date, StoredFile]]:
        for day, state in self._states.heads().items():
            if first <= day <= last:
                yield day, StoredFile(**self._states.document(state)["files"][table])


def _schema(table: str) -> pa.Schema:
    from attribution_pipeline.model import ledger

    if table == MANIFESTS:
        return manifests.schema()
    known = {
        LEDGER: ledger.LEDGER,
        "operation_costs": ledger.OPERATION_COSTS,
        "operations": ledger.OPERATIONS,
    }
    return known[table]


def _with_day(rows: pa.Table, day: date, count: int, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    arrays = [
        pa.repeat(pa.scalar(day, pa.date32()), count)
        if field.name == "charge_date"
        else rows.column(field.name)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def _require_head(day: date, head: Published | None, previous: str | None) -> None:
    found = head.manifest_id if head else None
    if found != previous:
        raise DayMoved(
            f"{day} was recorded by another run (state {found}) while this one computed it "
            f"from state {previous}; run the day again"
        )


def _receipt(head: Published, *, unchanged: bool, tries: int) -> CommitReceipt:
    return CommitReceipt(
        day=head.day,
        manifest_id=head.manifest_id,
        state=head.state,
        ledger_version=head.ledger_version,
        unchanged=unchanged,
        tries=tries,
    )
