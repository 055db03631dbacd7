"""``focus_export``: a recorded day as a FOCUS dataset, in every version.

Belongs here: the asset, where it puts its files, what is shown of it. Does not: rows (``export``),
which states (``orchestration.export``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration.assets.evidence import CODE_VERSION
from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.house import House

FOCUS_EXPORT = "focus_export"

FOLDER = "exports"
"""Under the storage, a folder a day."""


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
        from attribution_pipeline.export.statement import FILE
        from attribution_pipeline.orchestration.export import export_focus

        day = date.fromisoformat(context.partition_key)
        with shown_as_failures():
            house = deployment.house()
            done = export_focus(house, day, day, Wanted(), place_of(house, day))
        return dg.MaterializeResult(
            metadata={
                "rows": done.tally.rows,
                "lines_of_the_bill": done.tally.lines,
                "rows_of_undivided_lines": done.tally.lines_as_they_are,
                **{
                    f"focus_{one.version}": dg.MetadataValue.path(str(one.folder / FILE))
                    for one in done.datasets
                },
            },
            data_version=dg.DataVersion(done.states[0].manifest_id),
        )

    return exported_day


def place_of(house: "House", day: date) -> Path:
    """Where a day's export stands."""
    return house.lake.storage / FOLDER / day.isoformat()
