"""When late evidence is taken in: as it lands, and day by day as days turn out stale.

Belongs here: the two sensors. Does not: what is new (``arrivals``), what is stale (``staleness``),
which stale days go first (``late_requests``), what became of earlier runs (``attempts``).

What is new is read from listings and the landed index, what is stale from the last committed
manifests, and what was tried from runs: a sensor that was off, or lost its memory, comes to the same
answer. One cursor there is: since when ``late_evidence`` has waited for landing without a break. No
clock of a file or of a policy's author can make that wait longer; where it is lost, it begins again.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg

from attribution_pipeline.orchestration import attempts
from attribution_pipeline.orchestration.jobs import DAILY, LANDING, Job
from attribution_pipeline.orchestration.late_requests import KEY_DIGITS, LateRequests, hour
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.arrivals import Arrivals

NEW_OBJECTS = "new_objects"
LATE_EVIDENCE = "late_evidence"

EVERY_S = 60
"""Dagster asks no oftener. Evidence is late by hours; a minute more is nobody's loss."""

LANDING_TAG = "attribution/landing"


def new_objects_sensor(job: Job) -> dg.SensorDefinition:
    """Lands what is new in the sources, and looks at evidence again when a reason to comes up."""

    @dg.sensor(
        name=NEW_OBJECTS,
        job=job,
        minimum_interval_seconds=EVERY_S,
        description=(
            "Lists the sources and lands what is new; a delivery that is still being written waits. "
            "Looks at recorded days' evidence again when something landed, a policy was published "
            "or a day has passed. Off until it is turned on, here, once the sources deliver."
        ),
    )
    def new_objects(
        context: dg.SensorEvaluationContext, deployment: DeploymentFile
    ) -> dg.RunRequest | dg.SkipReason:
        from attribution_pipeline.orchestration.arrivals import arrivals

        with shown_as_failures():
            house = deployment.house()
            now = house.now()
            # asked first: a run that ends in between has landed what the listing then shows
            runs = attempts.in_flight(context.instance, now)
            found = arrivals(house)
        if not found.reasons:
            held = f"; held back in the sources: {found.held_back}" if found.held_back else ""
            return dg.SkipReason(f"nothing new since landing {found.landed:,}{held}")
        if any(run.job_name in (LANDING, DAILY) for run in runs):
            return dg.SkipReason(f"a landing run is queued or running; then: {found.why}")
        return _landing_run(context.instance, found, now)

    return new_objects


def _landing_run(
    instance: dg.DagsterInstance, found: "Arrivals", now: datetime
) -> dg.RunRequest | dg.SkipReason:
    key = found.key[:KEY_DIGITS]
    tried = attempts.tried(instance, LANDING, {LANDING_TAG: key}, now)
    if tried.next_attempt:
        return dg.RunRequest(
            run_key=f"{key}:{found.landed}:{tried.next_attempt}", tags={LANDING_TAG: key}
        )
    if tried.done:
        return dg.SkipReason(
            f"the last landing run left these where they are, its log says why: {found.why}. They "
            "are tried again when they change, or tomorrow"
        )
    reason = attempts.why_it_failed(instance, tried.last_failed)
    if tried.waits_until:
        return dg.SkipReason(
            f"landing failed and is tried again at {hour(tried.waits_until)}: {reason}"
        )
    return dg.SkipReason(
        f"landing failed {attempts.ATTEMPTS} times and is not tried again until something changes: "
        f"{reason}. Put it right and materialize landed_objects"
    )


def late_evidence_sensor(job: Job) -> dg.SensorDefinition:
    """Requests stale days, oldest first."""

    @dg.sensor(
        name=LATE_EVIDENCE,
        job=job,
        minimum_interval_seconds=EVERY_S,
        description=(
            "Compares what recorded days were computed from with today's evidence digests, policies "
            "and kernel, and reconciles stale days again, oldest first. Where a policy version names "
            "span attributes, its days wait until landing has read their spans again. Off until it is "
            "turned on, here; without it the check stale_partitions says what to backfill."
        ),
    )
    def late_evidence(
        context: dg.SensorEvaluationContext, deployment: DeploymentFile
    ) -> dg.SensorResult | dg.SkipReason:
        from attribution_pipeline.orchestration.digests import last_digests
        from attribution_pipeline.orchestration.staleness import count_of, stale_days, unread_days

        with shown_as_failures():
            house = deployment.house()
            now = house.now()
            # asked first: a run that ends in between has committed what staleness then sees
            runs = attempts.in_flight(context.instance, now)
            stale = stale_days(house)
            unseen = "" if last_digests(house) else NEVER_LOOKED_AT
            unread = unread_days(house, stale)
        waits_since = _waits_since(context, now) if unread else None
        _keep_waiting_since(context, waits_since)
        chosen = LateRequests(context.instance, now)
        chosen.choose(stale, runs, unread, waits_since)
        found = f"stale: {count_of(stale)}" if stale else "no recorded day is stale"
        said = "; ".join(part for part in (found, chosen.message(), unseen) if part)
        if not chosen.requests:
            return dg.SkipReason(said)
        context.log.info(f"requested: {count_of(chosen.requests)}; {said}")
        return dg.SensorResult(run_requests=chosen.requests)

    return late_evidence


WAITS_FOR_NOTHING = "waits for nothing"
"""A cursor in words: Dagster keeps the last one where the new one is empty."""


def _waits_since(context: dg.SensorEvaluationContext, now: datetime) -> datetime:
    """When the first tick since the last that waited for nothing was."""
    try:
        # a clock that was ahead then is ahead no more
        return min(datetime.fromisoformat(context.cursor or ""), now)
    except (ValueError, TypeError):
        return now


def _keep_waiting_since(context: dg.SensorEvaluationContext, since: datetime | None) -> None:
    said = since.isoformat() if since else WAITS_FOR_NOTHING
    if said != (context.cursor or WAITS_FOR_NOTHING):
        context.update_cursor(said)


NEVER_LOOKED_AT = "evidence was never looked at: launch the job landing, or turn on new_objects"
