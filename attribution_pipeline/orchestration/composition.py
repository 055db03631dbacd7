"""One deployment's assets, checks, job, schedule and resource, put together.

Belongs here: what a code location consists of. Does not: which deployment it is (``definitions``
asks the environment, ``run`` is told), or any of the parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration.assets.evidence import evidence_assets
from attribution_pipeline.orchestration.assets.landing import landed_objects
from attribution_pipeline.orchestration.assets.ledger import ledger_assets
from attribution_pipeline.orchestration.assets.policies import policy_versions
from attribution_pipeline.orchestration.checks.on_ledger import ledger_checks
from attribution_pipeline.orchestration.partitions import charge_days
from attribution_pipeline.orchestration.resources import DeploymentFile
from attribution_pipeline.orchestration.schedules import daily_schedule

if TYPE_CHECKING:
    from attribution_pipeline.config import Deployment


def compose(
    deployment: Deployment, resource_overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Everything that Dagster knows of ``deployment``."""
    days = charge_days(deployment.first_day)
    return dg.Definitions(
        assets=[landed_objects, policy_versions, *evidence_assets(days), ledger_assets(days)],
        asset_checks=[ledger_checks(days)],
        schedules=[daily_schedule(deployment.first_day)],  # brings its job
        resources={
            "deployment": DeploymentFile(path=str(deployment.path.absolute())),
            **(resource_overrides or {}),
        },
        # process start is the price of a Dagster step (2 s); a day is one process
        executor=dg.in_process_executor,
    )
