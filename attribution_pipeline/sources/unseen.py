"""What a landing run would read now, told from listings alone.

Belongs here: listings held against what was landed. Does not: reading an object, landing it
(``landing_run``), when to look (``orchestration``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from attribution_pipeline.sources.attributes import Names, Wanted
from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.evidence_store import EvidenceStore
from attribution_pipeline.sources.landing import Source, listing_of
from attribution_pipeline.sources.landing_run import Run
from attribution_pipeline.sources.objects import SourceObject

ARRIVING = timedelta(seconds=30)
"""An object that was written to so recently may still be growing. A collector appends to its newest
file for an hour, and landing it every minute would read it sixty times."""

_MODIFIED = re.compile(r"^\d+-(?P<nanoseconds>\d+)$")


@dataclass
class Unseen:
    """Objects that are not landed as they lie there now."""

    objects: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Kind, source, path and fingerprint, in the sources' order: complete, so they can be landed."""
    again: int = 0
    """How many of them were landed, and are to be read again for span attributes."""
    awaiting: Counter[str] = field(default_factory=Counter)
    """What is held back, by reason: half-written deliveries, files without a manifest, files that
    are being written."""


def unseen(
    sources: Sequence[Source],
    landed: EvidenceStore,
    now: datetime,
    names_of_days: Names | None = None,
) -> Unseen:
    """List every source and hold it against the index. Opens billing manifests, nothing else.

    ``names_of_days`` as ``landing.land`` takes it; None: no span is read again. Raises Refusal where a
    source is not there, or can't be listed.
    """
    found = Unseen()
    for source in sources:
        run = Run(source, landed, _reads_nothing, None, Wanted(names=names_of_days))
        for obj in run.unseen(listing_of(source)):
            if _is_arriving(obj, now):
                found.awaiting["still_arriving"] += 1
            else:
                found.objects.append((source.kind, source.name, obj.path, obj.fingerprint))
                found.again += run.stands(obj)
        found.awaiting.update(run.report.awaiting)
    return found


def _reads_nothing(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    raise AssertionError(f"{obj.uri} is opened by a listing")


def _is_arriving(obj: SourceObject, now: datetime) -> bool:
    """A time that is far ahead is a clock's fault, and says nothing."""
    modified = _MODIFIED.match(obj.fingerprint)
    if modified is None:
        return False
    written = datetime.fromtimestamp(int(modified["nanoseconds"]) / 1e9, UTC)
    return -ARRIVING < now - written < ARRIVING
