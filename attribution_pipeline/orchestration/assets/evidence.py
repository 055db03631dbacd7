"""The evidence of a day, one asset a plane.

Belongs here: the plane assets and what is shown of them. Does not: how a plane is computed
(``planes``, ``attribution``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.attribution import KERNEL
from attribution_pipeline.orchestration.metadata import Metadata, digest, table
from attribution_pipeline.orchestration.planes import ASSET_OF_PLANE, plane_of_day
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.lake import KeptPlane

CODE_VERSION = f"kernel-{KERNEL}"

DESCRIPTIONS = {
    "billing": "The day's charges from every billing source: standing deliveries, cut at midnight.",
    "cluster": "The day's OpenCost allocation: pods, nodes and volumes, with idle, gated.",
    "operations": (
        "The operations of the day: spans that bill, without duplicates, twins merged, tokens in "
        "disjoint buckets, identity resolved."
    ),
    "usage": "The day's usage reports: quantities of surfaces that many share.",
    "kubernetes": "The day's Kubernetes snapshot: labels and annotations of what ran.",
    "closes": "Which of the day's charges are closed, and by what: close records, invoices.",
}

MORE_DEPS = {
    # the policy's names for span attributes
    "operations": ("policy_versions",),
    # the policy's provisional_for, and which charges there are
    "closes": ("policy_versions", "billing_exports"),
}
"""Beyond landed objects."""


def evidence_assets(days: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """One partitioned asset for each plane, in the engine's order."""
    return [_asset(plane, days) for plane in ASSET_OF_PLANE]


def _asset(plane: str, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    deps = ["landed_objects", *MORE_DEPS.get(plane, ())]

    @dg.asset(
        name=ASSET_OF_PLANE[plane],
        partitions_def=days,
        deps=deps,
        group_name="evidence",
        kinds={"duckdb", "parquet"},
        code_version=CODE_VERSION,
        description=DESCRIPTIONS[plane],
    )
    def evidence(context: dg.AssetExecutionContext, deployment: DeploymentFile) -> Any:
        with shown_as_failures():
            house = deployment.house()
            kept = plane_of_day(house, plane, date.fromisoformat(context.partition_key))
        return dg.MaterializeResult(
            metadata=_metadata(kept), data_version=dg.DataVersion(kept.digest)
        )

    return evidence


def _metadata(kept: "KeptPlane") -> Metadata:
    counted = {name: dg.MetadataValue.int(rows) for name, rows in kept.rows.items()}
    return {
        "dagster/partition_row_count": sum(
            file.rows for files in kept.files.values() for file in files
        ),
        **counted,
        "digest": digest(kept.digest),
        "findings": len(kept.findings),
        **(
            {"gates": table(kept.findings, ("check", "severity", "subject", "detail"))}
            if kept.findings
            else {}
        ),
        "files": {name: [file.path for file in files] for name, files in kept.files.items()},
    }
