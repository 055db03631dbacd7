"""The lake: a day is recorded by one commit, and read only through what that commit names.

Belongs here: what others ask of the lake, reading by manifest. Does not: the order of commits
(``recorder``), Delta's own ways (``delta``), bytes on disk (``files``, ``store``).

A day is published by ONE commit of ``ledger``, whose note names the manifest, which names every
file of every table with its sha256. Before it, the side tables and the manifest's own row are
committed; a crash between leaves the old state readable here, and a rerun converges. Readers of
Delta alone (DuckDB, Spark, Trino) may see side tables ahead of the ledger in those moments.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake.content import DayContent
from attribution_pipeline.lake.delta import DayTable
from attribution_pipeline.lake.evidence import DayEvidence
from attribution_pipeline.lake.files import StoredFile
from attribution_pipeline.lake.files import verified as verified_path
from attribution_pipeline.lake.places import Place, open_store
from attribution_pipeline.lake.policies import FrozenPolicies
from attribution_pipeline.lake.reading import no_rows, rows_of_day
from attribution_pipeline.lake.recorder import CommitReceipt, DayFiles, Recorder
from attribution_pipeline.lake.shapes import LEDGER, TABLES, schema_of
from attribution_pipeline.lake.soundness import differences, verify
from attribution_pipeline.lake.states import Published, States, require_true
from attribution_pipeline.lake.store import Store
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import pyarrow as pa


class Lake:
    """Tables in a folder or under a prefix of a bucket. Cheap to make; holds no lock and no open file. What it has
    read of a log it does not read again, so keep it while you work."""

    def __init__(
        self,
        storage: Place,
        *,
        store: Store | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.storage = storage
        self.store = store or open_store(storage)
        self.evidence = DayEvidence(self.store)
        self.content = DayContent(self.store)
        self.policies = FrozenPolicies(self.store)
        self._tables = {name: self._table(name) for name in TABLES}
        self._states = States(self.store, self._tables[LEDGER])
        self._recorder = Recorder(self.store, self._tables, self._states, clock)

    # -- recording ---------------------------------------------------------------------------

    def staging(self, day: date) -> contextlib.AbstractContextManager[Path]:
        """A local scratch folder, on the storage's device where it is one; removed at the end."""
        return self.store.scratch(day.isoformat())

    def commit_day(self, day: date, files: DayFiles, manifest: Mapping[str, Any]) -> CommitReceipt:
        """Record a day: sorted Parquet files by table, without ``charge_date``, and why.

        A ``Path`` is a new file, to be placed; a ``StoredFile`` stands already and is kept. The
        ledger has a file even without rows; a table that is not named has none.
        ``manifest``: see ``lake.manifest``. ``manifest["previous"]`` is the id of the state that
        the caller saw when it began (None: none); if it is not the head any more and the head is
        not this very state, DayMoved is raised and nothing is published. A state that stands
        already, whole, is recognised by its evidence and content, and nothing is written.
        """
        return self._recorder.commit(day, files, manifest)

    def mend_day(self, day: date, files: DayFiles) -> CommitReceipt:
        """Put a recorded day's files back as its manifest names them, computed again. Nothing new
        is published. Refusal where they came out otherwise: then a copy is needed."""
        return self._recorder.mend(day, files)

    def receipt(self, head: Published) -> CommitReceipt:
        """What recording a day comes to whose newest state is ``head`` already. What a run that
        died left half done is made up for."""
        return self._recorder.receipt(head.day)

    # -- reading -----------------------------------------------------------------------------

    def days(self, as_of: datetime | None = None) -> list[date]:
        """Recorded days, oldest first: of those published by ``as_of``."""
        return list(self._states.heads(as_of))

    def states(self, day: date | None = None) -> Sequence[Published]:
        """Every state ever published, of one day or of all, in the order of the ledger's log."""
        return self._states.all() if day is None else self._states.of(day)

    def head(self, day: date, as_of: datetime | None = None) -> Published | None:
        """The day's newest state published by ``as_of``; None where there is none."""
        return self._states.head(day, as_of)

    def document(self, state: Published) -> dict[str, Any]:
        """The manifest of a state; Refusal where it is not the one that its commit names."""
        return self._states.document(state)

    def manifest(self, day: date, as_of: datetime | None = None) -> dict[str, Any]:
        """The manifest of the day's newest state; Refusal where the day is not recorded."""
        head = self.head(day, as_of)
        if head is None:
            raise Refusal(
                f"{day} is not recorded" if as_of is None else f"{day} was not recorded by {as_of}",
                where=self.store.where(""),
                remedy=f"attribution run --from {day} --to {day}",
            )
        return self.document(head)

    def stored(self, entry: Mapping[str, Any]) -> StoredFile:
        """A file as a manifest names it."""
        return StoredFile(**entry)

    def verified(self, stored: StoredFile) -> Path:
        """The file's path, after its bytes were found to be the recorded ones; else Refusal."""
        return verified_path(self.store, stored)

    def active_files(self) -> set[str]:
        """What the heads of all tables' logs name: what other engines read."""
        return set().union(*(table.active_files() for table in self._tables.values()))

    def file_paths(
        self,
        table: str,
        first: date,
        last: date,
        *,
        check: bool = True,
        as_of: datetime | None = None,
    ) -> list[tuple[date, Path]]:
        """(day, path) of a table's files in [first, last], as the ledger's commits name them.

        The files lack ``charge_date``; a day may have several, or none. ``check`` hashes each
        before it is handed out.
        """
        return [
            (day, self.verified(stored) if check else self.store.fetch(stored.path))
            for day, found in self._named(table, first, last, as_of)
            for stored in found
        ]

    def read(
        self,
        table: str,
        first: date,
        last: date,
        columns: Sequence[str] | None = None,
        *,
        as_of: datetime | None = None,
    ) -> pa.Table:
        """A table's rows in [first, last], in the table's schema, day by day in its order.

        Opens only files that the ledger's commits name; each is hashed before it is parsed, and
        Refusal names one that differs.
        """
        import pyarrow as pa

        wanted = schema_of(table).names if columns is None else list(columns)
        parts = [no_rows(table, wanted)]
        for day, found in self._named(table, first, last, as_of):
            parts.append(rows_of_day(self.store, table, day, found, wanted))
        return pa.concat_tables(parts)

    def differences(self, day: date) -> list[str]:
        """Where the day's files or Delta's log are not what its manifest says; empty when whole."""
        return differences(self.store, self._tables, day, self.manifest(day))

    def verify(self, first: date, last: date, as_of: datetime | None = None) -> None:
        """Hash everything that the days in [first, last] stand on, and every table's whole log.

        Raises Refusal naming the first file that is damaged or missing: log entries, seals,
        checkpoints, manifests, and every file that those days' manifests name.
        """
        heads = self._states.heads(as_of)
        wanted = [state for day, state in heads.items() if first <= day <= last]
        verify(self.store, self._tables, self._states, wanted)

    # -- inside ------------------------------------------------------------------------------

    def _table(self, name: str) -> DayTable:
        check = partial(require_true, self.store) if name == LEDGER else lambda _note, _files: None
        return DayTable(self.store, name, partial(schema_of, name), check)

    def _named(
        self, table: str, first: date, last: date, as_of: datetime | None
    ) -> Iterator[tuple[date, list[StoredFile]]]:
        for day, state in self._states.heads(as_of).items():
            if first <= day <= last:
                entries = self.document(state)["files"].get(table, [])
                yield day, [StoredFile(**entry) for entry in entries]
