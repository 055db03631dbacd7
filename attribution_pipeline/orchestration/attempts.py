"""What runs did with a request: in flight, done, failed, to be tried again, given up.

Belongs here: reading run records. Does not: what is requested (``sensors``).

Dagster's ``run_key`` is spent by any run that carries it, a failed one too; so each try has a
number in its key, and which number is next is read from the runs themselves, never from a cursor.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

ATTEMPTS = 3
"""Tries of one request before a person is asked."""

BACKOFF = (timedelta(minutes=2), timedelta(minutes=20))
"""How long after the first and the second failure the next try waits: a busy disk is over in
minutes, a source that is being repaired takes longer."""

IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)

PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
"""Tags under which Dagster keeps the days of a run."""


@dataclass(frozen=True)
class Tried:
    """What became of a request so far. One of: ``next_attempt`` is due; ``running``; ``done``;
    ``waits_until``; or, where none of these, it was given up after ``ATTEMPTS``."""

    next_attempt: int = 0
    """From 1; 0 where none is due now."""
    running: bool = False
    done: bool = False
    waits_until: datetime | None = None
    last_failed: str = ""
    """Id of the newest failed run."""

    @property
    def given_up(self) -> bool:
        """Whether only a person, or other evidence, gets it going again."""
        due = self.next_attempt or self.running or self.done or self.waits_until
        return not due


def tried(instance: dg.DagsterInstance, job: str, tags: Mapping[str, str], now: datetime) -> Tried:
    """What runs of ``job`` that carry ``tags`` came to. ``tags``: first the one that few runs
    carry, by which they are looked up."""
    (rare, value) = next(iter(tags.items()))
    records = [
        record
        for record in instance.get_run_records(dg.RunsFilter(job_name=job, tags={rare: value}))
        if all(record.dagster_run.tags.get(name) == said for name, said in tags.items())
    ]
    statuses = [record.dagster_run.status for record in records]
    if any(status in IN_FLIGHT for status in statuses):
        return Tried(running=True)
    if dg.DagsterRunStatus.SUCCESS in statuses:
        return Tried(done=True)
    failed = [record for record in records if record.dagster_run.status in FAILED]
    if not failed:
        return Tried(next_attempt=1)
    newest = max(failed, key=_ended)
    run_id = newest.dagster_run.run_id
    if len(failed) >= ATTEMPTS:
        return Tried(last_failed=run_id)
    due = _ended(newest) + BACKOFF[len(failed) - 1]
    if now < due:
        return Tried(waits_until=due, last_failed=run_id)
    return Tried(next_attempt=len(failed) + 1, last_failed=run_id)


def runs_in_flight(instance: dg.DagsterInstance, jobs: Sequence[str]) -> int:
    """Runs of these jobs that are queued or started."""
    return sum(
        instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=IN_FLIGHT)) for job in jobs
    )


def days_in_flight(
    instance: dg.DagsterInstance, asset: dg.AssetKey, but: Collection[str] = ()
) -> set[date]:
    """Days of queued and started runs that make ``asset``, backfills included. ``but``: jobs that
    have days and don't make it."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=IN_FLIGHT))
    return {
        day
        for run in runs
        if run.job_name not in but and (run.asset_selection is None or asset in run.asset_selection)
        for day in _days(run.tags)
    }


def why_it_failed(instance: dg.DagsterInstance, run_id: str) -> str:
    """A failed run's reason in one line: its refusal, or the error of its first step that failed."""
    failures = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    for entry in failures:
        event = entry.dagster_event
        if event is None:
            continue
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            return data.user_failure_data.description
        if data.error is not None:
            return " ".join((data.error.cause or data.error).message.split())
    return f"run {run_id[:8]} ended without a step that says why"


def _ended(record: dg.RunRecord) -> datetime:
    if record.end_time is None:
        return record.update_timestamp.replace(tzinfo=UTC)
    return datetime.fromtimestamp(record.end_time, UTC)


def _days(tags: Mapping[str, str]) -> Iterator[date]:
    if PARTITION in tags:
        yield date.fromisoformat(tags[PARTITION])
    elif RANGE_START in tags and RANGE_END in tags:
        day, last = date.fromisoformat(tags[RANGE_START]), date.fromisoformat(tags[RANGE_END])
        while day <= last:
            yield day
            day += timedelta(days=1)
