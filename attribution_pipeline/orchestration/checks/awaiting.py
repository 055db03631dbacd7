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
from attribution_pipeline.orchestration.checks.answers import Answer
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
    """No file in the sources waits to be read for longer than it takes to write its delivery."""
    from attribution_pipeline.sources.attributes import READ_BEFORE
    from attribution_pipeline.sources.awaiting import IN_WRITING, from_document, size_said

    limit = house.policies.newest.tolerance.awaiting_objects
    waiting = from_document(house.landed.waiting())
    overdue = [one for one in waiting if one.is_overdue(house.now())]
    count = sum(one.objects for one in overdue)
    size = size_said(sum(one.bytes for one in overdue if one.reason not in READ_BEFORE))
    metadata: shown.Metadata = {
        "awaiting": sum(one.objects for one in waiting),
        "overdue": count,
        "overdue_bytes": sum(one.bytes for one in overdue),
        "threshold": limit,
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
    again = sum(one.objects for one in overdue if one.reason in READ_BEFORE)
    never = f"{_files(count - again)} not read, {size}, and the ledger knows nothing of what is in there."
    before = f"{_files(again)} not read again, and the ledger knows them as they were read before."
    said = " ".join([*([never] if count > again else []), *([before] if again else [])])
    return Answer(count <= limit, f"{said} {_named(overdue)}.", metadata)


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
    return dg.AssetCheckResult(
        passed=answer.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=answer.description,
        metadata=dict(answer.metadata),
    )


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
