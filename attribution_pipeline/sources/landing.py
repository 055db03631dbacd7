"""Landing: what is new in every source is read, by the reader of its kind.

Belongs here: which sources there are, which reader reads which kind. Does not: one source's run
(``landing_run``), how a format is read (its package), where landed rows are kept (``lake.landed``,
handed in), which objects count for a day (``attribution``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from attribution_pipeline.buckets import Bucket
from attribution_pipeline.model.errors import Overtaken, Refusal
from attribution_pipeline.sources import gone
from attribution_pipeline.sources.attributes import Wanted
from attribution_pipeline.sources.awaiting import as_document
from attribution_pipeline.sources.bucket_objects import is_empty
from attribution_pipeline.sources.evidence_store import EvidenceStore
from attribution_pipeline.sources.landing_run import VENDOR_FORMATS, Reader, Run
from attribution_pipeline.sources.looked_for import LookedFor, last_looked
from attribution_pipeline.sources.objects import Listing, folder_of, list_objects
from attribution_pipeline.sources.renamed import Elsewhere
from attribution_pipeline.sources.report import LandingProgress, LandingReport, SourceReport

__all__ = ["KINDS", "LandingProgress", "LandingReport", "Source", "SourceReport", "land"]

KINDS = (
    "billing", "opencost", "spans", "kubernetes", "usage", "reservations", "outcomes", "controls",
    "closes",
)  # fmt: skip

TRIES, LONGEST_PAUSE_S = 8, 2.0
"""Times that a source is begun anew because another machine was faster, and the pauses between."""

NOT_THERE_YET = "folder_not_there_yet"
"""Counted for a ``closes`` source without a folder: the first `attribution close` makes it."""


@dataclass(frozen=True)
class Source:
    """One entry under ``sources`` in the deployment file, as landing needs it."""

    kind: str
    """One of ``KINDS``."""
    name: str
    uri: str | Path | Bucket
    format: str = ""
    """Billing: the layout (``focus``, ``aws``, ...). Else unused: formats are told by content."""
    delivery: str = ""
    """Billing: ``replace`` or ``append``."""
    cluster: str | None = None
    """OpenCost: the cluster's name, over what its answers say."""
    account: str = ""
    """Billing of a vendor's API: the organization that its pages are of."""


def land(
    deployment_sources: Sequence[Source],
    landed: EvidenceStore,
    *,
    keep_attributes: Collection[str] = (),
    wanted: Wanted | None = None,
    progress: Callable[[LandingProgress], None] | None = None,
) -> LandingReport:
    """Land what is new in every source. Running it again lands nothing new.

    Every source is listed before anything is written: a folder that is missing is a Refusal and
    changes nothing, but for close records, which nobody may have written yet; so is a source that was
    renamed and lists the files that it had, which would count twice. Where only their content tells it
    (they lie elsewhere, or were merged), the Refusal comes while that source is read, and lands nothing
    of it. An object that cannot be used is one rejected record and stops no other; it is tried again
    when its content changes.
    Objects that are half-written, without manifest, changing or out of reach are left for the next
    run, and counted; what is left is kept in ``landed``, for who asks before the next run.

    ``wanted``: what spans are read for beyond the standard attributes, and read again for. None: for
    ``keep_attributes``, on all days.
    """
    keep = frozenset(keep_attributes)
    wanted = wanted or Wanted(keep, (lambda first, last: keep) if keep else None)
    listings = [(source, listing_of(source)) for source in deployment_sources]
    report = LandingReport()
    reader_of = partial(_reader, keep_attributes=wanted.keep)
    with landed.exclusive():
        elsewhere = Elsewhere(landed, deployment_sources)
        for source, listing in listings:
            elsewhere.refuse_listed(source, listing)
        before = last_looked(landed) if wanted.names else LookedFor()
        for source, listing in listings:
            not_found = before.of(source.name) if source.kind == "spans" else frozenset()
            run_of = partial(
                Run,
                source,
                landed,
                reader_of(source),
                progress,
                wanted,
                not_found,
                elsewhere.refuse,
            )
            report.sources.append(_land(run_of, listing, landed))
        if wanted.names is not None:
            gone.tell(landed, wanted, report.sources, before)
        landed.keep_waiting(as_document(report.waiting))
    return report


def _land(run_of: Callable[[], Run], listing: Listing, landed: EvidenceStore) -> SourceReport:
    """One source. Where a run on another machine lands at the same moment, no lock keeps them apart:
    who comes second looks at what the first landed, and lands what is left."""
    for left in range(TRIES - 1, -1, -1):
        try:
            return run_of().land(listing)
        except Overtaken:
            if not left:
                raise
            time.sleep(random.uniform(0, LONGEST_PAUSE_S))
            landed.refresh()
    raise AssertionError("a source was never landed")


def listing_of(source: Source) -> Listing:
    """What lies there now. Raises Refusal where a source is not there, or can't be listed."""
    if source.kind == "closes" and not _is_there(source):
        return Listing([], {NOT_THERE_YET: 1})
    return list_objects(source.name, source.uri)


def _is_there(source: Source) -> bool:
    if not isinstance(source.uri, Bucket):
        return folder_of(source.name, source.uri).exists()
    try:
        return not is_empty(source.uri)
    except OSError:
        return True  # its listing says what is wrong


def _reader(source: Source, keep_attributes: frozenset[str]) -> Reader:
    """The reader of a kind. Imported here: nobody pays for the formats that they do not have. None is a
    lambda: readers are handed to other processes."""
    match source.kind:
        case "billing" if source.format in VENDOR_FORMATS:
            from attribution_pipeline.sources import vendor_costs

            return partial(vendor_costs.read, format=source.format, account=source.account)
        case "billing":
            from attribution_pipeline.sources import focus

            return focus.read
        case "opencost":
            from attribution_pipeline.sources import opencost

            return partial(opencost.read, cluster=source.cluster)
        case "spans":
            from attribution_pipeline.sources import otlp

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
