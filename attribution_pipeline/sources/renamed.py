"""A source under a new name with the files of one that the deployment file names no more.

Belongs here: noticing it, by what is listed before anything is landed, and by content while a source is
read. Does not: spans and close records, of which each counts once whatever source it came by; spans that
lack attributes under the older name (``gone``).

What is landed stands under its source's name for ever, so the same files under another name would count
twice: a bill's days are refused then, under either name, and usage weighs double.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.awaiting import one_line
from attribution_pipeline.sources.objects import StillChanging, open_object
from attribution_pipeline.sources.standing import EVERY_OBJECT_STANDS

if TYPE_CHECKING:
    from attribution_pipeline.sources.evidence_store import EvidenceStore, Record
    from attribution_pipeline.sources.landing import Source
    from attribution_pipeline.sources.objects import Listing, SourceObject


class Elsewhere:
    """What stands under sources that the deployment file does not name. For one landing."""

    def __init__(self, landed: EvidenceStore, sources: Iterable[Source]) -> None:
        self._landed = landed
        self._named = {(source.kind, source.name) for source in sources}
        self._found: dict[str, list[Record]] = {}
        self._ids: dict[str, dict[str, Record]] = {}

    def refuse_listed(self, source: Source, listing: Listing) -> None:
        """Raises Refusal where a file that is new to the source is one of these, alike by path, size and
        time. It is read for that: archives and images give equal times to whatever is in them."""
        older = {(record.path, record.fingerprint) for record in self._of(source.kind)}
        if not older:
            return
        known = self._landed.newest(source.kind, source.name)
        for obj in listing.objects:
            before = known.get(obj.path)
            if before is not None and before.fingerprint == obj.fingerprint:
                continue
            if (obj.path, obj.fingerprint) in older:
                try:
                    with open_object(obj) as opened:
                        object_id = opened.object_id
                except (StillChanging, OSError):
                    continue  # landing meets it, says so, and looks at what it reads
                self.refuse(source, obj, object_id)

    def refuse(self, source: Source, obj: SourceObject, object_id: str) -> None:
        """Raises Refusal where a file of this content is one of these, wherever it lies by now, and the
        source has nothing of this content that stands."""
        record = self._by_id(source.kind).get(object_id)
        if record is None:
            return
        own = _standing(self._landed.objects(source.kind, source.name))
        if any(one.object_id == object_id for one in own):
            return
        said = one_line(obj.path)
        if record.path != obj.path:
            said += f" has the content of {one_line(record.path)}, which"
        raise Refusal(
            f"{said} was landed as source {record.source}, which the deployment file does not name any "
            "more: under another name it would count twice",
            where=f"source {source.name}, sources.{source.kind}",
            remedy=f"name the source {record.source} again and leave its files to it: its name is part of "
            "what is landed",
        )

    def _of(self, kind: str) -> list[Record]:
        if kind in EVERY_OBJECT_STANDS:
            return []
        if kind not in self._found:
            unnamed = (
                record
                for record in self._landed.objects(kind)
                if (kind, record.source) not in self._named
            )
            self._found[kind] = _standing(unnamed)
        return self._found[kind]

    def _by_id(self, kind: str) -> Mapping[str, Record]:
        if kind not in self._ids:
            self._ids[kind] = {record.object_id: record for record in self._of(kind)}
        return self._ids[kind]


def _standing(records: Iterable[Record]) -> list[Record]:
    """The newest readable record of each path, where its content gave rows: not of a file that was
    withdrawn by its header alone."""
    newest: dict[tuple[str, str], Record] = {}
    with_rows: set[tuple[str, str]] = set()
    for record in records:
        if not record.refused:
            newest[record.source, record.path] = record
            if sum(record.rows.values()):
                with_rows.add((record.source, record.object_id))
    return [one for one in newest.values() if (one.source, one.object_id) in with_rows]
