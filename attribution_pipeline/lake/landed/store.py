"""What has been landed: which files may hold a day, which objects stand, what was rejected.

Belongs here: answers from the index, and the one who may add to it. Does not: writing files
(``writer``), what stands when (``standing``), rows (``attribution``).
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from attribution_pipeline.lake.files import sha256_of
from attribution_pipeline.lake.landed import index
from attribution_pipeline.lake.landed.index import Landing
from attribution_pipeline.lake.landed.periods import BilledPeriod, billed_periods
from attribution_pipeline.lake.landed.records import REJECTED_TABLE, LandedFile, ObjectRecord
from attribution_pipeline.lake.landed.replaced import (
    Replaced,
    no_longer_whole,
    replaced_files,
)
from attribution_pipeline.lake.landed.standing import Standing, standing_files
from attribution_pipeline.lake.landed.waiting import (
    keep_looked,
    keep_waiting,
    kept_looked,
    kept_waiting,
)
from attribution_pipeline.lake.landed.writer import LandingWriter
from attribution_pipeline.lake.places import Place, open_store
from attribution_pipeline.lake.store import Look, Store
from attribution_pipeline.model.errors import Overtaken, Refusal

FOLDER = "landed"

Objects = Mapping[str, Set[str]]
"""Source -> object ids."""


class LandedView:
    """Landed evidence up to one index file. Reads only."""

    def __init__(self, storage: Place, store: Store, landings: Sequence[Landing]) -> None:
        self.storage = storage
        self.store = store
        self._landings = list(landings)
        self._forget()
        self._verified: dict[str, tuple[int, int, int]] = {}

    def _forget(self) -> None:
        """What was worked out of the landings that there were. A month has tens of thousands of objects, and a
        day's checks ask for them a dozen times."""
        self._standing: dict[str, Standing] = {}
        self._objects: dict[tuple[str | None, str | None], list[ObjectRecord]] = {}
        self._rejected: list[ObjectRecord] | None = None

    # -- what was met ------------------------------------------------------------------------------

    def objects(self, kind: str | None = None, source: str | None = None) -> list[ObjectRecord]:
        """Every record of every object, oldest landing first."""
        found = self._objects.get((kind, source))
        if found is None:
            found = self._objects[kind, source] = [
                record
                for landing in self._landings
                for record in landing.objects
                if kind in (None, record.kind) and source in (None, record.source)
            ]
        return list(found)

    def newest(self, kind: str, source: str) -> dict[str, ObjectRecord]:
        """The newest record of each path."""
        return {record.path: record for record in self.objects(kind, source)}

    def known(self, source: str, kind: str | None = None) -> dict[str, str]:
        """Path -> fingerprint, as last landed. Names of sources are unique within a kind."""
        return {record.path: record.fingerprint for record in self.objects(kind, source)}

    def object_ids(self, source: str, kind: str | None = None) -> set[str]:
        """Contents that need not be read again."""
        return {record.object_id for record in self.objects(kind, source)}

    def attributes_read(self, source: str) -> dict[str, frozenset[str] | None]:
        """Object id -> span attributes beyond the standard ones that it was read for, as its newest
        reading says; None where a release read it that did not say. Of spans alone."""
        found: dict[str, frozenset[str] | None] = {}
        for landing in self._landings:
            names = None if landing.attributes is None else frozenset(landing.attributes)
            for record in landing.objects:
                if record.read and record.kind == "spans" and record.source == source:
                    found[record.object_id] = names
        return found

    @property
    def head(self) -> tuple[int, str]:
        """Number and name of the newest index file; 0 and nothing before the first landing."""
        if not self._landings:
            return 0, ""
        return self._landings[-1].ordinal, self._landings[-1].name

    def last_landing(self) -> tuple[int, str] | None:
        """Number and time of the newest landing."""
        if not self._landings:
            return None
        return self._landings[-1].ordinal, self._landings[-1].landed_at

    # -- what stands -------------------------------------------------------------------------------

    def current_objects(self, table: str) -> dict[str, list[str]]:
        """Source -> ids of the objects whose rows count, older to newer; not to be changed.

        Spans and close records: every object. Else the newest readable content of each path; a
        refused one replaces nothing. Only objects with rows in ``table`` are named.
        """
        return self._stands(table).objects

    def files(
        self, table: str, day_from: date | None = None, day_to: date | None = None
    ) -> list[LandedFile]:
        """Files that may hold standing rows touching those days (inclusive, open where null).

        Days are of the charge period, the end of the span, the OpenCost window, the report's date.
        """
        return self._stands(table).files(day_from, day_to)

    def paths(
        self, table: str, day_from: date | None = None, day_to: date | None = None
    ) -> list[str]:
        """``files`` as absolute local paths, in one order."""
        return self.local(self.files(table, day_from, day_to))

    def local(self, files: Iterable[LandedFile]) -> list[str]:
        """Absolute paths of files on this machine, one for each; ``verify`` them first.

        Raises Refusal naming one that is missing.
        """
        found = []
        for file in files:
            try:
                found.append(str(self.store.fetch(file.path, "recent")))
            except FileNotFoundError:
                raise self._damaged(file) from None
        return found

    def billed_periods(self, source: str) -> list[BilledPeriod]:
        """Which deliveries of a billing source bill which account and period."""
        return billed_periods(self, source)

    def days(self, table: str) -> tuple[date, date] | None:
        """First and last day that landed rows of ``table`` touch."""
        files = self.files(table)
        first = [file.day_from for file in files if file.day_from is not None]
        last = [file.day_to for file in files if file.day_to is not None]
        return (min(first), max(last)) if first and last else None

    # -- what was rejected, what is damaged --------------------------------------------------------

    def rejected_counts(
        self, day_from: date | None = None, day_to: date | None = None
    ) -> dict[tuple[str, str], dict[str, int]]:
        """(kind, source) -> reason -> records, of what every path holds now: a delivery that was
        put right no longer counts. With days: objects that touch them, or touch no day at all.
        """
        counts: dict[tuple[str, str], Counter[str]] = {}
        for record in self.rejected_objects(day_from, day_to):
            counts.setdefault((record.kind, record.source), Counter()).update(record.rejected)
        return {key: dict(sorted(found.items())) for key, found in sorted(counts.items())}

    def rejected_objects(
        self, day_from: date | None = None, day_to: date | None = None
    ) -> list[ObjectRecord]:
        """The same object by object, as it was read last."""
        if self._rejected is None:
            self._rejected = self._rejected_now()
        return [record for record in self._rejected if _touches(record, day_from, day_to)]

    def _rejected_now(self) -> list[ObjectRecord]:
        newest = {(r.kind, r.source, r.path): r.object_id for r in self.objects()}
        held = {(kind, source, object_id) for (kind, source, _), object_id in newest.items()}
        # an object that was read twice is counted as it was read last
        read = {(r.kind, r.source, r.object_id): r for r in self.objects() if r.read}
        return [record for key, record in read.items() if record.rejected and key in held]

    def rejected_paths(self) -> list[str]:
        """Absolute local paths of the rejected rows: kind, source, object_id, uri, position, reason,
        detail.
        """
        return self.local(self.rejected_files())

    def rejected_files(self) -> list[LandedFile]:
        """The same as the index records them."""
        return standing_files(REJECTED_TABLE, self._landings)

    def waiting(self) -> list[dict[str, Any]] | None:
        """What the last landing found and did not read; None: not known. See ``sources.awaiting``."""
        return kept_waiting(self.store)

    def looked(self) -> dict[str, Any] | None:
        """What the last landing looked for and did not find; None: not known. See ``sources.looked_for``."""
        return kept_looked(self.store)

    def met_since(self, ordinal: int) -> list[ObjectRecord]:
        """Records of the landings after this one."""
        return [record for landing in self._landings[ordinal:] for record in landing.objects]

    def spans_alone(
        self, objects: Objects, others: Objects, day: date
    ) -> dict[tuple[str, str], int]:
        """Spans of a day that these objects hold and none of the others has alike: see ``alone``."""
        from attribution_pipeline.lake.landed.alone import spans_alone

        return spans_alone(self, objects, others, day)

    def objects_sharing(self, objects: Objects, others: Objects, day: date) -> set[tuple[str, str]]:
        """Those that have a span of a day which one of the others has: see ``alone``."""
        from attribution_pipeline.lake.landed.alone import objects_sharing

        return objects_sharing(self, objects, others, day)

    def replaced(self) -> list[Replaced]:
        """Files in whose stead later ones stand."""
        return replaced_files(self._landings)

    def standing_paths(self) -> set[str]:
        """Paths of all other files."""
        named = {file.path for landing in self._landings for file in landing.files}
        return named - {one.file.path for one in self.replaced()}

    def verify(self, files: list[LandedFile]) -> None:
        """Raise Refusal naming the first file whose bytes are not the recorded ones.

        Parquet does not notice flipped bits; sha256 does. A file is hashed once while nobody writes
        to it: a run over a year of days asks for the same bills with every day.
        """
        for file in files:
            path, seen = self._look(file, "recent")
            if self._verified.get(file.path) == seen:
                continue
            if sha256_of(path) != file.sha256:
                # a bucket's local copy may have rotted, and not what it is a copy of
                path, seen = self._look(file, "whole")
                if sha256_of(path) != file.sha256:
                    raise self._damaged(file)
            self._verified[file.path] = seen

    def _look(self, file: LandedFile, look: Look) -> tuple[Path, tuple[int, int, int]]:
        """The file and what tells that it was written to. Raises Refusal where it is missing."""
        try:
            path = self.store.fetch(file.path, look)
            stat = path.stat()
        except FileNotFoundError:
            raise self._damaged(file) from None
        return path, (stat.st_ino, stat.st_size, stat.st_mtime_ns)

    def _damaged(self, file: LandedFile) -> Refusal:
        return no_longer_whole(self.store, self._landings, file)

    def _stands(self, table: str) -> Standing:
        found = self._standing.get(table)
        if found is None:
            found = self._standing[table] = Standing(table, self._landings)
        return found


class LandedStore(LandedView):
    """Landed evidence under ``<storage>/landed``, as it grows. Opening creates nothing."""

    def __init__(
        self,
        storage: Place,
        *,
        store: Store | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(storage, store or open_store(storage), [])
        self._clock = clock
        self._locked = False
        self.refresh()

    def as_of(self, ordinal: int) -> LandedView:
        """What was landed up to this index file, however much came since. 0: nothing.

        Raises Refusal where there is no such landing.
        """
        if not 0 <= ordinal <= len(self._landings):
            raise Refusal(
                f"there are {len(self._landings)} landings, not {ordinal}",
                where=self.store.where(index.FOLDER),
                remedy="restore landed/index from a copy",
            )
        return LandedView(self.storage, self.store, self._landings[:ordinal])

    def by(self, instant: datetime) -> LandedView:
        """What was landed by then."""
        return self.as_of(bisect_right(self.times(), instant))

    def times(self) -> list[datetime]:
        """When something was landed, sorted: as many as there are landings."""
        return sorted(datetime.fromisoformat(one.landed_at) for one in self._landings)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other landing runs out, and see what they landed before."""
        if self._locked:
            yield
            return
        with self.store.exclusive(FOLDER):
            self._locked = True
            try:
                self.refresh()
                yield
            finally:
                self._locked = False

    @contextlib.contextmanager
    def open_batch(self, attributes: Collection[str] = ()) -> Iterator[LandingWriter]:
        """A writer; what it did not commit leaves no trace. ``attributes``: span attributes beyond the
        standard ones that its objects are read for."""
        with self.exclusive(), self.store.scratch(FOLDER) as staging:
            yield LandingWriter(self, staging, tuple(sorted(attributes)))

    def append(
        self,
        files: list[LandedFile],
        objects: list[ObjectRecord],
        attributes: Sequence[str] = (),
        replaces: Sequence[str] = (),
    ) -> int:
        """The commit point: one more index file. For the writer alone, under its lock."""
        if not self._locked:
            raise RuntimeError("a landing is committed outside its lock")
        previous = self._landings[-1] if self._landings else None
        landed_at = self._clock().astimezone(UTC).isoformat(timespec="microseconds")
        try:
            landing = index.create(
                self.store, previous, landed_at, files, objects, attributes, replaces
            )
        except FileExistsError:
            raise Overtaken(
                "another run landed objects at the same moment, so nothing of this one was landed",
                where=self.store.where(index.FOLDER),
                remedy="run again: what is left lands then",
            ) from None
        self._extend([landing])
        return landing.ordinal

    def keep_waiting(self, waiting: Sequence[dict[str, Any]]) -> None:
        """What this landing found and did not read, instead of what the last one said."""
        keep_waiting(self.store, waiting)

    def keep_looked(self, looked: Mapping[str, Any]) -> None:
        """What it looked for and did not find, likewise."""
        keep_looked(self.store, looked)

    def folder_of(self, table: str) -> str:
        """The folder of a table, relative to the storage."""
        return f"{FOLDER}/{table}"

    def files_of_objects(self, source: str, objects: Collection[str]) -> list[LandedFile]:
        """Standing files in which rows and rejected records of these objects of spans may be."""
        of = [record for record in self.objects("spans", source) if record.object_id in objects]
        first = min((record.day_from for record in of if record.day_from), default=None)
        last = max((record.day_to for record in of if record.day_to), default=None)
        spans = self.files("spans", first, last) if first and last else []
        return [file for file in (*spans, *self.rejected_files()) if file.source == source]

    def refresh(self) -> None:
        """Take in index files that appeared since. Raises Refusal where the index is damaged."""
        self._extend(index.load(self.store, self._landings))

    def _extend(self, landings: Sequence[Landing]) -> None:
        if landings:
            # lists that were handed on stay as they were
            self._landings = [*self._landings, *landings]
            self._forget()


def _touches(record: ObjectRecord, day_from: date | None, day_to: date | None) -> bool:
    if record.day_from is None or record.day_to is None:
        return True
    after = day_to is not None and record.day_from > day_to
    before = day_from is not None and record.day_to < day_from
    return not after and not before
