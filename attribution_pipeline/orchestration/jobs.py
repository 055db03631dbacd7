"""What runs together: landing, a day that is late, and every night's work.

Belongs here: the jobs and what each consists of. Does not: when they run (``schedules``,
``sensors``).
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from attribution_pipeline.orchestration.assets.completeness import COMPLETENESS
from attribution_pipeline.orchestration.assets.export import FOCUS_EXPORT
from attribution_pipeline.orchestration.assets.ledger import LEDGER, OPERATION_COSTS
from attribution_pipeline.orchestration.assets.pull import PULLED
from attribution_pipeline.orchestration.assets.reservations import RESERVATIONS
from attribution_pipeline.orchestration.assets.score import SCORECARD, TRIAGE
from attribution_pipeline.orchestration.assets.views import OUTCOMES, ROLLUPS, asset_of
from attribution_pipeline.orchestration.planes import ASSET_OF_PLANE
from attribution_pipeline.orchestration.pods import LANDING_POD, SCORE_POD
from attribution_pipeline.orchestration.replay_schedule import replay_selection
from attribution_pipeline.views.spend.register import VIEWS

LANDING = "landing"
LATE_DAYS = "late_days"
DAILY = "daily"
SCORE = "score"

LANDED_ASSETS = ("landed_objects", "policy_versions", "evidence_digests")
VIEW_ASSETS = (OUTCOMES, *ROLLUPS, *map(asset_of, VIEWS))
DAY_ASSETS = (*ASSET_OF_PLANE.values(), OPERATION_COSTS, LEDGER, COMPLETENESS, *VIEW_ASSETS)


Job = Any
"""What ``define_asset_job`` gives: a type that Dagster does not publish."""


def landing_job(
    stale_partitions: dg.AssetChecksDefinition, awaiting_objects: dg.AssetChecksDefinition
) -> Job:
    """Lands what is new, looks at recorded days' evidence, and asks which of them are stale."""
    return dg.define_asset_job(
        LANDING,
        selection=dg.AssetSelection.assets(*LANDED_ASSETS).without_checks()
        | dg.AssetSelection.assets(RESERVATIONS)
        | dg.AssetSelection.checks(stale_partitions, awaiting_objects),
        tags=LANDING_POD,
        description="Lands what is new, and says what could not be read, which recorded days are stale "
        "by it and which budgets are over.",
    )


def late_days_job(stale_partitions: dg.AssetChecksDefinition) -> Job:
    """One day again, with the checks that are asked of a day."""
    return dg.define_asset_job(
        LATE_DAYS,
        selection=dg.AssetSelection.assets(*DAY_ASSETS)
        - dg.AssetSelection.checks(stale_partitions)
        - replay_selection(),
        description="Computes, records and checks one day from what is landed.",
    )


def daily_job(*, pulls: bool = False) -> Job:
    """Everything, for one day, but replays and scores, which cost a day and more each and have jobs of
    their own, and exports, which are made when somebody wants them."""
    apart = [SCORECARD, TRIAGE, FOCUS_EXPORT]
    if pulls:
        apart.append(PULLED)  # a vendor that is down fails no day
    return dg.define_asset_job(
        DAILY,
        selection=dg.AssetSelection.all() - replay_selection() - dg.AssetSelection.assets(*apart),
        description="Lands what is new, then computes, records and checks one day.",
    )


def score_job() -> Job:
    """C1 to C6 and P1 to P3 of the last recorded days."""
    return dg.define_asset_job(
        SCORE,
        selection=dg.AssetSelection.assets(SCORECARD, TRIAGE),
        tags=SCORE_POD,
        description="Scores the last recorded days, and says what to mend first.",
    )
