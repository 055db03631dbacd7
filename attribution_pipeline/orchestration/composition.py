"""One deployment's assets, checks, jobs, schedule, sensors and resource, put together.

Belongs here: what a code location consists of. Does not: which deployment it is (``definitions``
asks the environment, ``run`` is told), or any of the parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration import jobs
from attribution_pipeline.orchestration.alerting.sensor import alerts_sensor
from attribution_pipeline.orchestration.assets.completeness import completeness_asset
from attribution_pipeline.orchestration.assets.digests import evidence_digests
from attribution_pipeline.orchestration.assets.evidence import evidence_assets
from attribution_pipeline.orchestration.assets.export import export_asset
from attribution_pipeline.orchestration.assets.landing import landed_objects
from attribution_pipeline.orchestration.assets.ledger import ledger_assets
from attribution_pipeline.orchestration.assets.policies import policy_versions
from attribution_pipeline.orchestration.assets.pull import pull_assets, pull_schedule
from attribution_pipeline.orchestration.assets.replay import replay_asset
from attribution_pipeline.orchestration.assets.reservations import reservations_asset
from attribution_pipeline.orchestration.assets.score import scorecard_asset, triage_asset
from attribution_pipeline.orchestration.assets.views import views_assets
from attribution_pipeline.orchestration.checks.awaiting import awaiting_objects_check
from attribution_pipeline.orchestration.checks.on_ledger import ledger_checks
from attribution_pipeline.orchestration.checks.replay import replay_checks
from attribution_pipeline.orchestration.checks.staleness import stale_partitions_check
from attribution_pipeline.orchestration.logs import use_chosen_format
from attribution_pipeline.orchestration.partitions import charge_days
from attribution_pipeline.orchestration.replay_schedule import replay_schedule
from attribution_pipeline.orchestration.resources import DeploymentFile
from attribution_pipeline.orchestration.schedules import daily_schedule, score_schedule
from attribution_pipeline.orchestration.sensors import late_evidence_sensor, new_objects_sensor

if TYPE_CHECKING:
    from attribution_pipeline.config import Deployment


def compose(
    deployment: Deployment, resource_overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Everything that Dagster knows of ``deployment``."""
    use_chosen_format()
    days = charge_days(deployment.first_day)
    return dg.Definitions(
        assets=[
            *(pull_assets() if deployment.pull else []),
            landed_objects,
            policy_versions,
            evidence_digests,
            *evidence_assets(days),
            ledger_assets(days),
            completeness_asset(days),
            views_assets(days),
            replay_asset(days),
            export_asset(days),
            reservations_asset(),
            scorecard_asset(),
            triage_asset(),
        ],
        asset_checks=[
            ledger_checks(days),
            stale_partitions_check,
            awaiting_objects_check,
            replay_checks(days),
        ],
        # a schedule and a sensor bring their jobs
        schedules=[
            daily_schedule(jobs.daily_job(pulls=bool(deployment.pull)), deployment.first_day),
            replay_schedule(),
            score_schedule(jobs.score_job()),
            *([pull_schedule()] if deployment.pull else []),
        ],
        sensors=[
            new_objects_sensor(jobs.landing_job(stale_partitions_check, awaiting_objects_check)),
            late_evidence_sensor(jobs.late_days_job(stale_partitions_check)),
            *([alerts_sensor()] if deployment.alerts else []),
        ],
        resources={
            "deployment": DeploymentFile(path=str(deployment.path.absolute())),
            **(resource_overrides or {}),
        },
        # process start is the price of a Dagster step (2 s); a day is one process
        executor=dg.in_process_executor,
    )
