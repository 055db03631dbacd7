"""What runs did with a request: in flight, done, failed, to be tried again, given up.

Belongs here: reading run records. Does not: what is requested (``sensors``).

Dagster's ``run_key`` is spent by any run that carries it, a failed one too; so each try has a
number in its key, and which number is next is read from the runs themselves, never from a cursor.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

ATTEMPTS = 3
"""Tries of one request before a person is asked."""

BACKOFF = (timedelta(minutes=2), timedelta(minutes=20))
"""How long after the first and the second failure the next try waits: a busy disk is over in
minutes, a source that is being repaired takes longer."""

DEAD_AFTER = timedelta(hours=6)
"""A run whose process was killed says for ever that it is started. A day takes minutes."""

WAITING = [dg.DagsterRunStatus.QUEUED]
"""Behind a backfill of a year, for as long as that takes."""
WORKING = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

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
    carry, by which they are looked up. A cancelled run failed, and so did one that died."""
    (rare, value) = next(iter(tags.items()))
    records = [
        record
        for record in instance.get_run_records(dg.RunsFilter(job_name=job, tags={rare: value}))
        if all(record.dagster_run.tags.get(name) == said for name, said in tags.items())
    ]
    if any(_is_in_flight(record, now) for record in records):
        return Tried(running=True)
    if any(record.dagster_run.status == dg.DagsterRunStatus.SUCCESS for record in records):
        return Tried(done=True)
    if not records:
        return Tried(next_attempt=1)
    newest = max(records, key=_ended)
    run_id = newest.dagster_run.run_id
    if len(records) >= ATTEMPTS:
        return Tried(last_failed=run_id)
    due = _ended(newest) + BACKOFF[len(records) - 1]
    if now < due:
        return Tried(waits_until=due, last_failed=run_id)
    return Tried(next_attempt=len(records) + 1, last_failed=run_id)


def in_flight(instance: dg.DagsterInstance, now: datetime) -> list[dg.DagsterRun]:
    """Runs that are queued or at work, of any job."""
    records = instance.get_run_records(dg.RunsFilter(statuses=[*WAITING, *WORKING]))
    return [record.dagster_run for record in records if _is_in_flight(record, now)]


def days_of(
    runs: Iterable[dg.DagsterRun], asset: dg.AssetKey, but: Collection[str] = ()
) -> set[date]:
    """Days of the runs that make ``asset``, backfills included. ``but``: jobs that have days and
    don't make it."""
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
    return f"run {run_id[:8]} ended without a step that says why: its process may have been killed"


def _is_in_flight(record: dg.RunRecord, now: datetime) -> bool:
    status = record.dagster_run.status
    return status in WAITING or (status in WORKING and now - _ended(record) < DEAD_AFTER)


def _ended(record: dg.RunRecord) -> datetime:
    """When the run ended; of one that did not, when it was last heard of."""
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
