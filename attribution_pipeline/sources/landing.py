"""Landing: every object of every source is read once, by the reader of its kind.

Belongs here: which sources there are, which reader reads which kind. Does not: one source's run
(``landing_run``), how a format is read (its package), where landed rows are kept (``lake.landed``,
handed in), which objects count for a day (``attribution``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.evidence_store import EvidenceStore
from attribution_pipeline.sources.landing_run import Reader, Run
from attribution_pipeline.sources.objects import Listing, folder_of, list_objects
from attribution_pipeline.sources.report import LandingProgress, LandingReport, SourceReport

__all__ = ["KINDS", "LandingProgress", "LandingReport", "Source", "SourceReport", "land"]

KINDS = (
    "billing", "opencost", "spans", "kubernetes", "usage", "reservations", "outcomes", "controls",
    "closes",
)  # fmt: skip

NOT_THERE_YET = "folder_not_there_yet"
"""Counted for a ``closes`` source without a folder: the first `attribution close` makes it."""


@dataclass(frozen=True)
class Source:
    """One entry under ``sources`` in the deployment file, as landing needs it."""

    kind: str
    """One of ``KINDS``."""
    name: str
    uri: str | Path
    format: str = ""
    """Billing: the layout (``focus``, ``aws``, ...). Else unused: formats are told by content."""
    delivery: str = ""
    """Billing: ``replace`` or ``append``."""
    cluster: str | None = None
    """OpenCost: the cluster's name, over what its answers say."""


def land(
    deployment_sources: Sequence[Source],
    landed: EvidenceStore,
    *,
    keep_attributes: Collection[str] = (),
    progress: Callable[[LandingProgress], None] | None = None,
) -> LandingReport:
    """Land what is new in every source. Running it again lands nothing new.

    Every source is listed before anything is written: a folder that is missing is a Refusal and
    changes nothing, but for close records, which nobody may have written yet. An object that cannot
    be used is one rejected record and stops no other; it is tried again when its content changes.
    Objects that are half-written, without manifest, changing or out of reach are left for the next
    run, and counted.
    """
    listings = [(source, listing_of(source)) for source in deployment_sources]
    report = LandingReport()
    with landed.exclusive():
        for source, listing in listings:
            run = Run(source, landed, _reader(source, frozenset(keep_attributes)), progress)
            report.sources.append(run.land(listing))
    return report


def listing_of(source: Source) -> Listing:
    """What lies there now. Raises Refusal where a source is not there, or can't be listed."""
    if source.kind == "closes" and not folder_of(source.name, source.uri).exists():
        return Listing([], {NOT_THERE_YET: 1})
    return list_objects(source.name, source.uri)


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

            # not a lambda: it is handed to other processes
            return partial(otlp.read, keep_attributes=keep_attributes)
        case "usage":
            from attribution_pipeline.sources.tables import read_usage

            return read_usage
        case "kubernetes":
            from attribution_pipeline.sources.tables import read_kubernetes

            return read_kubernetes
        case "reservations":
            from attribution_pipeline.sources.reservations import read_reservations

            return read_reservations
        case "outcomes":
            from attribution_pipeline.sources.outcomes import read_outcomes

            return read_outcomes
        case "controls":
            from attribution_pipeline.sources.controls import read_controls

            return read_controls
        case "closes":
            from attribution_pipeline.sources.closes import read_closes

            return read_closes
    raise Refusal(
        f"sources of kind {source.kind!r} cannot be landed",
        where=f"source {source.name}",
        remedy=f"use one of {', '.join(KINDS)}",
    )
