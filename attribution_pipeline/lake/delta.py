"""One Delta table, partitioned by day: everything that knows delta-rs.

Belongs here: creating a table, replacing a day's files in one commit, the log's commits. Does not:
which table goes first, or what a manifest says (``tables``).

Commits are compare-and-swap on the table's version (``max_commit_retries=0``), and the loop around
them is ours. delta-rs's own retries check for conflicts only against removed files: of two writers
that each add a first file to an empty day, both succeed and the day is doubled (measured, 1.6.6).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake.files import StoredFile, sync_folder
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

FOREVER = "interval 36500 days"
"""Nothing that replay and ``--as-of`` need goes by our own maintenance; pruning is a command."""

PROPERTIES: dict[str, str | None] = {
    "delta.logRetentionDuration": FOREVER,
    "delta.deletedFileRetentionDuration": FOREVER,
    "delta.enableExpiredLogCleanup": "false",
}

COMMIT_DEADLINE_S = 300.0
"""How long a commit may lose races before it gives up: thirty days in parallel take seconds."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 0.5
"""Pauses between tries, drawn at random up to a bound that doubles."""


@dataclass(frozen=True)
class Commit:
    """One commit of the log that carries our note."""

    version: int
    timestamp_ms: int
    note: dict[str, Any]


class DayTable:
    """A Delta table with one partition per ``charge_date``."""

    def __init__(self, storage: Path, name: str, schema: Callable[[], pa.Schema]) -> None:
        self.storage = storage
        self.name = name
        self._schema = schema  # a function: reading a log needs no Arrow
        self.folder = storage / name

    def exists(self) -> bool:
        """Whether anything was ever committed."""
        return (self.folder / "_delta_log").is_dir()

    def folder_of(self, day: date) -> str:
        """Where a day's files lie, relative to the storage folder."""
        return f"{self.name}/charge_date={day.isoformat()}"

    def open(self) -> DeltaTable:
        """The table at its newest version; creates it at the first use."""
        from deltalake import DeltaTable, Schema
        from deltalake.exceptions import DeltaError

        if not self.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                DeltaTable.create(
                    str(self.folder),
                    schema=Schema.from_arrow(self._schema()),
                    mode="ignore",
                    partition_by=["charge_date"],
                    name=self.name,
                    configuration=PROPERTIES,
                )
            except DeltaError:
                # another writer created it in the same moment
                if not DeltaTable.is_deltatable(str(self.folder)):
                    raise
        try:
            return DeltaTable(str(self.folder))
        except DeltaError as error:
            raise Refusal(
                f"the table's log cannot be read: {error}",
                where=str(self.folder / "_delta_log"),
                remedy="restore it from a backup; nothing was changed",
            ) from error

    def active(self, day: date, table: DeltaTable | None = None) -> list[str]:
        """The paths that the log says make up a day, relative to the storage folder."""
        if table is None:
            if not self.exists():
                return []
            table = self.open()
        found = table.file_uris(file_pruning_predicate=[("charge_date", "=", day.isoformat())])
        return sorted(f"{self.folder_of(day)}/{uri.rsplit('/', 1)[-1]}" for uri in found)

    def replace_day(
        self,
        day: date,
        files: Sequence[StoredFile],
        *,
        note: dict[str, Any] | None = None,
        keep_others: bool = False,
        unless: Callable[[], bool] | None = None,
    ) -> tuple[int, int] | None:
        """Make ``files`` the day's files in one commit; returns its version and the tries it took.

        Without a ``note``, a day that already has these files is left alone. ``unless`` is asked
        before every try, on the newest version: true ends the matter (None is returned), and what
        it raises is passed on. ``keep_others`` adds to the day instead of replacing it.
        """
        from deltalake.exceptions import CommitFailedError

        deadline = time.monotonic() + COMMIT_DEADLINE_S
        pause = FIRST_PAUSE_S
        tries = 0
        while True:
            tries += 1
            with self._turn():
                table = self.open()
                if unless is not None and unless():
                    return None
                actions = self._actions(day, files, self.active(day, table), keep_others)
                if not actions and note is None:
                    return None
                version = table.version() + 1
                try:
                    self._commit(table, actions, note)
                except CommitFailedError:
                    # a race was lost only if somebody has the version; anything else is an error
                    if not self._log_entry(version).exists() or time.monotonic() > deadline:
                        raise
                else:
                    self._sync_log(version)
                    return version, tries
            time.sleep(random.uniform(0, pause))
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def commits(self, after: int = -1) -> list[Commit]:
        """Commits with a note, oldest first, of versions greater than ``after``."""
        if not self.exists():
            return []
        table = self.open()
        unseen = table.version() - after
        if unseen <= 0:
            return []
        found = []
        for entry in table.history(limit=unseen):
            text = entry.get("userMetadata")
            if text:
                note = json.loads(text)
                found.append(Commit(int(entry["version"]), int(entry["timestamp"]), note))
        return sorted(found, key=lambda commit: commit.version)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """One writer of a machine at a time. A courtesy: compare-and-swap is what keeps it right,
        and alone it makes eight writers try 3.5 times each (measured)."""
        if sys.platform == "win32":
            yield
            return
        import fcntl

        locks = self.storage / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / self.name).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes, or the process dies
            yield

    def _actions(
        self, day: date, files: Sequence[StoredFile], active: list[str], keep_others: bool
    ) -> list[Any]:
        from deltalake.transaction import AddAction, RemoveAction

        now = time.time_ns() // 1_000_000
        values: dict[str, str | None] = {"charge_date": day.isoformat()}
        wanted = {stored.path for stored in files}
        add: list[Any] = [
            AddAction(
                self._inside(stored.path),
                stored.bytes,
                values,
                now,
                True,
                json.dumps({"numRecords": stored.rows}),
            )
            for stored in files
            if stored.path not in active
        ]
        gone = [] if keep_others else [path for path in active if path not in wanted]
        remove = [
            RemoveAction(self._inside(path), True, now, partition_values=values) for path in gone
        ]
        return add + remove

    def _commit(self, table: DeltaTable, actions: list[Any], note: dict[str, Any] | None) -> None:
        from deltalake import CommitProperties
        from deltalake.transaction import PostCommitHookProperties

        # userMetadata is where Spark's DESCRIBE HISTORY shows it, too
        metadata = {"userMetadata": json.dumps(note, sort_keys=True)} if note else None
        table.create_write_transaction(
            actions,
            "append",
            self._schema(),
            ["charge_date"],
            commit_properties=CommitProperties(custom_metadata=metadata, max_commit_retries=0),
            post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
        )

    def _inside(self, path: str) -> str:
        return path.removeprefix(f"{self.name}/")

    def _sync_log(self, version: int) -> None:
        """delta-rs leaves the log to the page cache; a day counts when it survives a power cut."""
        entry = self._log_entry(version)
        descriptor = os.open(entry, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(entry.parent)

    def _log_entry(self, version: int) -> Path:
        return self.folder / "_delta_log" / f"{version:020d}.json"
