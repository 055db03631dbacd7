"""``scorecard`` and ``triage``: C1 to C6 and P1 to P3 of the last recorded days.

Belongs here: the two assets, and what is shown of their verdicts. Does not: verdicts (``proof``), which
days they are of (``scoring``, ``triage``).

Neither is partitioned: a verdict is about the deployment as it stands, not about a day. They are in no
daily run, since a score computes its days twice; their jobs are run by hand or by schedule.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

import hashlib
import json
from collections import Counter
from typing import Any

import dagster as dg

from attribution_pipeline.orchestration.assets.completeness import COMPLETENESS
from attribution_pipeline.orchestration.assets.evidence import CODE_VERSION
from attribution_pipeline.orchestration.assets.ledger import LEDGER, OPERATION_COSTS
from attribution_pipeline.orchestration.metadata import Metadata
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

SCORECARD = "scorecard"
TRIAGE = "triage"

DESCRIPTIONS = {
    SCORECARD: "C1 request join, C2 model and token evidence, C3 actor separation, C4 replayability, "
    "C5 thresholds, C6 lineage, per route slice, of the last recorded days, each with its number. The "
    "queries and the rows behind them: attribution score --out F.",
    TRIAGE: "P1 control plane, P2 identity through retries, P3 joinability: stops at the first FAIL. "
    "The queries and the rows behind them: attribution triage --out F.",
}


def scorecard_asset() -> dg.AssetsDefinition:
    """The score, as an asset. What it finds is metadata: a FAIL is a result."""

    @dg.multi_asset(name="scored", specs=[_spec(SCORECARD)])
    def scored(context: dg.AssetExecutionContext, deployment: DeploymentFile) -> Any:
        from attribution_pipeline.orchestration.scoring import score_of
        from attribution_pipeline.proof.score import CHECKPOINTS
        from attribution_pipeline.views import score as view

        with shown_as_failures():
            found = score_of(deployment.house())
        for line in view.board(found.verdicts, list(CHECKPOINTS)):
            context.log.info(line)
        failed = Counter(one.question for one in found.verdicts if not one.passed)
        return _result(
            found.as_dict(),
            {
                "verdict": "PASS" if found.passed else "FAIL",
                "passed": sum(one.passed for one in found.verdicts),
                "failed": sum(failed.values()),
                "failed_by_checkpoint": dict(failed),
                "days": [day.isoformat() for day in found.days],
                "settled_days": [day.isoformat() for day in found.settled_days],
                "metric": found.metric,
                "policy": found.policy,
                "verdicts": dg.MetadataValue.md(view.markdown(found.verdicts)),
                "again": found.command,
            },
        )

    return scored


def triage_asset() -> dg.AssetsDefinition:
    """The triage, as an asset."""

    @dg.multi_asset(name="triaged", specs=[_spec(TRIAGE)])
    def triaged(context: dg.AssetExecutionContext, deployment: DeploymentFile) -> Any:
        from attribution_pipeline.orchestration.triage import triage_of
        from attribution_pipeline.views import score as view

        with shown_as_failures():
            found = triage_of(deployment.house())
        for line in view.lines(found.verdicts):
            context.log.info(line)
        return _result(
            found.as_dict(),
            {
                "verdict": "FAIL" if found.stopped_at else "PASS",
                "stopped_at": found.stopped_at or "",
                "not_asked": found.not_reached,
                "days": [day.isoformat() for day in found.days],
                "month_to_date_days": len(found.month),
                "policy": found.policy,
                "verdicts": dg.MetadataValue.md(view.markdown(found.verdicts)),
                "again": found.command,
            },
        )

    return triaged


def _spec(name: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        name,
        deps=[LEDGER, OPERATION_COSTS, COMPLETENESS],
        group_name="proof",
        kinds={"duckdb"},
        code_version=CODE_VERSION,
        description=DESCRIPTIONS[name],
    )


def _result(said: dict[str, Any], metadata: Metadata) -> dg.MaterializeResult[Any]:
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(digest))
