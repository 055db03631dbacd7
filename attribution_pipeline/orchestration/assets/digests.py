"""``evidence_digests``: what every recorded day's evidence comes to today.

Belongs here: the asset, and what is shown of it. Does not: how digests are brought up to date
(``digests``), which days are stale by them (``staleness``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

import hashlib
from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration.metadata import MOST_ROWS, Metadata, markdown_list, table
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.digests import Looked
    from attribution_pipeline.orchestration.staleness import StaleDay

COLUMNS = ("day", "what moved")


@dg.asset(
    group_name="evidence",
    kinds={"json"},
    deps=["landed_objects", "policy_versions"],
    description=(
        "What the evidence of every recorded day comes to today, a digest for each plane, from "
        "landed objects. Days are stale where the ledger was computed from something else: see "
        "the check stale_partitions of attribution_ledger."
    ),
)
def evidence_digests(context: dg.AssetExecutionContext, deployment: DeploymentFile) -> Any:
    """Look at recorded days, and compute again the planes whose landed objects changed."""
    from attribution_pipeline.orchestration.digests import bring_up_to_date
    from attribution_pipeline.orchestration.staleness import stale_days

    with shown_as_failures():
        house = deployment.house()
        looked = bring_up_to_date(house, context.log.info)
        stale = stale_days(house)
    for line in looked.refused:
        context.log.warning(line)
    digests = sorted(
        plane.digest for day in looked.digests.days.values() for plane in day.planes.values()
    )
    return dg.MaterializeResult(
        metadata=_metadata(looked, stale),
        data_version=dg.DataVersion(hashlib.sha256("".join(digests).encode()).hexdigest()),
    )


def _metadata(looked: "Looked", stale: "list[StaleDay]") -> Metadata:
    rows = [{"day": day.day, "what moved": ", ".join(day.moved)} for day in stale]
    shown: Metadata = {
        "landing": looked.digests.landed,
        "days": len(looked.digests.days),
        "planes_computed": sum(looked.computed.values()),
        "planes_computed_by_asset": dict(looked.computed),
        "stale_days": len(stale),
        "stale": table(rows, COLUMNS),
    }
    if looked.refused:
        shown["refused"] = markdown_list(looked.refused[:MOST_ROWS])
    return shown
