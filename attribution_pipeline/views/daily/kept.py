"""Roll-ups at rest: Delta tables beside the ledger, one file a day, found by what they were made of.

Belongs here: keeping a day's file in one commit, finding the one of a basis. Does not: making one.

The commit's note says the basis, so a table's log is its own index, and a roll-up of an older state is
still there for ``--as-of``.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake.delta import DayTable
from attribution_pipeline.lake.files import StoredFile, place, verified
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.views.daily.basis import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.lake import Lake
    from attribution_pipeline.views.daily.making import Totals

BASIS = "basis"


@dataclass(frozen=True)
class Kept:
    """One day of one roll-up, as its commit names it."""

    file: StoredFile
    basis: str
    totals: Mapping[str, list[str]]
    """Of the ledger that it was made from; empty for tables that do not sum to it."""


class Rollups:
    """The stored roll-ups of one lake. Safe for threads; keeps what it has read of the logs."""

    def __init__(self, lake: Lake) -> None:
        self._store = lake.store
        self._lock = threading.Lock()
        self._tables = {name: DayTable(lake.store, name, partial(_schema, name)) for name in TABLES}
        self._seen = dict.fromkeys(TABLES, -1)
        self._found: dict[tuple[str, date, str], Kept] = {}
        self._newest: dict[tuple[str, date], str] = {}

    def find(self, table: str, day: date, basis: str) -> Kept | None:
        """The roll-up of that day that was made of that basis, whole. None where there is none, or where
        it or the table's log was damaged: what can be computed again is no reason to refuse."""
        try:
            with self._lock:
                self._refresh(table)
                kept = self._found.get((table, day, basis))
            if kept is not None:
                verified(self._store, kept.file)
        except Refusal:
            return None
        return kept

    def stands(self, table: str, day: date, basis: str) -> bool:
        """Whether the table's newest commit of the day is of that basis, and its file whole. Raises
        Refusal where the log is damaged: nothing can be added to it."""
        with self._lock, self._mendable(table):
            self._refresh(table)
            is_newest = self._newest.get((table, day)) == basis
        return is_newest and self.find(table, day, basis) is not None

    def keep(
        self,
        table: str,
        day: date,
        basis: str,
        rows: pa.Table,
        totals: Totals,
        *,
        unless: Callable[[], bool] | None = None,
    ) -> Kept | None:
        """Make ``rows`` the day's, in one commit that says what they were made of.

        ``unless`` is asked before the commit: true leaves the day as it is (None is returned), since it
        has moved on and who moved it makes its roll-up.
        """
        import pyarrow.parquet as pq

        with self._lock, self._mendable(table):
            kept = self._tables[table]
            with self._store.scratch(table) as folder:
                staged = folder / f"{table}.parquet"
                pq.write_table(rows.drop(["charge_date"]), staged, compression="zstd")
                file = place(self._store, staged, kept.folder_of(day))
            said: dict[str, Any] = {BASIS: basis, "file": file.as_dict(), "totals": totals}
            done = kept.replace_day(day, [file], note=lambda: said, unless=unless)
            self._refresh(table)
            return self._found[table, day, basis] if done is not None else None

    @contextlib.contextmanager
    def _mendable(self, table: str) -> Iterator[None]:
        """What is wrong with a roll-up's log is mended by doing without it, and then it is read anew."""
        try:
            yield
        except Refusal as refusal:
            self._forget(table)
            raise Refusal(
                refusal.what,
                where=refusal.where,
                remedy=f"remove the folders {table} and seals/{table} from the storage: a roll-up is "
                "made anew from the ledger",
            ) from refusal

    def _forget(self, table: str) -> None:
        self._tables[table] = DayTable(self._store, table, partial(_schema, table))
        self._seen[table] = -1
        self._found = {key: kept for key, kept in self._found.items() if key[0] != table}
        self._newest = {key: one for key, one in self._newest.items() if key[0] != table}

    def _refresh(self, table: str) -> None:
        for commit in self._tables[table].commits(after=self._seen[table]):
            said = commit.note
            day = date.fromisoformat(said["charge_date"])
            kept = Kept(StoredFile(**said["file"]), said[BASIS], said["totals"])
            self._found[table, day, kept.basis] = kept
            self._newest[table, day] = kept.basis
            self._seen[table] = commit.version


def rollups_of(lake: Lake) -> Rollups:
    """The roll-ups beside a lake: one object for each, which reads a log once."""
    with _LOCK:
        found = _OF_LAKE.get(lake)
        if found is None:
            found = _OF_LAKE[lake] = Rollups(lake)
        return found


_LOCK = threading.Lock()
_OF_LAKE: weakref.WeakKeyDictionary[Lake, Rollups] = weakref.WeakKeyDictionary()


def _schema(table: str) -> pa.Schema:
    from attribution_pipeline.model.daily import SCHEMAS

    return SCHEMAS[table]
