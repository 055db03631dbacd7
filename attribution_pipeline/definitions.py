"""What Dagster loads: the deployment's assets, checks, job and schedule, composed.

Belongs here: composition. Does not: any of the parts (``orchestration``).

``defs`` is built when Dagster asks for it, not when this module is imported: without a deployment
file the answer is then one line that says what to do, and ``build_defs`` stays importable.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from attribution_pipeline.config import Deployment


def build_defs(
    deployment: Deployment | Path | None = None,
    *,
    resource_overrides: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """Definitions of one deployment: given, or by file, or by ``$ATTRIBUTION_CONFIG`` or
    ``./attribution.yaml``. Raises Refusal where there is none."""
    from attribution_pipeline.config import Deployment, load_deployment
    from attribution_pipeline.orchestration.assets.evidence import evidence_assets
    from attribution_pipeline.orchestration.assets.landing import landed_objects
    from attribution_pipeline.orchestration.assets.ledger import ledger_assets
    from attribution_pipeline.orchestration.assets.policies import policy_versions
    from attribution_pipeline.orchestration.checks.on_ledger import ledger_checks
    from attribution_pipeline.orchestration.partitions import charge_days
    from attribution_pipeline.orchestration.resources import DeploymentFile
    from attribution_pipeline.orchestration.schedules import daily_job, daily_schedule

    found = deployment if isinstance(deployment, Deployment) else load_deployment(deployment)
    days = charge_days(found.first_day)
    job = daily_job(days)
    return dg.Definitions(
        assets=[landed_objects, policy_versions, *evidence_assets(days), ledger_assets(days)],
        asset_checks=[ledger_checks(days)],
        jobs=[job],
        schedules=[daily_schedule(job)],
        resources={
            "deployment": DeploymentFile(path=str(found.path.absolute())),
            **(resource_overrides or {}),
        },
        # process start is the price of a Dagster step (2 s); a day is one process
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The deployment that the environment names."""
    return build_defs()
