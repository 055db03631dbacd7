"""``landed_objects``: what is new in every source, and spans again for attributes that policies name by now.

Belongs here: the landing asset. Does not: reading formats (``sources``), keeping rows (``lake``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration.metadata import Metadata, table
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.sources.report import LandingReport

LINES = "lines"
"""Metadata key of the report as lines for a console."""

NOTES = "notes"
"""The same of what to hear of that is no alert."""

COLUMNS = (
    "source", "kind", "new", "read again", "rows", "rejected", "first day", "last day", "known", "awaiting",
    "refused",
)  # fmt: skip


@dg.asset(
    group_name="evidence",
    kinds={"parquet"},
    description=(
        "Every object of every source, landed once: rows as Parquet under an index that says "
        "which objects they came from. Unpartitioned: an object says which days it touches. "
        "Running it again lands only what is new; where a policy names span attributes that landed "
        "spans were not read for, these are read again."
    ),
)
def landed_objects(context: dg.AssetExecutionContext, deployment: DeploymentFile) -> Any:
    """Land what is new."""
    from attribution_pipeline.orchestration.span_attributes import land

    with shown_as_failures():
        house = deployment.house()
        house.deployment.require_inputs()
        report = land(house)
    for line in report.lines():
        context.log.info(line)
    return dg.MaterializeResult(metadata=_metadata(report))


def _metadata(report: "LandingReport") -> Metadata:
    rows = [
        {
            "source": source.name,
            "kind": source.kind,
            "new": source.new,
            "read again": source.again,
            "known": source.known + source.same_content,
            "awaiting": source.awaiting.total(),
            "refused": source.refused,
            "rows": source.rows.total(),
            "rejected": source.rejected.total(),
            "first day": source.day_from,
            "last day": source.day_to,
        }
        for source in report.sources
    ]
    return {
        "objects_new": report.new,
        "objects_read_again": report.again,
        "objects_known": report.known,
        "objects_awaiting": report.awaiting,
        "objects_refused": report.refused,
        "sources": table(rows, COLUMNS),
        "rejected_by_reason": dict(report.rejected),
        NOTES: dg.MetadataValue.json(report.notes),
        LINES: dg.MetadataValue.json(report.lines()),
    }
