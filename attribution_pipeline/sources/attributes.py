"""Which landed spans were read for fewer attributes than policies name by now.

Belongs here: what landing is asked to read spans for, held against what they were read for. Does not:
which names a policy has (``model.policy``), reading (``landing_run``), what is landed (``lake``).

Of a span's attributes beyond the standard ones landing keeps those that a published policy names. A
version that names another one governs days whose spans are landed already: these are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Protocol

from attribution_pipeline.sources.evidence_store import EvidenceStore, Record
from attribution_pipeline.sources.objects import SourceObject, StillChanging, open_object

Names = Callable[[date, date], Collection[str]]
"""First and last UTC day of an object's spans -> names of the attributes that days look for in them."""


class LandedSpans(Protocol):
    """Landed evidence, at any time, as far as it says what spans were read for."""

    def objects(self, kind: str | None = None, source: str | None = None) -> Sequence[Record]: ...

    def attributes_read(self, source: str) -> Mapping[str, frozenset[str] | None]: ...


@dataclass(frozen=True)
class Wanted:
    """What spans are read for, beyond the standard attributes."""

    keep: frozenset[str] = frozenset()
    """Names that new objects are read for."""
    names: Names | None = None
    """What an object that is landed has to have been read for; None: it is never read again."""
    missed: Names | None = None
    """What days miss where it can't be read again: of a closed day that keeps an older version, that
    version's. None: ``names``."""
    asked: str = ""
    """Digest of what ``names`` follows from: kept with what was not found, so that others know
    whether a landing has tried."""


NOTHING = Wanted()

GONE = "gone_before_read_again"
"""Reason of an object that is to be read again and lies in its source no more."""

NOT_READABLE = "not_readable_again"
"""Reason of an object that was read once, and can't be read any more."""

NOT_A_SOURCE = "source_not_in_deployment"
"""Reason of an object that is to be read again and is of a source that the deployment file does not
name, or names otherwise."""

READ_BEFORE = (GONE, NOT_READABLE, NOT_A_SOURCE)
"""All stand as they were read."""

ACCEPT = (
    "or accept that so many files stand as they were read: `tolerance.not_read_again` of the newest "
    "policy version, which may take effect tomorrow"
)
REMEDY = (
    "put the file back under its path, and it is read again; or let the policy version that names them "
    f"take effect on a later day; {ACCEPT}"
)


@dataclass(frozen=True)
class Lacking:
    """A landed object of spans that was not read for all that its days look for."""

    record: Record
    names: frozenset[str]
    """What it was not read for."""
    unknown: bool
    """A release landed it that did not say what for."""


def lacking(landed: LandedSpans, source: str, names: Names | None) -> dict[str, Lacking]:
    """Object id -> what is to be read again of a source of spans. Refused objects give nothing under
    any name, and one without spans has nothing that a day could look for."""
    if names is None:
        return {}
    asked = cache(lambda first, last: frozenset(names(first, last)))
    newest = {r.object_id: r for r in landed.objects("spans", source) if r.read}
    read_for = landed.attributes_read(source)
    found = {}
    for object_id, record in newest.items():
        if record.refused or record.day_from is None or record.day_to is None:
            continue
        known, wanted = read_for.get(object_id), asked(record.day_from, record.day_to)
        if not wanted <= (known or frozenset()):
            found[object_id] = Lacking(record, wanted - (known or frozenset()), known is None)
    return found


def span_sources(landed: LandedSpans) -> list[str]:
    """Sources that spans were landed of, in the order of their names, whether or not the deployment file
    names them."""
    return sorted({record.source for record in landed.objects("spans")})


@dataclass(frozen=True)
class Unread:
    """Landed objects of spans that were not read for all of some names."""

    objects: int
    names: frozenset[str]


def unread(landed: LandedSpans, names: Names | None) -> Unread:
    """Landed objects, of all sources, that were not read for what ``names`` asks of them. Whether their
    files are there still is not looked at."""
    found = [
        one for source in span_sources(landed) for one in lacking(landed, source, names).values()
    ]
    return Unread(len(found), frozenset(name for one in found for name in one.names))


def unread_on(landed: LandedSpans, names: Collection[str], first: date, last: date) -> Unread:
    """The same of objects of spans between two days, each asked for all of ``names``."""
    wanted = frozenset(names)
    return unread(
        landed, lambda begin, end: wanted if begin <= last and first <= end else frozenset()
    )


class ReadAgain:
    """The objects of one source that a landing run is to read again, until it has.

    ``gone``: those of them that lie in the source no more, as far as is known before objects are opened:
    one of these may turn up under another path, or as the beginning of a file that has grown since.
    ``looked_for``: ids of those that an earlier landing did not find in anything that lay there.
    """

    def __init__(
        self,
        landed: EvidenceStore,
        source: str,
        names: Names | None,
        looked_for: Collection[str] = (),
    ) -> None:
        self.lacking = lacking(landed, source, names)
        self.gone: dict[str, Lacking] = {}
        self._looked_for = looked_for

    def needs(self, object_id: str) -> bool:
        """Whether it is to be read, although it is landed."""
        return object_id in self.lacking

    def find(self, there: Iterable[str]) -> None:
        """Ids of objects that lie in the source as they were met."""
        found = set(there)
        self.gone = {one: what for one, what in self.lacking.items() if one not in found}

    def done(self, *object_ids: str) -> None:
        """They were read again, or need not be."""
        for one in object_ids:
            self.lacking.pop(one, None)
            self.gone.pop(one, None)

    def grown_into(self, obj: SourceObject) -> list[str]:
        """Ids of gone objects that this one begins with: a collector wrote on in their file, and may
        have renamed it within its folder. All that they hold is read with this one. What was not
        found before is looked for again under its own path alone."""
        folder = obj.path.rpartition("/")[0]
        shorter = {
            one: what.record.size
            for one, what in self.gone.items()
            if what.record.size < obj.size
            and what.record.path.rpartition("/")[0] == folder
            and (one not in self._looked_for or what.record.path == obj.path)
        }
        if not shorter:
            return []
        try:
            with open_object(obj) as opened:
                digests = opened.beginnings(set(shorter.values()))
        except (StillChanging, OSError):
            return []
        return [one for one, size in shorter.items() if digests[size] == one]


def named(names: Iterable[str]) -> str:
    """``app.customer, app.workflow``."""
    return ", ".join(sorted(names))
