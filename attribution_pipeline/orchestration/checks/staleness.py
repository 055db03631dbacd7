"""``stale_partitions``: which recorded days are out of date, and what to paste to mend them.

Belongs here: the question, its words and tables, and how Dagster asks it. Does not: the comparison
(``staleness``), requesting days (``sensors``).

It is asked of the ledger as a whole: Dagster can't show stale partitions of a partitioned asset,
and a person wants one list, not a check a day.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.assets.digests import evidence_digests
from attribution_pipeline.orchestration.assets.ledger import FORCE, LEDGER
from attribution_pipeline.orchestration.checks.answers import Answer, result
from attribution_pipeline.orchestration.digests import last_digests
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile
from attribution_pipeline.orchestration.staleness import (
    POLICY,
    StaleDay,
    by_moved,
    count_of,
    stale_days,
)
from attribution_pipeline.views.day_ranges import pasted

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.house import House

STALE_PARTITIONS = "stale_partitions"
COLUMNS = ("day", "what moved", "remark")


def stale_partitions(house: "House") -> Answer:
    """No recorded day would come out otherwise today: its evidence, its policy and the kernel are
    still those that it was recorded from."""
    stale = stale_days(house)
    due = [day for day in stale if day.is_due]
    forced = [day for day in stale if day.needs_force]
    waiting = [day for day in stale if day.waits_until]
    refused = [day for day in stale if day.refused]
    metadata: shown.Metadata = {
        "stale": len(stale),
        "range_to_paste": pasted(day.day for day in due),
        "days": shown.table([_row(day) for day in stale], COLUMNS),
        "days_by_what_moved": dict(by_moved(stale)),
        "evidence_looked_at": _looked_at(house),
    }
    if forced:
        metadata["range_that_needs_force"] = pasted(day.day for day in forced)
    said = [*_due(due), *_forced(forced), *_refused(refused), *_waiting(waiting)]
    unseen = [*_unseen(house), *_unread(house, due)]
    if not (stale or unseen):
        said = ["Every recorded day is what it would be today."]
    within = len(stale) - len(waiting) <= house.policies.newest.tolerance.stale_days
    # where nobody ever looked, nothing was found out; where something landed since, a look is near
    looked = last_digests(house) is not None or not house.lake.days()
    return Answer(within and looked, " ".join([*said, *unseen]), metadata)


@dg.asset_check(
    asset=LEDGER,
    name=STALE_PARTITIONS,
    additional_deps=[evidence_digests],
    description=" ".join((stale_partitions.__doc__ or "").split()),
)
def stale_partitions_check(
    context: dg.AssetCheckExecutionContext, deployment: DeploymentFile
) -> dg.AssetCheckResult:
    with shown_as_failures():
        answer = stale_partitions(deployment.house())
    return result(answer)


def _looked_at(house: "House") -> str:
    digests = last_digests(house)
    if digests is None:
        return "never: launch the job landing"
    return f"after landing {digests.landed:,}, {digests.written_at:%Y-%m-%d %H:%M} UTC"


def _unseen(house: "House") -> list[str]:
    """Evidence that nobody has looked at: of these days only policy and kernel were compared."""
    digests = last_digests(house)
    if not house.lake.days() or (digests and digests.landed >= house.landed.head[0]):
        return []
    since = f"since landing {digests.landed:,}" if digests else "yet"
    return [f"Not known: the evidence was not looked at {since}. Launch the job landing."]


def _unread(house: "House", due: list[StaleDay]) -> list[str]:
    """Spans that a new version's days would be computed without, if they were run now."""
    from attribution_pipeline.orchestration.span_attributes import names_of_days, was_tried
    from attribution_pipeline.sources.attributes import named, unread

    if not any(POLICY in day.moved for day in due) or was_tried(house):
        return []
    found = unread(house.landed, names_of_days(house, house.policies))
    if not found.objects:
        return []
    return [
        f"First launch the job landing: {found.objects:,} landed objects of spans were not read for "
        f"{named(found.names)}, which a version names (what it cannot read again, awaiting_objects names)."
    ]


def _row(day: StaleDay) -> dict[str, Any]:
    remarks = [*day.refused]
    if day.needs_force:
        remarks.append("closed: the new policy needs force")
    if day.waits_until:
        remarks.append(f"waits until {day.waits_until:%Y-%m-%d %H:%M} UTC")
    return {"day": day.day, "what moved": ", ".join(day.moved), "remark": "; ".join(remarks)}


def _due(days: list[StaleDay]) -> list[str]:
    if not days:
        return []
    moved = ", ".join(f"{name} of {count:,}" for name, count in by_moved(days).items())
    return [
        f"Out of date: {count_of(days)} ({moved}). Materialize attribution_ledger, paste "
        f"{pasted(day.day for day in days)} as its partitions and launch the backfill; or turn on "
        "the sensor late_evidence."
    ]


def _forced(days: list[StaleDay]) -> list[str]:
    if not days:
        return []
    return [
        f"Closed under an older policy version, which stays: {count_of(days)}, "
        f"{pasted(day.day for day in days)}. To let the version in force reach back, paste that, "
        f"under Tags add {FORCE} with value true, and launch."
    ]


def _refused(days: list[StaleDay]) -> list[str]:
    if not days:
        return []
    return [f"Can't be run: {count_of(days)}, first {days[0].day}: {days[0].refused[0]}."]


def _waiting(days: list[StaleDay]) -> list[str]:
    if not days:
        return []
    until = min(day.waits_until for day in days if day.waits_until)
    return [
        f"Waiting: {count_of(days)}, the first until {until:%Y-%m-%d %H:%M} UTC. Only their bills "
        "moved, and a bill that is sent again is taken in once a day at most."
    ]
