"""When late evidence is taken in: as it lands, and day by day as days turn out stale.

Belongs here: the two sensors, what they request and what they say when they don't. Does not: what
is new (``arrivals``), what is stale (``staleness``), what became of earlier runs (``attempts``).

Neither keeps a cursor. What is new is read from listings and the landed index, what is stale from
the last committed manifests, and what was tried from runs: a sensor that was off, or lost its
memory, comes to the same answer.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

import dagster as dg

from attribution_pipeline.orchestration import attempts, jobs
from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.assets.replay import REPLAY
from attribution_pipeline.orchestration.jobs import Job
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile
from attribution_pipeline.orchestration.staleness import StaleDay, ranges, stale_days

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.arrivals import Arrivals

NEW_OBJECTS = "new_objects"
LATE_EVIDENCE = "late_evidence"

LISTED_EVERY_S = 60
COMPARED_EVERY_S = 60
"""Dagster asks no oftener. Evidence is late by hours; a minute more is nobody's loss."""

REQUESTED_PER_TICK = 25
"""Days in flight by ``late_evidence`` at a time: two runs go at once, so that is minutes of work,
and whoever launches a backfill meanwhile does not queue behind a year."""

LANDING_TAG = "attribution/landing"
DAY_TAG = "attribution/day"
TARGET_TAG = "attribution/target"
STATE_TAG = "attribution/state"
KEY_DIGITS = 16
"""Hex digits of a digest in keys and tags: Postgres indexes tags, and wants them short."""

REASONS_TOLD = 3
"""Days that gave up whose reason is told: each costs a look into its run's events."""


def new_objects_sensor(job: Job) -> dg.SensorDefinition:
    """Lands what is new in the sources, and looks at evidence again when a reason to comes up."""

    @dg.sensor(
        name=NEW_OBJECTS,
        job=job,
        minimum_interval_seconds=LISTED_EVERY_S,
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
            # asked first: a run that ends in between has landed what the listing then shows
            busy = attempts.runs_in_flight(context.instance, (jobs.LANDING, jobs.DAILY))
            found = arrivals(house)
            now = house.now()
        if not found.reasons:
            held = f"; held back in the sources: {found.held_back}" if found.held_back else ""
            return dg.SkipReason(f"nothing new since landing {found.landed:,}{held}")
        why = "; ".join(found.reasons)
        if busy:
            return dg.SkipReason(f"a landing run is queued or running; then: {why}")
        return _landing_run(context.instance, found, why, now)

    return new_objects


def _landing_run(
    instance: dg.DagsterInstance, found: "Arrivals", why: str, now: datetime
) -> dg.RunRequest | dg.SkipReason:
    key = found.key[:KEY_DIGITS]
    tried = attempts.tried(instance, jobs.LANDING, {LANDING_TAG: key}, now)
    if tried.next_attempt:
        return dg.RunRequest(
            run_key=f"{key}:{found.landed}:{tried.next_attempt}", tags={LANDING_TAG: key}
        )
    if tried.done:
        return dg.SkipReason(
            f"the last landing run left these where they are, see its log: {why}. They are tried "
            "again when they change, or tomorrow"
        )
    reason = attempts.why_it_failed(instance, tried.last_failed)
    if tried.waits_until:
        return dg.SkipReason(
            f"landing failed and is tried again at {_hour(tried.waits_until)}: {reason}"
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
        minimum_interval_seconds=COMPARED_EVERY_S,
        description=(
            "Compares what recorded days were computed from with today's evidence digests, policies "
            "and kernel, and reconciles stale days again, oldest first. Off until it is turned on, "
            "here; without it the check stale_partitions says what to backfill."
        ),
    )
    def late_evidence(
        context: dg.SensorEvaluationContext, deployment: DeploymentFile
    ) -> dg.SensorResult | dg.SkipReason:
        with shown_as_failures():
            house = deployment.house()
            # asked first: a run that ends in between has committed what staleness then sees
            in_flight = attempts.days_in_flight(context.instance, dg.AssetKey(LEDGER), but=[REPLAY])
            busy = attempts.runs_in_flight(context.instance, (jobs.LATE_DAYS,))
            stale = stale_days(house)
            now = house.now()
        said = _Said()
        requests = _requests(
            context.instance, stale, in_flight, REQUESTED_PER_TICK - busy, now, said
        )
        message = said.message(context.instance, stale)
        if not requests:
            return dg.SkipReason(message)
        context.log.info(f"{len(requests):,} days requested; {message}")
        return dg.SensorResult(run_requests=requests)

    return late_evidence


@dataclass
class _Said:
    """Stale days that are not requested, by why."""

    in_flight: list[date] = field(default_factory=list)
    later: list[date] = field(default_factory=list)
    """Due, and more than go at once."""
    waiting: dict[date, datetime] = field(default_factory=dict)
    forced: list[date] = field(default_factory=list)
    refused: dict[date, str] = field(default_factory=dict)
    settled_on: list[date] = field(default_factory=list)
    """Run with success, and still not what the digests say: those are behind."""
    again: dict[date, datetime] = field(default_factory=dict)
    given_up: dict[date, str] = field(default_factory=dict)
    """Day -> its last failed run."""

    def message(self, instance: dg.DagsterInstance, stale: list[StaleDay]) -> str:
        """All of it in one line."""
        if not stale:
            return "no recorded day is stale"
        parts = [f"{len(stale):,} stale"]
        if self.in_flight:
            parts.append(f"{len(self.in_flight):,} queued or running")
        if self.later:
            parts.append(f"{len(self.later):,} follow in later ticks")
        if self.settled_on:
            parts.append(
                f"{ranges(self.settled_on)} ran; its digests are looked at with the next landing"
            )
        if self.waiting:
            parts.append(
                f"{ranges(self.waiting)} moved by bills alone and reconciled less than a day ago, "
                f"waits until {_hour(min(self.waiting.values()))}"
            )
        if self.forced:
            parts.append(
                f"{ranges(self.forced)} closed under an older policy version, which stays unless "
                "forced: see the check stale_partitions"
            )
        if self.again:
            parts.append(
                f"{ranges(self.again)} failed, tried again from {_hour(min(self.again.values()))}"
            )
        parts += self._lines(self.refused, "without usable evidence")
        reasons = {
            day: attempts.why_it_failed(instance, run)
            for day, run in list(self.given_up.items())[:REASONS_TOLD]
        }
        parts += self._lines(
            {day: reasons.get(day, "") for day in self.given_up},
            f"given up after {attempts.ATTEMPTS} attempts",
        )
        return "; ".join(parts)

    def _lines(self, why: dict[date, str], what: str) -> list[str]:
        if not why:
            return []
        told = ", ".join(f"{day}: {line}" for day, line in list(why.items())[:REASONS_TOLD] if line)
        return [f"{ranges(why)} {what} ({told})"]


def _requests(
    instance: dg.DagsterInstance,
    stale: list[StaleDay],
    in_flight: set[date],
    most: int,
    now: datetime,
    said: _Said,
) -> list[dg.RunRequest]:
    requests: list[dg.RunRequest] = []
    for day in stale:
        if day.day in in_flight:
            said.in_flight.append(day.day)
        elif day.refused:
            said.refused[day.day] = day.refused[0]
        elif day.waits_until:
            said.waiting[day.day] = day.waits_until
        elif not day.is_due:
            said.forced.append(day.day)
        elif len(requests) >= most:
            said.later.append(day.day)
        else:
            requests += _request(instance, day, now, said)
    return requests


def _request(
    instance: dg.DagsterInstance, stale: StaleDay, now: datetime, said: _Said
) -> list[dg.RunRequest]:
    day = stale.day.isoformat()
    target, state = stale.target[:KEY_DIGITS], stale.manifest_id[:KEY_DIGITS]
    # the target holds the day, so few runs carry it
    tags = {TARGET_TAG: target, STATE_TAG: state, DAY_TAG: day}
    tried = attempts.tried(instance, jobs.LATE_DAYS, tags, now)
    if tried.next_attempt:
        key = f"{day}:{target}:{state}:{tried.next_attempt}"
        return [dg.RunRequest(run_key=key, partition_key=day, tags=tags)]
    if tried.running:
        said.in_flight.append(stale.day)
    elif tried.done:
        said.settled_on.append(stale.day)
    elif tried.waits_until:
        said.again[stale.day] = tried.waits_until
    else:
        said.given_up[stale.day] = tried.last_failed
    return []


def _hour(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
