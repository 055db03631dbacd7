"""Completeness of recorded days, worked out once for each state.

Belongs here: a day's sums kept beside the manifest that they are of, a month to date from them. Does
not: the sums (``proof.completeness``), Dagster (``assets.completeness``).

A month to date adds a day a day: without kept sums the last day of a month would read thirty days of
request rows. What is kept saves work and decides nothing: a sum that is lost, damaged or of an older
query is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from attribution_pipeline.lake.checked import said_by, with_digest
from attribution_pipeline.proof.completeness import (
    Completeness,
    added,
    as_document,
    completeness_of,
    from_document,
    records_query,
    slices_query,
)
from attribution_pipeline.proof.relations import RecordedDay, recorded_days
from attribution_pipeline.proof.replay import clean_place

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House

FOLDER = "completeness"
"""Under the storage: ``completeness/<manifest id>-<metric>.json``."""


def policy_of(house: House, recorded: RecordedDay) -> Policy:
    """The policy that a state was recorded under, from the lake's own copy."""
    from attribution_pipeline.proof.replay_frozen import policy_of as frozen

    return frozen(house.lake, recorded.manifest)


def of_days(house: House, days: Sequence[date], metric: str) -> Completeness:
    """Of those of the days that are recorded, in one metric."""
    recorded = recorded_days(house.lake, days)
    found = [_of_day(house, one, metric) for one in recorded]
    return added((one.slices for one in found), [one.day for one in recorded], metric)


def month_to_date(house: House, day: date, metric: str) -> Completeness:
    """From the first of the day's month to the day, both included."""
    days = [known for known in house.lake.days() if day.replace(day=1) <= known <= day]
    return of_days(house, days, metric)


def _of_day(house: House, recorded: RecordedDay, metric: str) -> Completeness:
    name = f"{FOLDER}/{recorded.state.manifest_id}-{metric}.json"
    query = records_query(metric) + slices_query()
    made_by = hashlib.sha256(query.encode()).hexdigest()
    try:
        said = said_by(house.lake.store.read(name))
        if said["made_by"] == made_by:
            return from_document(said["sums"])
    except (FileNotFoundError, ValueError, KeyError):
        pass  # not there, or not whole: made again
    with clean_place() as scratch:
        found = completeness_of(house.lake, [recorded], metric, house.compute(scratch))
    kept = with_digest({"made_by": made_by, "sums": as_document(found)})
    with contextlib.suppress(OSError):  # who may only read the storage makes it each time
        house.lake.store.replace(name, kept)
    return found
