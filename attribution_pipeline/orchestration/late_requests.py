"""Which stale days are requested now, and what is said of those that are not.

Belongs here: the choice, day by day, and its words. Does not: what is stale (``staleness``), what
became of earlier runs (``attempts``), when it is asked (``sensors``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice

import dagster as dg

from attribution_pipeline.orchestration import attempts
from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.assets.replay import REPLAY
from attribution_pipeline.orchestration.jobs import LATE_DAYS
from attribution_pipeline.orchestration.staleness import StaleDay
from attribution_pipeline.views.day_ranges import pasted

REQUESTED_PER_TICK = 25
"""Days by ``late_evidence`` that are queued or running at a time. Two runs go at once, so that is
minutes of work, and whoever launches a backfill meanwhile does not queue behind a year."""

DAY_TAG = "attribution/day"
TARGET_TAG = "attribution/target"
STATE_TAG = "attribution/state"
KEY_DIGITS = 16
"""Hex digits of a digest in keys and tags: Postgres indexes tags, and wants them short."""

LANDING_TAKES = timedelta(hours=6)
"""How long days wait for landing to read their spans again, at most: where landing fails or is never run,
they are run from what there is, and once more after it."""

REASONS_TOLD = 3
"""Days whose reason is told: looking one up costs a read of its run's events."""


@dataclass
class LateRequests:
    """One look at the stale days. Requests are made by ``choose``; every other day stands under
    why it is not requested."""

    instance: dg.DagsterInstance
    now: datetime
    requests: list[dg.RunRequest] = field(default_factory=list)
    in_flight: list[date] = field(default_factory=list)
    later: list[date] = field(default_factory=list)
    """Due, and more than go at once."""
    waiting: dict[date, datetime] = field(default_factory=dict)
    needs_force: list[date] = field(default_factory=list)
    refused: dict[date, str] = field(default_factory=dict)
    unread: dict[date, datetime] = field(default_factory=dict)
    """Landing has not read spans again for what their version names. Run now, they would be run twice."""
    unmoved: list[date] = field(default_factory=list)
    """Run with success, and still not what the digests say: those are behind."""
    again: dict[date, datetime] = field(default_factory=dict)
    given_up: dict[date, str] = field(default_factory=dict)
    """Day -> its last failed run."""

    def choose(
        self,
        stale: Sequence[StaleDay],
        runs: Sequence[dg.DagsterRun],
        unread: Collection[date] = (),
        unread_since: datetime | None = None,
    ) -> None:
        """Go through ``stale``, oldest first. ``runs``: what was in flight before it was found.
        ``unread``: days that landing is to read spans again for first; they have waited for it since
        ``unread_since``."""
        busy = attempts.days_of(runs, dg.AssetKey(LEDGER), but=[REPLAY])
        until = (unread_since or self.now) + LANDING_TAKES
        waits = unread if self.now < until else ()
        room = REQUESTED_PER_TICK - sum(run.job_name == LATE_DAYS for run in runs)
        for day in stale:
            if day.day in busy:
                self.in_flight.append(day.day)
            elif day.refused:
                self.refused[day.day] = day.refused[0]
            elif day.waits_until:
                self.waiting[day.day] = day.waits_until
            elif not day.is_due:
                self.needs_force.append(day.day)
            elif day.day in waits:
                self.unread[day.day] = until
            elif len(self.requests) >= room:
                self.later.append(day.day)
            else:
                self._request(day)

    def message(self) -> str:
        """What is not requested and why, in one line; empty where everything is."""
        said = [
            _of(self.in_flight, "{count} queued or running"),
            _of(self.later, "{count} follow in later ticks"),
            _of(self.unmoved, "{days} ran: digests are looked at again with the next landing"),
            _of(self.unread, "{days} wait until landing has read their spans again for attributes that "
                "a policy version names (the job landing, or the sensor new_objects), at most until {first}"),
            _of(self.waiting, "{days} moved by bills alone, less than a day after it was recorded: "
                "waits until {first}"),
            _of(self.needs_force, "{days} closed under an older policy version, which stays unless "
                "forced: see the check stale_partitions"),
            _of(self.again, "{days} failed: tried again from {first}"),
            _of(self.refused, "{days} can't be run ({reasons})"),
            _of(self._reasons(), f"{{days}} given up after {attempts.ATTEMPTS} attempts ({{reasons}})"),
        ]  # fmt: skip
        return "; ".join(part for part in said if part)

    def _request(self, stale: StaleDay) -> None:
        day = stale.day.isoformat()
        target, state = stale.target[:KEY_DIGITS], stale.manifest_id[:KEY_DIGITS]
        # the target holds the day, so few runs carry it
        tags = {TARGET_TAG: target, STATE_TAG: state, DAY_TAG: day}
        tried = attempts.tried(self.instance, LATE_DAYS, tags, self.now)
        if tried.next_attempt:
            key = f"{day}:{target}:{state}:{tried.next_attempt}"
            self.requests.append(dg.RunRequest(run_key=key, partition_key=day, tags=tags))
        elif tried.running:
            self.in_flight.append(stale.day)
        elif tried.done:
            self.unmoved.append(stale.day)
        elif tried.waits_until:
            self.again[stale.day] = tried.waits_until
        else:
            self.given_up[stale.day] = tried.last_failed

    def _reasons(self) -> dict[date, str]:
        told = set(islice(self.given_up, REASONS_TOLD))
        return {
            day: attempts.why_it_failed(self.instance, run) if day in told else ""
            for day, run in self.given_up.items()
        }


def hour(instant: datetime) -> str:
    """An instant as a person reads it."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def _of(days: Sequence[date] | Mapping[date, datetime] | Mapping[date, str], words: str) -> str:
    if not days:
        return ""
    more: dict[str, str] = {}
    if isinstance(days, Mapping):
        instants = [said for said in days.values() if isinstance(said, datetime)]
        lines = [(day, said) for day, said in days.items() if isinstance(said, str) and said]
        more = {
            "first": hour(min(instants)) if instants else "",
            "reasons": ", ".join(f"{day}: {said}" for day, said in lines[:REASONS_TOLD]),
        }
    return words.format(count=f"{len(days):,}", days=pasted(days), **more)
