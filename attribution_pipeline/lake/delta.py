"""One Delta table, partitioned by day: what its commits make of a day, and committing to it.

Belongs here: replacing a day's files in one commit, which files make up a day. Does not: which table
goes first (``recorder``), seals (``log``), commits without one (``adoption``).

Commits are compare-and-swap on the table's version, and the loop around them is ours. delta-rs's own
retries check for conflicts only against removed files: of two writers that each add a first file to
an empty day, both succeed and the day is doubled (measured, 1.6.6).
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake.adoption import DAY_FILE, Adoption, Note, stats_of, sworn
from attribution_pipeline.lake.checkpoints import Checkpoints, Summary
from attribution_pipeline.lake.crash import crash_point
from attribution_pipeline.lake.files import StoredFile
from attribution_pipeline.lake.log import Entry, SealedLog, refused, unwritten
from attribution_pipeline.lake.store import LOG, Store, log_entry

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

FOREVER = "interval 36500 days"
"""Nothing that replay and ``--as-of`` need goes by our own maintenance; pruning is a command."""

PROPERTIES: dict[str, str] = {
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
    note: Note


class DayTable:
    """A Delta table with one partition per ``charge_date``. Makes nothing before the first commit.

    ``check``: given the note of a commit that has no seal yet, and the files that its day then has;
    raises Refusal unless they are what they say.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        schema: Callable[[], pa.Schema],
        check: Callable[[Note, list[str]], None] = lambda _note, _files: None,
    ) -> None:
        self.name = name
        self._store = store
        self._schema = schema  # a function: reading a log needs no Arrow
        self._check = check
        self._adoption = Adoption(store, name, schema, PROPERTIES, check)
        self._days: dict[str, dict[str, int]] = {}
        self._commits: list[Commit] = []
        self._identity = ""
        self._log = SealedLog(store, name, self._take, self._require_true)
        self._checkpoints = Checkpoints(store, name, self._summary_at)
        self._delta: DeltaTable | None = None

    # -- reading -----------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether anything was ever committed."""
        self._log.refresh()
        return self._log.version >= 0

    def folder_of(self, day: date) -> str:
        """Where a day's files lie, relative to the storage folder."""
        return f"{self.name}/charge_date={day.isoformat()}"

    def active(self, day: date) -> list[str]:
        """The paths that the log says make up a day, relative to the storage folder, sorted."""
        self._log.refresh()
        return sorted(f"{self.name}/{path}" for path in self._days.get(day.isoformat(), ()))

    def active_files(self) -> set[str]:
        """The paths of every day that the log's newest entry leaves, relative to the storage folder."""
        self._log.refresh()
        return {f"{self.name}/{path}" for day in self._days.values() for path in day}

    def commits(self, after: int = -1) -> list[Commit]:
        """Commits with a note, oldest first, of versions greater than ``after``."""
        self._log.refresh()
        found = []
        for commit in reversed(self._commits):
            if commit.version <= after:
                break
            found.append(commit)
        return found[::-1]

    def verify(self) -> None:
        """Read the whole log again, and its checkpoints; raise Refusal naming what is damaged."""
        again = DayTable(self._store, self.name, self._schema, self._check)
        again._log.refresh()
        again._log.require_nothing_else()
        again._checkpoints.verify()

    # -- writing -----------------------------------------------------------------------------

    def replace_day(
        self,
        day: date,
        files: Sequence[StoredFile],
        *,
        note: Callable[[], Note] | None = None,
        keep_others: bool = False,
        unless: Callable[[], bool] | None = None,
    ) -> tuple[int, int] | None:
        """Make ``files`` the day's files in one commit; returns its version and the tries it took.

        ``note`` is asked at every try. Without one, a day that already has these files is left
        alone. ``unless`` is asked before every try, on the newest version: true ends the matter
        (None is returned), and what it raises is passed on. ``keep_others`` adds to the day instead
        of replacing it.
        """
        deadline = time.monotonic() + COMMIT_DEADLINE_S
        pause = FIRST_PAUSE_S
        tries = 0
        while True:
            tries += 1
            # a courtesy: compare-and-swap keeps it right, and alone it makes eight writers of a
            # machine try 3.5 times each (measured)
            with self._store.exclusive(self.name):
                if not files and not self.exists():
                    return None
                self._make_ready()
                seen = self._log.version
                if unless is not None and unless():
                    return None
                change = self._change(day, files, keep_others)
                if not change.moves and note is None:
                    return None
                said = sworn({**(note() if note else {}), **change.note()})
                # all of that was asked of one version, or it is asked again
                version = self._try_commit(seen + 1, change, said, deadline)
                if version is not None:
                    return version, tries
            time.sleep(random.uniform(0, pause))
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def settle(self) -> None:
        """Seal the newest commit where its writer died before it could."""
        if self.exists():
            self._log.seal()

    def _make_ready(self) -> None:
        """The table exists, and what stands in its log is sealed: only then is more committed."""
        from deltalake.exceptions import DeltaError

        if not self.exists():
            try:
                self._store.create_table(self.name, self._schema(), PROPERTIES)
            except (OSError, DeltaError) as error:
                # another writer created it in the same moment, or the answer got lost
                if not self._store.exists(log_entry(self.name, 0)):
                    raise unwritten(self._store, f"{self.name}/{LOG}", error) from error
            crash_point("table.created")
            self._log.refresh()
        self._log.seal()

    def _try_commit(self, version: int, change: _Change, said: Note, deadline: float) -> int | None:
        """The commit's version; None where the log moved: somebody else has the version, or it is
        ours and the answer got lost. Whoever asks looks at the log again."""
        from deltalake.exceptions import DeltaError

        delta = self._opened()
        if max(delta.version(), self._log.version) >= version:
            return None
        if delta.version() < self._log.version:
            self._delta = None
            raise refused(
                self._store,
                log_entry(self.name, self._log.version),
                f"the table opens at version {delta.version()}, which is not its newest",
            )
        crash_point(f"{self.name}.begun")
        try:
            self._store.commit(
                self.name,
                delta,
                change.actions(),
                self._schema(),
                # userMetadata is where Spark's DESCRIBE HISTORY shows it, too
                {"userMetadata": json.dumps(said, sort_keys=True)},
            )
        except (OSError, DeltaError) as error:
            if not self._store.exists(log_entry(self.name, version)) or time.monotonic() > deadline:
                raise unwritten(self._store, f"{self.name}/{LOG}", error) from error
            return None
        crash_point(f"{self.name}.committed")
        self._log.refresh(lambda entry: self._require_own(entry, version, said))
        self._log.seal()
        self._checkpoints.make_if_due(delta, version)
        return version

    def _opened(self) -> DeltaTable:
        from deltalake.exceptions import DeltaError

        if self._delta is None:
            self._checkpoints.verify(newest_only=True)
        seen, self._delta = self._delta, None
        try:
            self._delta = self._store.open_table(self.name, seen)
        except DeltaError as error:
            raise refused(
                self._store, f"{self.name}/{LOG}", f"the table's log cannot be read: {error}"
            ) from error
        return self._delta

    def _change(self, day: date, files: Sequence[StoredFile], keep_others: bool) -> _Change:
        active = self.active(day)
        wanted = {stored.path for stored in files}
        return _Change(
            self.name,
            day,
            [stored for stored in files if stored.path not in active],
            [] if keep_others else [path for path in active if path not in wanted],
        )

    # -- what entries say --------------------------------------------------------------------

    def _take(self, entry: Entry) -> None:
        for said in entry.of("metaData"):
            self._identity = said["id"]
        for said in entry.of("remove"):
            self._days.get(_day_of(said["path"]), {}).pop(said["path"], None)
        for said in entry.of("add"):
            self._days.setdefault(_day_of(said["path"]), {})[said["path"]] = said["size"]
        for said in entry.of("commitInfo"):
            if said.get("userMetadata"):
                note = json.loads(said["userMetadata"])
                self._commits.append(Commit(entry.version, int(said["timestamp"]), note))

    def _require_true(self, entry: Entry) -> None:
        self._adoption.require_true(entry, lambda day: self._days.get(day, {}))

    def _require_own(self, entry: Entry, version: int, note: Note) -> None:
        if entry.version == version:
            self._adoption.require_written(entry, note)
        else:
            self._require_true(entry)

    def _summary_at(self, version: int) -> Summary:
        if version == self._log.version:
            files = {path: size for day in self._days.values() for path, size in day.items()}
            return Summary(files, self._identity)
        older = DayTable(self._store, self.name, self._schema, self._check)
        older._log.refresh(until=version)
        if older._log.version != version:
            raise refused(self._store, log_entry(self.name, version), "an entry is missing")
        return older._summary_at(version)


@dataclass(frozen=True)
class _Change:
    """What one commit adds to a day and removes from it."""

    table: str
    day: date
    added: Sequence[StoredFile]
    removed: Sequence[str]

    @property
    def moves(self) -> bool:
        return bool(self.added or self.removed)

    def note(self) -> Note:
        """As the commit says it a second time, so that an entry without a seal can be checked."""
        return {
            "charge_date": self.day.isoformat(),
            "added": [stored.path for stored in self.added],
            "rows": [stored.rows for stored in self.added],
            "removed": list(self.removed),
        }

    def actions(self) -> list[Any]:
        """As delta-rs takes them."""
        from deltalake.transaction import AddAction, RemoveAction

        now = time.time_ns() // 1_000_000
        values: dict[str, str | None] = {"charge_date": self.day.isoformat()}
        add: list[Any] = [
            AddAction(
                self._inside(stored.path),
                stored.bytes,
                values,
                now,
                True,
                stats_of(stored.rows),
            )
            for stored in self.added
        ]
        return add + [
            RemoveAction(self._inside(path), True, now, partition_values=values)
            for path in self.removed
        ]

    def _inside(self, path: str) -> str:
        return path.removeprefix(f"{self.table}/")


def _day_of(path: str) -> str:
    found = DAY_FILE.fullmatch(path)
    return found[1] if found else ""
