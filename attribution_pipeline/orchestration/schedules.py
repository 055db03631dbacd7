"""When days are made: every night, yesterday.

Belongs here: the schedule. Does not: what a run consists of (``jobs``), late days (``sensors``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from datetime import UTC, date, timedelta

import dagster as dg

from attribution_pipeline.orchestration.jobs import DAILY, SCORE, Job

HOUR_UTC = 4
"""Spans of a day have arrived by then; a bill that comes later is late evidence like any other."""

SCORE_CRON = "0 8 * * 1"
"""Mondays, after the night's replays. A score is of seven days: once a week sees each of them."""


def daily_schedule(job: Job, first_day: date) -> dg.ScheduleDefinition:
    """Lands what is new and makes yesterday, every night, as one in-process run of its job.

    Off until someone turns it on in the UI: sources come first.
    """

    @dg.schedule(
        name=DAILY,
        job=job,
        cron_schedule=f"0 {HOUR_UTC} * * *",
        execution_timezone="UTC",
        description="Lands and computes yesterday (UTC). Turn it on once the sources deliver.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = context.scheduled_execution_time.astimezone(UTC).date() - timedelta(days=1)
        if day < first_day:
            return dg.SkipReason(f"{day} is before the deployment's first day, {first_day}")
        return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())

    return daily


def score_schedule(job: Job) -> dg.ScheduleDefinition:
    """The score and the triage once a week. Off until someone turns it on."""
    return dg.ScheduleDefinition(
        name=SCORE,
        job=job,
        cron_schedule=SCORE_CRON,
        execution_timezone="UTC",
        description="C1 to C6 and P1 to P3 of the last recorded days, on Mondays.",
    )
