"""``replay``: a recorded day, computed again and compared.

Belongs here: the asset and what is shown of a verdict. Does not: the verdict (``proof.replay``), the
check that answers from it (``checks.replay``), when it runs (``replay_schedule``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration import verdicts
from attribution_pipeline.orchestration.assets.evidence import CODE_VERSION
from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.metadata import Metadata
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.proof.replay import DayReplay

REPLAY = "replay"

CODE, DETAIL, MANIFEST = "code", "detail", "manifest"
"""Metadata keys from which the check ``replay_variance`` answers."""

TABLE_COLUMNS = ("table", "recorded", "replayed", "differing", "tolerated")
VARIANCE_COLUMNS = (
    "method", "kernel", "currency", "rows", "differing", "billed_cost", "effective_cost",
)  # fmt: skip
DIFFERENCE_COLUMNS = ("table", "key", "column", "recorded", "replayed")


def replay_asset(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The verdict of a day, as an asset. What it finds is metadata: a bad verdict is a result."""

    # its step has a name of its own: Dagster refuses one that is called like the job
    @dg.multi_asset(
        name="replayed_day",
        partitions_def=days,
        specs=[
            dg.AssetSpec(
                REPLAY,
                deps=[LEDGER],
                group_name="proof",
                kinds={"duckdb"},
                code_version=CODE_VERSION,
                description=(
                    "The recorded day, computed again from frozen inputs and the frozen policy in "
                    "a clean place, and compared with the ledger row by row, every column. Not "
                    "part of the daily run: the job `replay` does yesterday and a rotating sample "
                    "every night."
                ),
            )
        ],
    )
    def replay(context: dg.AssetExecutionContext, deployment: DeploymentFile) -> Any:
        from attribution_pipeline.orchestration.replaying import replay as replayed
        from attribution_pipeline.orchestration.replaying import required_head

        day = date.fromisoformat(context.partition_key)
        with shown_as_failures():
            house = deployment.house()
            verdict = replayed(house, required_head(house, day))
            verdicts.keep(house, verdict)
        context.log.info(verdict.line())
        return dg.MaterializeResult(
            metadata=verdict_metadata(verdict),
            data_version=dg.DataVersion(f"{verdict.manifest_id}-{verdict.code}"),
        )

    return replay


def verdict_metadata(verdict: "DayReplay") -> Metadata:
    """What a person, and the check, sees of a verdict. Amounts are text."""
    from attribution_pipeline.proof.replay import SAID

    metadata: Metadata = {
        "verdict": SAID[verdict.code],
        CODE: verdict.code,
        DETAIL: verdict.detail,
        MANIFEST: verdict.manifest_id,
        "state": verdict.state,
        "recorded_at": verdict.recorded_at.isoformat(),
        "policy": verdict.policy,
        "kernel": verdict.kernel,
    }
    if verdict.compared is None:
        return metadata
    compared = verdict.compared
    metadata |= {
        "tolerance": shown.money(verdict.tolerance) if verdict.tolerance is not None else "",
        "rows": verdict.rows,
        "rows_differing": compared.differing,
        "tables": shown.table([vars(row) for row in compared.tables], TABLE_COLUMNS),
        "variance": shown.table([vars(row) for row in compared.variance], VARIANCE_COLUMNS),
    }
    if verdict.differences:
        metadata["differences"] = shown.table(
            [vars(found) for found in verdict.differences], DIFFERENCE_COLUMNS
        )
    return metadata
