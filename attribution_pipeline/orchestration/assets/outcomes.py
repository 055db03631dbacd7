"""``outcomes``: what came of the day's operations, joined to what they cost.

Belongs here: the asset, and what is shown of it. Does not: the join (``views.outcomes``), which day's
tables it opens (``orchestration.outcomes``).

The day is that of the outcome. Its operation may have run up to a week before, so a day is looked at
again where late calls were recorded: run the asset for it.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.assets.evidence import CODE_VERSION
from attribution_pipeline.orchestration.assets.ledger import LEDGER, OPERATION_COSTS
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.outcomes import OutcomesOfDays

OUTCOMES = "outcomes"


def outcomes_asset(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The day's outcomes with operation, tenant, feature, workflow and cost."""

    @dg.asset(
        name=OUTCOMES,
        partitions_def=days,
        deps=["landed_objects", LEDGER, OPERATION_COSTS],
        group_name="views",
        kinds={"duckdb"},
        code_version=CODE_VERSION,
        description=(
            "Outcomes that were observed on the day, with the operations that they came of and what "
            "those cost; cost per useful outcome by kind. What no recorded operation answers to is "
            "counted. An outcome moves no money."
        ),
    )
    def outcomes(context: dg.AssetExecutionContext, deployment: DeploymentFile) -> Any:
        from attribution_pipeline.orchestration.outcomes import outcomes_of

        day = date.fromisoformat(context.partition_key)
        with shown_as_failures():
            found = outcomes_of(deployment.house(), day, day)
        return dg.MaterializeResult(
            metadata=_metadata(found), data_version=dg.DataVersion(_version(found))
        )

    return outcomes


def _metadata(found: "OutcomesOfDays") -> shown.Metadata:
    rows = found.summed.to_pylist()
    columns = ("kind", "outcomes", "useful", "unmatched", found.metric, "cost_per_useful",
               "billing_currency")  # fmt: skip
    return {
        "dagster/partition_row_count": found.rows.num_rows,
        "outcomes": found.found.outcomes,
        "matched": found.found.matched,
        "unmatched": found.found.unmatched,
        "repeated_records": found.found.repeated,
        "operations_with_an_outcome": found.found.operations,
        "metric": found.metric,
        "by_kind": shown.table(rows, columns),
    }


def _version(found: "OutcomesOfDays") -> str:
    digest = hashlib.sha256()
    for row in found.rows.to_pylist():
        digest.update(repr(sorted(row.items())).encode())
    return digest.hexdigest()
