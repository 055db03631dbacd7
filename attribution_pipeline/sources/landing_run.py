"""One source in one landing run.

Belongs here: which of its objects are new, each landed whole or refused or left for later, the
counts of it. Does not: which sources there are and which reader reads them (``landing``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources import isolation, passed_over, standing
from attribution_pipeline.sources.attributes import NOT_READABLE, NOTHING, ReadAgain, Wanted
from attribution_pipeline.sources.awaiting import HeldObject
from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.evidence_store import EvidenceStore, Record, Writer
from attribution_pipeline.sources.landing_workers import processes_for, read_ahead
from attribution_pipeline.sources.objects import (
    Listing,
    OpenedObject,
    SourceObject,
    StillChanging,
    open_object,
)
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline.sources.report import LandingProgress, SourceReport

if TYPE_CHECKING:
    from attribution_pipeline.sources.landing import Source
    from attribution_pipeline.sources.landing_worker import Told

COMMIT_SPANS = 5_000_000
"""Spans after which a landing run commits what it has, so that a killed one does not begin anew.
Other sources are committed whole: half a bill must not be seen."""

SLOW = (
    "spans are read in Python, some ten times slower: there was no C compiler when this was "
    "installed; install one and Python's headers, then this package again"
)
"""Said once a source, where the compiled scanner is missing."""

UNREADABLE = "unreadable_object"
"""Reason of an object whose reader gave no word of its own."""

VENDOR_FORMATS = ("openai", "anthropic")
"""Billing formats that are pages of a vendor's own API (``vendor_costs``); the others are FOCUS."""

Reader = Callable[[bytes | BinaryIO, SourceObject, str], Iterator[Batch]]
Progress = Callable[[LandingProgress], None]


class Refused(NamedTuple):
    """Why an object cannot be used as a whole."""

    reason: str
    detail: str


class _Incomplete(Exception):
    """A file of a delivery can't be had now."""

    def __init__(self, delivery: str, reason: str, note: str) -> None:
        super().__init__(note)
        self.delivery = delivery
        self.reason = reason
        self.note = note


class Run:
    """One source in one landing run."""

    def __init__(
        self,
        source: Source,
        landed: EvidenceStore,
        reader: Reader,
        progress: Progress | None,
        wanted: Wanted = NOTHING,
        looked_for: Collection[str] = (),
        require_new: Callable[[Source, SourceObject, str], None] | None = None,
    ) -> None:
        self.source = source
        self.require_new = require_new
        self.looked_for = looked_for
        self.wanted = wanted if source.kind == "spans" else NOTHING
        self.reader = reader
        self.progress = progress
        self.landed = landed
        # a bill's rows carry their delivery, and the newest delivery alone stands: what a vendor
        # sends again unchanged in a newer one must be landed as part of that one
        self.by_delivery = source.kind == "billing" and source.delivery != "append"
        self._begin()

    def _begin(self) -> None:
        """As if nothing of this run had been read."""
        source, landed = self.source, self.landed
        self.report = SourceReport(source.kind, source.name)
        self.newest = dict(landed.newest(source.kind, source.name))
        self.again = ReadAgain(landed, source.name, self.wanted.names, self.looked_for)
        self.seen = {
            self._content_key(r.object_id, r.delivery): r
            for r in landed.objects(source.kind, source.name)
            if not self.again.needs(r.object_id)
        }

    def land(self, listing: Listing) -> SourceReport:
        """Land what is new. A delivery of which a file can't be had now waits as a whole: the rest of
        it would supersede the older delivery, and be half a bill."""
        waiting: dict[str, _Incomplete] = {}
        while True:
            try:
                self._land(listing, waiting)
            except _Incomplete as left:
                if left.delivery in waiting:
                    raise RuntimeError(
                        f"delivery {left.delivery} was set aside, and read"
                    ) from left
                waiting[left.delivery] = left
                self._begin()
            else:
                return self.report

    def _land(self, listing: Listing, waiting: Mapping[str, _Incomplete]) -> None:
        self.report.skipped = dict(listing.skipped)
        objects = []
        for obj in self._deliveries(listing.objects):
            if self.by_delivery and obj.delivery in waiting and not self._is_unchanged(obj):
                left = waiting[obj.delivery]
                self.report.hold(HeldObject.of(obj, left.reason, left.note, delivery=obj.delivery))
            else:
                objects.append(obj)
        self.again.find(self.newest[obj.path].object_id for obj in objects if self.stands(obj))
        # as of now: of two paths of one object to be read again one is enough
        new = [obj for obj in objects if not self._is_unchanged(obj)]
        unread = {obj.path for obj in new}
        with (
            closing(self._told(new)) as told,
            self.landed.open_batch(self.wanted.keep) as writer,
        ):
            for done, obj in enumerate(objects, start=1):
                if obj.path not in unread:
                    self.report.known += 1
                elif (found := next(told, None)) is None:
                    self._land_object(obj, writer)
                else:
                    self._land_told(obj, found, writer)
                if self.source.kind == "spans" and writer.rows >= COMMIT_SPANS:
                    writer.commit()
                if self.progress:
                    kind, name, rows = self.source.kind, self.source.name, self.report.rows
                    self.progress(LandingProgress(kind, name, done, len(objects), rows.total()))
            writer.commit()
        self.report.gone = dict(self.again.gone)
        standing.tell(self.source, listing, self.landed, self.report)
        if self.source.kind == "spans" and self.report.new + self.report.again:
            self._tell_of_slowness()

    def _tell_of_slowness(self) -> None:
        from attribution_pipeline.sources.otlp import scanning

        if scanning.native is None:
            self.report.notes.append(SLOW)

    def unseen(self, listing: Listing) -> list[SourceObject]:
        """The objects that ``land`` would read; what is held back is counted as awaiting."""
        return [obj for obj in self._deliveries(listing.objects) if not self._is_unchanged(obj)]

    def _told(self, new: list[SourceObject]) -> Generator[Told | None, None, None]:
        """What other processes read of the new objects, in order, where that is worth their start.

        Of spans alone: of other sources there is never much.
        """
        processes = processes_for(new) if self.source.kind == "spans" else 1
        if processes > 1:
            yield from read_ahead(self.reader, self.source.kind, new, processes)

    def _deliveries(self, objects: list[SourceObject]) -> list[SourceObject]:
        """A bill is read by delivery; what its manifest does not vouch for yet waits."""
        if self.source.kind != "billing":
            return objects
        by_path = {obj.path: obj for obj in objects}

        def read_bytes(path: str) -> bytes:
            return _content(by_path[path])

        if self.source.format in VENDOR_FORMATS:
            from attribution_pipeline.sources import vendor_costs

            found = vendor_costs.discover(objects, read_bytes, self.stands)
        else:
            from attribution_pipeline.sources import focus

            found = focus.discover(objects, read_bytes, self.source.format or "focus")
        api = self.source.format in VENDOR_FORMATS
        for held in found.held:
            passed_over.tell(self.report, held, by_path[held.path], is_vendors_api=api)
        return found.objects

    def _is_unchanged(self, obj: SourceObject) -> bool:
        return self.stands(obj) and not self.again.needs(self.newest[obj.path].object_id)

    def stands(self, obj: SourceObject) -> bool:
        """Whether it was met as it lies there."""
        before = self.newest.get(obj.path)
        return (
            before is not None
            and before.fingerprint == obj.fingerprint
            and (not self.by_delivery or before.delivery == obj.delivery)
        )

    def _content_key(self, object_id: str, delivery: str) -> tuple[str, str]:
        return object_id, delivery if self.by_delivery else ""

    def _land_object(self, obj: SourceObject, writer: Writer) -> None:
        moved, refused, apart, other = Decimal(0), None, False, False
        try:
            with open_object(obj) as opened:
                object_id = opened.object_id
                seen = self.seen.get(self._content_key(object_id, obj.delivery))
                other = obj.sha256 not in ("", object_id)
                if seen is None and not other:
                    try:
                        apart = isolation.is_read_apart(opened.data) and bool(obj.size)
                        if not apart:
                            moved = self._read(opened, obj, writer)
                    except UNREADABLE_CONTENT as error:
                        refused = refusal_of(error, obj)
        except StillChanging:
            self._leave(obj, writer, "still_changing", "changed while it was read")
        except OSError as error:
            self._leave(obj, writer, "out_of_reach", str(error.strerror))
        else:
            if other:
                self._leave(obj, writer, "half_written", "has another sha256 than its receipt says")
            elif apart:
                with isolation.told_of(self.reader, obj, self.source.kind) as told:
                    told.object_id = told.object_id or object_id
                    self._land_told(obj, told, writer)
            else:
                self._record(obj, object_id, seen, refused, moved, writer)

    def _land_told(self, obj: SourceObject, told: Told, writer: Writer) -> None:
        """The same for an object that another process has read."""
        from attribution_pipeline.sources.landing_worker import batches_in

        if told.failed:
            raise RuntimeError(f"{obj.uri}: {told.failed}")
        told = isolation.refused_if_crashed(told)
        if told.refused and not told.object_id:  # the process that died has said no digest
            try:
                with open_object(obj) as opened:
                    told.object_id = opened.object_id
            except StillChanging:
                told.left = "still_changing", "changed while it was read"
            except OSError as error:
                told.left = "out_of_reach", str(error.strerror)
        if told.left:
            self._leave(obj, writer, *told.left)
            return
        seen = self.seen.get(self._content_key(told.object_id, obj.delivery))
        moved = Decimal(0)
        if seen is None and told.refused is None:
            moved = self._add(batches_in(told.file), obj, told.object_id, writer)
        self._record(obj, told.object_id, seen, told.refused, moved, writer)

    def _record(
        self,
        obj: SourceObject,
        object_id: str,
        seen: Record | None,
        refused: Refused | None,
        moved: Decimal,
        writer: Writer,
    ) -> None:
        """End the object: landed, refused, or known by its content under another path."""
        again = self.again.needs(object_id)
        if again and refused is not None:
            self._leave(obj, writer, NOT_READABLE, f"{refused.detail}; it stands as it was read")
            return
        if seen is not None:
            self.report.same_content += 1
        elif again:
            self.report.read_again(self.again.lacking[object_id].names)
        elif refused is None:
            self.report.new += 1
        else:
            writer.discard_object()
            self._reject(obj, object_id, [(0, *refused)], writer)
            self.report.refused += 1
            self.report.notes.append(refused.detail)
        if self.require_new and not (seen.refused if seen is not None else refused):
            self.require_new(self.source, obj, object_id)
        earlier = self.again.grown_into(obj) if seen is None and refused is None else []
        record = writer.add_object(
            kind=self.source.kind,
            source=self.source.name,
            uri=obj.uri,
            path=obj.path,
            fingerprint=obj.fingerprint,
            size=obj.size,
            object_id=object_id,
            delivery=obj.delivery,
            delivery_order=obj.delivery_order,
            read=seen is None,
            refused=seen.refused if seen is not None else refused is not None,
            rounding_moved=moved,
            again=again,
            takes_back=earlier,
        )
        self.again.done(object_id, *earlier)
        if self.by_delivery and record.read and not record.refused:
            self.report.deliveries[obj.delivery] = obj.delivery_order
        self.newest[obj.path] = record
        self.seen.setdefault(self._content_key(object_id, obj.delivery), record)
        self.report.rows.update(record.rows)
        self.report.reject(obj.path, record.rejected)
        self.report.rounding_moved += moved
        self.report.touch(record.day_from, record.day_to)

    def _read(self, opened: OpenedObject, obj: SourceObject, writer: Writer) -> Decimal:
        """Hand every batch to the writer; what rounding moved."""
        batches = read_batches(self.reader, opened, obj, self.source.kind)
        return self._add(batches, obj, opened.object_id, writer)

    def _add(
        self, batches: Iterable[Batch], obj: SourceObject, object_id: str, writer: Writer
    ) -> Decimal:
        moved = Decimal(0)
        for batch in batches:
            moved += batch.rounding_moved
            writer.add(batch.table, self.source.name, batch.rows)
            rejected = [(one.position, one.reason, one.detail) for one in batch.rejected]
            self._reject(obj, object_id, rejected, writer)
        return moved

    def _reject(
        self,
        obj: SourceObject,
        object_id: str,
        rejected: Sequence[tuple[int, str, str]],
        writer: Writer,
    ) -> None:
        writer.add_rejected(self.source.kind, self.source.name, object_id, obj.uri, rejected)

    def _leave(self, obj: SourceObject, writer: Writer, reason: str, detail: str) -> None:
        """Not now: nothing of it is recorded, so the next run meets it anew. A file of a delivery
        takes the delivery along: raises _Incomplete."""
        writer.discard_object()
        if self.by_delivery:
            note = f"{obj.path} {detail}, so its delivery {obj.delivery} waits"
            raise _Incomplete(obj.delivery, reason, note)
        self.report.hold(HeldObject.of(obj, reason, detail))


def read_batches(
    reader: Reader, opened: OpenedObject, obj: SourceObject, kind: str
) -> Iterator[Batch]:
    """Batches of one open object. Raises ObjectRefused where it is empty and may not be."""
    if obj.size:
        yield from reader(opened.data, obj, opened.object_id)
    elif kind != "spans":  # a collector has opened its next file
        raise ObjectRefused(
            "empty_object", "is empty", where=obj.uri, remedy="deliver it again, whole"
        )


UNREADABLE_CONTENT = (Refusal, ValueError, OSError, RecursionError)
"""What readers raise when content is broken. Anything else is our fault, and is not caught."""


def refusal_of(error: Exception, obj: SourceObject) -> Refused:
    """Why an object with ``UNREADABLE_CONTENT`` cannot be used; a disk's error is raised again.

    Arrow raises OSError for broken content, without an errno; a disk's error has one.
    """
    if isinstance(error, OSError) and error.errno is not None:
        raise error
    reason = getattr(error, "reason", UNREADABLE)
    if isinstance(error, Refusal):
        return Refused(reason, error.line())
    # a library's message may quote content, which is dropped at the door
    return Refused(reason, f"{obj.uri}: cannot be read ({type(error).__name__})")


def _content(manifest: SourceObject) -> bytes:
    """A manifest's bytes; none where it cannot be read now, which is no manifest yet."""
    try:
        with open_object(manifest) as opened:
            return opened.data if isinstance(opened.data, bytes) else b""
    except (StillChanging, ObjectRefused, OSError):
        return b""
