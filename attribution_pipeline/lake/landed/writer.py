"""One landing in the making: rows of many objects gathered into few files, then one index entry.

Belongs here: grouping within bounds of rows and bytes, objects that are whole or absent, the
commit. Does not: reading objects (``sources``), encoding (``parquet``), the index file (``index``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from attribution_pipeline.lake.crash import crash_point
from attribution_pipeline.lake.files import place
from attribution_pipeline.lake.landed import parquet
from attribution_pipeline.lake.landed.records import (
    EVERY_OBJECT_STANDS,
    REJECTED_TABLE,
    LandedFile,
    ObjectRecord,
)
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.evidence import REJECTED, SCHEMAS

if TYPE_CHECKING:
    from attribution_pipeline.lake.landed.store import LandedStore

FILE_ROWS = 500_000
"""Rows after which a file is written."""
FILE_BYTES = 256 << 20
"""Arrow bytes after which a file is written, whatever its rows."""
GATHERED_BYTES = 512 << 20
"""Arrow bytes of all files in the making: spans of many days fill many files at once."""

SMALL_TABLE_ROWS = 256

_SAFE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")

Key = tuple[str, str, date | None]
"""Table, source, and for spans the end day."""


@dataclass
class _Gathered:
    """Rows on their way into one file."""

    tables: list[pa.Table] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    day_from: date | None = None
    day_to: date | None = None
    objects: dict[str, None] = field(default_factory=dict)

    def take(self, other: _Gathered) -> None:
        self.tables += other.tables
        self.rows += other.rows
        self.bytes += other.bytes
        self.objects.update(other.objects)
        if other.day_from is not None and other.day_to is not None:
            self.day_from = min(self.day_from or other.day_from, other.day_from)
            self.day_to = max(self.day_to or other.day_to, other.day_to)

    @property
    def is_full(self) -> bool:
        return self.rows >= FILE_ROWS or self.bytes >= FILE_BYTES


@dataclass
class _Current:
    """What the object that is being read has given so far."""

    groups: dict[Key, _Gathered] = field(default_factory=dict)
    spilled: list[tuple[Key, _Gathered, Path]] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)


class LandingWriter:
    """``add`` and ``add_rejected`` speak of the current object; ``add_object`` ends it and keeps
    it, ``discard_object`` throws it away. Nothing is landed before ``commit``.
    """

    def __init__(self, store: LandedStore, staging: Path, attributes: tuple[str, ...] = ()) -> None:
        self._store = store
        self._staging = staging
        self._attributes = attributes
        self._again: dict[str, set[str]] = {}
        self._staged = 0
        self._current = _Current()
        self._groups: dict[Key, _Gathered] = {}
        self._files: list[LandedFile] = []
        self._objects: list[ObjectRecord] = []
        self.rows = 0
        """Rows of kept objects since the last commit."""

    def add(self, table: str, source: str, rows: pa.Table) -> None:
        """Rows of the current object: exactly ``SCHEMAS[table]``."""
        if not rows.schema.equals(SCHEMAS[table]):
            raise TypeError(f"rows are not of the schema of {table}")
        self._current.rows[table] += rows.num_rows
        if not rows.num_rows:
            return
        if table == "spans":
            for day, part in parquet.by_end_day(rows):
                self._gather((table, source, day), part, (day, day))
        else:
            self._gather((table, source, None), rows, parquet.days_of(table, rows))

    def add_rejected(
        self,
        kind: str,
        source: str,
        object_id: str,
        uri: str,
        rejected: Iterable[tuple[int, str, str]],
    ) -> None:
        """Records of the current object that could not be read: (position, reason, detail)."""
        records = list(rejected)
        if not records:
            return
        self._current.rejected.update(reason for _, reason, _ in records)
        columns = [[object_id] * len(records), [uri] * len(records), *zip(*records, strict=True)]
        rows = pa.table(
            [pa.array(values, type=f.type) for values, f in zip(columns, REJECTED, strict=True)],
            schema=REJECTED,
        )
        rows = rows.add_column(0, pa.field("kind", pa.string()), pa.repeat(kind, rows.num_rows))
        self._gather((REJECTED_TABLE, source, None), rows, None)

    def add_object(
        self,
        *,
        kind: str,
        source: str,
        uri: str,
        path: str,
        fingerprint: str,
        size: int,
        object_id: str,
        delivery: str = "",
        delivery_order: str = "",
        read: bool = True,
        refused: bool = False,
        rounding_moved: Decimal = Decimal(0),
        again: bool = False,
        takes_back: Sequence[str] = (),
    ) -> ObjectRecord:
        """End the current object and keep what it gave; its counts and days follow from that.

        ``again``: of spans that were landed before; what it gave now stands instead of that.
        ``takes_back``: other objects of spans that it begins with, whole: what they gave stands no more.
        """
        current, self._current = self._current, _Current()
        gathered = [*current.groups.values(), *(part for _, part, _ in current.spilled)]
        first = [part.day_from for part in gathered if part.day_from is not None]
        last = [part.day_to for part in gathered if part.day_to is not None]
        record = ObjectRecord(
            kind=kind, source=source, uri=uri, path=path, fingerprint=fingerprint, size=size,
            object_id=object_id, delivery=delivery, delivery_order=delivery_order, read=read,
            refused=refused, records=current.rows.total() + current.rejected.total(),
            rows=dict(current.rows), rejected=dict(current.rejected),
            day_from=min(first, default=None), day_to=max(last, default=None),
            rounding_moved=rounding_moved,
        )  # fmt: skip
        for key, part, staged in current.spilled:
            if kind not in EVERY_OBJECT_STANDS:
                part.objects[object_id] = None
            self._place(key, part, staged)
        for key, part in current.groups.items():
            if kind not in EVERY_OBJECT_STANDS:
                part.objects[object_id] = None
            self._groups.setdefault(key, _Gathered()).take(part)
        for earlier in takes_back:
            empty = replace(record, object_id=earlier, records=0, rows={}, rejected={}, day_from=None,
                            day_to=None)  # fmt: skip
            self._objects.append(empty)
        self._objects.append(record)
        if again or takes_back:
            ids = self._again.setdefault(source, set())
            ids.update(takes_back, [object_id] if again else [])
        self.rows += current.rows.total()
        self._flush_full()
        return record

    def discard_object(self) -> None:
        """Forget everything that the current object gave."""
        for _, _, staged in self._current.spilled:
            staged.unlink()
        self._current = _Current()

    def commit(self) -> int | None:
        """Write what is gathered, then the index entry; its number, or None if there was nothing.

        The landing happens when the index file appears, and not before.
        """
        replaces = self._take_back()
        for key in list(self._groups):
            self._write(key)
        files, objects = self._files, self._objects
        self._files, self._objects, self.rows = [], [], 0
        if not objects:
            return None
        files.sort(key=lambda file: (file.table, file.source, file.path))
        crash_point("landing.gathered")
        ordinal = self._store.append(files, objects, self._attributes, replaces)
        crash_point("landing.indexed")
        return ordinal

    def _take_back(self) -> list[str]:
        """Paths of the files with what objects gave that were read again. Rows of other objects in
        them are written anew: a file stands as a whole, or not at all."""
        again, self._again = self._again, {}
        replaced = []
        for source, ids in again.items():
            read_again = pa.array(sorted(ids), pa.string())
            for file in self._store.files_of_objects(source, ids):
                try:
                    self._store.verify([file])
                except Refusal:
                    # it may have rows of others, so it stands, and the days that need it name it until it
                    # is restored; what it says of spans that were read again is then said twice
                    continue
                found = parquet.rows_of_others(self._store.local([file])[0], file.table, read_again)
                if found is None:
                    continue
                replaced.append(file.path)
                if found.num_rows:
                    day = file.day_from if file.table == "spans" else None
                    days = None if day is None else (day, day)
                    group = _Gathered([found], found.num_rows, _size_of(found), *(days or ()))
                    self._groups.setdefault((file.table, source, day), _Gathered()).take(group)
                    self._flush_full()
        return replaced

    def _gather(self, key: Key, rows: pa.Table, days: tuple[date, date] | None) -> None:
        group = self._current.groups.setdefault(key, _Gathered())
        day_from, day_to = days or (None, None)
        group.take(_Gathered([rows], rows.num_rows, _size_of(rows), day_from, day_to))
        if group.is_full:
            # an object larger than a file: set aside, so that it can still be thrown away whole
            self._current.spilled.append((key, group, self._stage(key, group)))
            del self._current.groups[key]

    def _flush_full(self) -> None:
        for key in [key for key, group in self._groups.items() if group.is_full]:
            self._write(key)
        while sum(group.bytes for group in self._groups.values()) > GATHERED_BYTES:
            self._write(max(self._groups, key=lambda key: self._groups[key].bytes))

    def _write(self, key: Key) -> None:
        group = self._groups.pop(key)
        self._place(key, group, self._stage(key, group))

    def _stage(self, key: Key, group: _Gathered) -> Path:
        source = pa.repeat(pa.scalar(key[1], pa.string()), group.rows)
        rows = pa.concat_tables(group.tables).add_column(0, pa.field("source", pa.string()), source)
        self._staged += 1
        staged = self._staging / f"{self._staged}.parquet"
        parquet.write(rows.combine_chunks(), staged)
        group.tables = []
        return staged

    def _place(self, key: Key, group: _Gathered, staged: Path) -> None:
        table, source, day = key
        folder = f"{self._store.folder_of(table)}/{_safe(source)}"
        if day is not None:
            folder += f"/day={day.isoformat()}"
        crash_point("landing.encoded")
        stored = place(self._store.store, staged, folder)
        crash_point("landing.placed")
        self._files.append(
            LandedFile(
                table=table,
                source=source,
                path=stored.path,
                sha256=stored.sha256,
                bytes=stored.bytes,
                rows=stored.rows,
                day_from=group.day_from,
                day_to=group.day_to,
                objects=tuple(sorted(group.objects)),
            )
        )


def _size_of(rows: pa.Table) -> int:
    """Arrow bytes. Exact costs half a millisecond, so that of small tables, which come by the
    thousand, is the size of their buffers, at worst too large.
    """
    few = rows.num_rows < SMALL_TABLE_ROWS
    return int(rows.get_total_buffer_size() if few else rows.nbytes)


def _safe(source: str) -> str:
    if not _SAFE_NAME.match(source):
        raise ValueError(f"source name {source!r} is not safe as a folder name")
    return source
