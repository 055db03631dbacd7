"""``focus_export``: a recorded day as a FOCUS dataset, in every version.

Belongs here: the asset, where it puts its files, what is shown of it. Does not: rows (``export``),
which states (``orchestration.export``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from datetime import date
from typing import Any

import dagster as dg

from attribution_pipeline.orchestration.assets.evidence import CODE_VERSION
from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

FOCUS_EXPORT = "focus_export"


def export_asset(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """A day's export. Not part of the daily run: who takes it over says when."""

    @dg.multi_asset(
        name="exported_day",
        partitions_def=days,
        specs=[
            dg.AssetSpec(
                FOCUS_EXPORT,
                deps=[LEDGER],
                group_name="exports",
                kinds={"parquet", "csv"},
                code_version=CODE_VERSION,
                description=(
                    "The recorded day as FOCUS CostAndUsage 1.2, 1.3 and 1.4: allocated rows that "
                    "sum to their line of the bill in every cost and quantity. A derived dataset: "
                    "never add it to the bill that it is made of. Not part of the daily run."
                ),
            )
        ],
    )
    def exported_day(context: dg.AssetExecutionContext, deployment: DeploymentFile) -> Any:
        from attribution_pipeline.export.focus import Wanted
        from attribution_pipeline.orchestration.export import export_day

        day = date.fromisoformat(context.partition_key)
        with shown_as_failures():
            done, found = export_day(deployment.house(), day, Wanted())
        return dg.MaterializeResult(
            metadata={
                "rows": done.tally.rows,
                "lines_of_the_bill": done.tally.lines,
                "rows_of_undivided_lines": done.tally.lines_as_they_are,
                **{
                    f"focus_{version}": dg.MetadataValue.path(where)
                    for version, where in found.items()
                },
            },
            data_version=dg.DataVersion(done.states[0].manifest_id),
        )

    return exported_day
