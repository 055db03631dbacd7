"""When days are made: every night, yesterday.

Belongs here: jobs and schedules. Does not: what a day consists of.
"""

from __future__ import annotations

import dagster as dg

DAILY = "daily"

HOUR_UTC = 4
"""Spans of a day have arrived by then; a bill that comes later is late evidence like any other."""


def daily_job(days: dg.DailyPartitionsDefinition) -> dg.UnresolvedAssetJobDefinition:
    """Land what is new, then make one day: everything in one in-process run."""
    return dg.define_asset_job(
        DAILY,
        selection=dg.AssetSelection.all(),
        description="Lands what is new, then computes, records and checks one day.",
    )


def daily_schedule(
    job: dg.UnresolvedAssetJobDefinition,
) -> dg.UnresolvedPartitionedAssetScheduleDefinition:
    """Yesterday, every night. Off until someone turns it on in the UI: sources come first."""
    return dg.build_schedule_from_partitioned_job(
        job,
        name=DAILY,
        hour_of_day=HOUR_UTC,
        description="Lands and computes yesterday (UTC). Turn it on once the sources deliver.",
    )
