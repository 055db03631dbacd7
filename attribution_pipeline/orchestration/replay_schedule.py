"""When days are replayed: every night, yesterday and a rotating sample of settled days.

Belongs here: the job and its schedule. Does not: which days (``replaying.days_of_tonight``), what a
replay is (``proof``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from datetime import UTC
from typing import Any

import dagster as dg

from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.assets.replay import REPLAY
from attribution_pipeline.orchestration.checks.replay import GATE_OF_MONTH, REPLAY_VARIANCE
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.replaying import SAMPLE_DAYS, days_of_tonight
from attribution_pipeline.orchestration.resources import DeploymentFile

HOUR_UTC = 6
"""Two hours after yesterday is computed."""

CHECKS = [dg.AssetCheckKey(dg.AssetKey(LEDGER), name) for name in (REPLAY_VARIANCE, GATE_OF_MONTH)]


def replay_selection() -> dg.AssetSelection:
    """The asset and the checks that answer from it: what the daily run leaves out."""
    return dg.AssetSelection.assets(REPLAY) | dg.AssetSelection.checks(*CHECKS)


def replay_schedule() -> dg.ScheduleDefinition:
    """One run of the job ``replay`` for each day of the night. Off until someone turns it on."""
    job = dg.define_asset_job(
        REPLAY,
        selection=replay_selection(),
        description="Computes a recorded day again and compares it with the ledger, row by row.",
    )

    @dg.schedule(
        name=REPLAY,
        job=job,
        cron_schedule=f"0 {HOUR_UTC} * * *",
        execution_timezone="UTC",
        description=f"Replays yesterday and {SAMPLE_DAYS} older days, settled ones first; the "
        "sample goes round by the date.",
    )
    def nightly(context: dg.ScheduleEvaluationContext, deployment: DeploymentFile) -> Any:
        tonight = context.scheduled_execution_time.astimezone(UTC).date()
        with shown_as_failures():
            days = days_of_tonight(deployment.house(), tonight)
        if not days:
            return dg.SkipReason("no day is recorded yet")
        return [
            dg.RunRequest(run_key=f"{tonight}:{day}", partition_key=day.isoformat()) for day in days
        ]

    return nightly
