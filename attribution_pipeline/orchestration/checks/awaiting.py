"""``awaiting_objects``: is there evidence in the sources that no landing run read?

Belongs here: the question, its words and tables, and how Dagster asks it. Does not: why a file waits
and until when that is usual (``sources.awaiting``).

It is asked of landing, not of a day: nobody knows which days a file is of that was not read.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.assets.landing import landed_objects
from attribution_pipeline.orchestration.checks.answers import Answer, result
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.sources.awaiting import Waiting

AWAITING_OBJECTS = "awaiting_objects"

COLUMNS = ("kind", "source", "files", "count", "size", "reason", "written", "why", "what to do")

NAMED = 3
"""Deliveries that the description names; the table has them all."""


def awaiting_objects(house: "House") -> Answer:
    """No file in the sources waits to be read for longer than it takes to write its delivery, and no
    landed spans stand without attributes that a policy version names because they can't be read again."""
    from attribution_pipeline.sources.awaiting import (
        IN_WRITING,
        NOT_KNOWN,
        from_document,
        size_said,
    )
    from attribution_pipeline.sources.gone import with_accepted

    tolerance = house.policies.newest.tolerance
    thresholds: shown.Metadata = {
        "threshold": tolerance.awaiting_objects,
        "threshold_not_read_again": tolerance.not_read_again,
    }
    waiting = from_document(house.landed.waiting())
    if waiting is None:
        return Answer(False, NOT_KNOWN, thresholds)
    waiting = with_accepted(waiting, tolerance.not_read_again)
    overdue = [one for one in waiting if one.is_overdue(house.now())]
    before, unread = _apart(overdue)
    again, never = sum(one.objects for one in before), sum(one.objects for one in unread)
    metadata: shown.Metadata = {
        "awaiting": sum(one.objects for one in waiting),
        "overdue": never + again,
        "overdue_bytes": sum(one.bytes for one in overdue),
        "not_read_again": again,
        **thresholds,
    }
    if waiting:
        metadata["waiting"] = shown.table([_row(one) for one in waiting], COLUMNS)
    if not waiting:
        return Answer(True, "Everything that lies in the sources was read.", metadata)
    if not overdue:
        minutes = int(IN_WRITING.total_seconds()) // 60
        files = (
            f"{metadata['awaiting']:,} files wait" if metadata["awaiting"] > 1 else "1 file waits"
        )
        said = f"{files}, written to within {minutes} minutes and perhaps still on the way."
        return Answer(True, f"{said} {_named(waiting)}.", metadata)
    told = []
    if unread:
        size = size_said(sum(one.bytes for one in unread))
        told.append(
            f"{_files(never)} not read, {size}, and the ledger knows nothing of what is in there."
        )
    if before:
        told.append(
            f"{_files(again)} not read again, and the ledger knows what is in there as it was read before"
            f"{_accepted(again, tolerance.not_read_again)}."
        )
    within = never <= tolerance.awaiting_objects and again <= tolerance.not_read_again
    # what is over its tolerance first: the table has all
    ordered = [*unread, *before] if never > tolerance.awaiting_objects else [*before, *unread]
    return Answer(within, f"{' '.join(told)} {_named(ordered)}.", metadata)


def _apart(waiting: "list[Waiting]") -> "tuple[list[Waiting], list[Waiting]]":
    """What was read before and can't be read again, and what was never read."""
    from attribution_pipeline.sources.attributes import READ_BEFORE

    before = [one for one in waiting if one.reason in READ_BEFORE]
    return before, [one for one in waiting if one.reason not in READ_BEFORE]


def _accepted(count: int, limit: int) -> str:
    if not limit:
        return ""
    within = "within" if count <= limit else "over"
    return f" ({within} the {limit:,} that `tolerance.not_read_again` accepts)"


def _named(waiting: "list[Waiting]") -> str:
    named = "; ".join(f"{one.kind} {one.source}: {one.line()}" for one in waiting[:NAMED])
    more = len(waiting) - NAMED
    return f"{named}; and {more:,} deliveries more" if more > 0 else named


def _files(count: int) -> str:
    return "1 file was" if count == 1 else f"{count:,} files were"


@dg.asset_check(
    asset=landed_objects,
    name=AWAITING_OBJECTS,
    description=" ".join((awaiting_objects.__doc__ or "").split()),
)
def awaiting_objects_check(
    context: dg.AssetCheckExecutionContext, deployment: DeploymentFile
) -> dg.AssetCheckResult:
    with shown_as_failures():
        answer = awaiting_objects(deployment.house())
    return result(answer)


def _row(one: "Waiting") -> dict[str, Any]:
    from attribution_pipeline.sources.awaiting import size_said

    return {
        "kind": one.kind,
        "source": one.source,
        "files": one.named,
        "count": one.objects,
        "size": size_said(one.bytes),
        "reason": one.reason,
        "written": f"{one.written_at:%Y-%m-%d %H:%M} UTC" if one.written_at else None,
        "why": one.detail,
        "what to do": one.remedy,
    }
