"""A source under a new name with the files of one that the deployment file names no more.

Belongs here: noticing it before anything is landed. Does not: spans and close records, of which each counts
once whatever source it came by; spans that lack attributes under the older name (``gone``).

What is landed stands under its source's name for ever, so the same files under another name would count
twice: a bill's days are refused then, under either name, and usage weighs double.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.awaiting import one_line
from attribution_pipeline.sources.standing import EVERY_OBJECT_STANDS

if TYPE_CHECKING:
    from attribution_pipeline.sources.evidence_store import EvidenceStore
    from attribution_pipeline.sources.landing import Source
    from attribution_pipeline.sources.objects import Listing


def refuse_renamed(listings: Iterable[tuple[Source, Listing]], landed: EvidenceStore) -> None:
    """Raises Refusal where a source that nothing was landed of lists a file, alike by path, size and time,
    that was landed as one of the same kind that is not among ``listings``."""
    named = list(listings)
    names = {(source.kind, source.name) for source, _ in named}
    for source, listing in named:
        if source.kind in EVERY_OBJECT_STANDS or landed.newest(source.kind, source.name):
            continue
        older = {
            (record.path, record.fingerprint): record.source
            for record in landed.objects(source.kind)
            if (source.kind, record.source) not in names and not record.refused
        }
        for obj in listing.objects if older else []:
            name = older.get((obj.path, obj.fingerprint))
            if name is not None:
                raise Refusal(
                    f"{one_line(obj.path)} was landed as source {name}, which the deployment file does not "
                    "name any more: under another name it would count twice",
                    where=f"source {source.name}, sources.{source.kind}",
                    remedy=f"name the source {name} again: its name is part of what is landed",
                )
