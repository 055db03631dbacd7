"""Landing: every object of every source is read once, by the reader of its kind.

Belongs here: which objects are new, one object whole or refused, what a run reports. Does not: how
a format is read (its package), where landed rows are kept (``lake.landed``, handed in), which
objects count for a day (``attribution``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.objects import (
    Listing,
    OpenedObject,
    SourceObject,
    StillChanging,
    list_objects,
    open_object,
)
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline.sources.report import LandingReport, SourceReport

KINDS = ("billing", "opencost", "spans", "kubernetes", "usage")

COMMIT_SPANS = 5_000_000
"""Spans after which a landing run commits what it has, so that a killed one does not begin anew.
Other sources are committed whole: half a bill must not be seen."""

UNREADABLE = "unreadable_object"
"""Reason of an object whose reader gave no word of its own."""


@dataclass(frozen=True)
class Source:
    """One entry under ``sources`` in the deployment file, as landing needs it."""

    kind: str
    """``billing``, ``opencost``, ``spans``, ``kubernetes`` or ``usage``."""
    name: str
    uri: str | Path
    format: str = ""
    """Billing: the layout (``focus``, ``aws``, ...). Else not asked: formats are told by content."""
    delivery: str = ""
    """Billing: ``replace`` or ``append``."""
    cluster: str | None = None
    """OpenCost: the cluster's name, over what its answers say."""


@dataclass(frozen=True)
class LandingProgress:
    """Where a run stands, after each object."""

    kind: str
    name: str
    done: int
    total: int
    rows: int


class Record(Protocol):
    """What landing asks of an object's record."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def object_id(self) -> str: ...
    @property
    def delivery(self) -> str: ...
    @property
    def refused(self) -> bool: ...
    @property
    def day_from(self) -> Any: ...
    @property
    def day_to(self) -> Any: ...


class Writer(Protocol):
    """``lake.landed.LandingWriter``, as landing needs it."""

    rows: int

    def add(self, table: str, source: str, rows: Any) -> None: ...
    def add_rejected(
        self, kind: str, source: str, object_id: str, uri: str, rejected: Any
    ) -> None: ...
    def add_object(self, **fields: Any) -> Record: ...
    def discard_object(self) -> None: ...
    def commit(self) -> int | None: ...


class Landed(Protocol):
    """``lake.landed.LandedStore``, as landing needs it. ``sources`` never imports ``lake``."""

    def exclusive(self) -> AbstractContextManager[None]: ...
    def open_batch(self) -> AbstractContextManager[Writer]: ...
    def newest(self, kind: str, source: str) -> Mapping[str, Record]: ...
    def objects(self, kind: str | None = None, source: str | None = None) -> Sequence[Record]: ...


Reader = Callable[[bytes | BinaryIO, SourceObject, str], Iterator[Batch]]
Progress = Callable[[LandingProgress], None]


def land(
    deployment_sources: Sequence[Source],
    landed: Landed,
    *,
    keep_attributes: Collection[str] = (),
    progress: Progress | None = None,
) -> LandingReport:
    """Land what is new in every source. Running it again lands nothing new.

    Every source is listed before anything is written: a folder that is missing is a Refusal and
    changes nothing. An object that cannot be used is one rejected record and stops no other; it is
    tried again when its content changes. Objects that are half-written, without manifest, changing
    or out of reach are left for the next run, and counted.
    """
    listings = [(source, list_objects(source.name, source.uri)) for source in deployment_sources]
    report = LandingReport()
    with landed.exclusive():
        for source, listing in listings:
            run = _Run(source, landed, _reader(source, frozenset(keep_attributes)), progress)
            report.sources.append(run.land(listing))
    return report


def _reader(source: Source, keep_attributes: frozenset[str]) -> Reader:
    """The reader of a kind. Imported here: nobody pays for the formats that they do not have."""
    match source.kind:
        case "billing":
            from attribution_pipeline.sources import focus

            return focus.read
        case "opencost":
            from attribution_pipeline.sources import opencost

            return lambda data, obj, object_id: opencost.read(
                data, obj, object_id, cluster=source.cluster
            )
        case "spans":
            from attribution_pipeline.sources import otlp

            return lambda data, obj, object_id: otlp.read(
                data, obj, object_id, keep_attributes=keep_attributes
            )
        case "usage":
            from attribution_pipeline.sources.tables import read_usage

            return read_usage
        case "kubernetes":
            from attribution_pipeline.sources.tables import read_kubernetes

            return read_kubernetes
    raise Refusal(
        f"sources of kind {source.kind!r} cannot be landed",
        where=f"source {source.name}",
        remedy=f"use one of {', '.join(KINDS)}",
    )


class _Run:
    """One source in one landing run."""

    def __init__(
        self, source: Source, landed: Landed, reader: Reader, progress: Progress | None
    ) -> None:
        self.source = source
        self.reader = reader
        self.progress = progress
        self.landed = landed
        self.report = SourceReport(source.kind, source.name)
        # a bill's rows carry their delivery, and the newest delivery alone stands: what a vendor
        # sends again unchanged in a newer one must be landed as part of that one
        self.by_delivery = source.kind == "billing" and source.delivery != "append"
        self.newest = dict(landed.newest(source.kind, source.name))
        self.seen = {self._content(r): r for r in landed.objects(source.kind, source.name)}

    def land(self, listing: Listing) -> SourceReport:
        self.report.skipped = dict(listing.skipped)
        objects = self._deliveries(listing.objects)
        with self.landed.open_batch() as writer:
            rows = 0
            for done, obj in enumerate(objects, start=1):
                if self._is_unchanged(obj):
                    self.report.known += 1
                else:
                    self._land_object(obj, writer)
                rows = self.report.rows.total()
                if self.source.kind == "spans" and writer.rows >= COMMIT_SPANS:
                    writer.commit()
                if self.progress:
                    self.progress(
                        LandingProgress(
                            self.source.kind, self.source.name, done, len(objects), rows
                        )
                    )
            writer.commit()
        return self.report

    def _deliveries(self, objects: list[SourceObject]) -> list[SourceObject]:
        """A bill is read by delivery; what its manifest does not vouch for yet waits."""
        if self.source.kind != "billing":
            return objects
        from attribution_pipeline.sources.focus import discover

        by_path = {obj.path: obj for obj in objects}

        def content(path: str) -> bytes:
            with open_object(by_path[path]) as opened:
                return opened.data if isinstance(opened.data, bytes) else opened.data.read()

        found = discover(objects, content, self.source.format or "focus")
        for held in found.held:
            self.report.awaiting[held.reason] += 1
            self.report.notes.append(f"{held.path}: {held.reason}, {held.detail}")
        return found.objects

    def _is_unchanged(self, obj: SourceObject) -> bool:
        before = self.newest.get(obj.path)
        return (
            before is not None
            and before.fingerprint == obj.fingerprint
            and (not self.by_delivery or before.delivery == obj.delivery)
        )

    def _content(self, record: Record) -> tuple[str, str]:
        return record.object_id, record.delivery if self.by_delivery else ""

    def _land_object(self, obj: SourceObject, writer: Writer) -> None:
        object_id = ""
        fields: dict[str, Any] = {}
        try:
            with open_object(obj) as opened:
                object_id = opened.object_id
                key = (object_id, obj.delivery if self.by_delivery else "")
                if key in self.seen:
                    fields = {"read": False, "refused": self.seen[key].refused}
                else:
                    fields = {"rounding_moved": self._read(opened, obj, writer)}
        except StillChanging:
            self._leave(obj, writer, "still_changing", "changed while it was read")
            return
        except OSError as error:
            if error.errno is None:  # Arrow raises OSError for broken content too
                self._refuse(obj, object_id, error, writer)
                fields = {"refused": True}
            else:
                self._leave(obj, writer, "out_of_reach", str(error.strerror))
                return
        except (Refusal, ValueError, RecursionError) as error:
            if not object_id:
                object_id = _id_of(obj)
            self._refuse(obj, object_id, error, writer)
            fields = {"refused": True}
        self._keep(obj, object_id, fields, writer)
