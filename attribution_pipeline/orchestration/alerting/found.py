"""What checks and runs came to since the last look: one finding a check and partition, the newest.

Belongs here: reading Dagster's records. Does not: who is told (``decide``).

Evaluations are read by check from the newest record backwards, to where the last look ended. A record is
made when a check is planned and filled in when it was asked, so a look goes back to the oldest one that
was still open then. Reading again what was read before changes nothing.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from attribution_pipeline.orchestration import attempts
from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.jobs import DAILY, LATE_DAYS

ERROR, WARNING = "error", "warning"

RUN = "run"
"""Stands for the asset where a run failed, and no check was asked."""
DAY = "day"
"""The name of runs that make a day, by whatever job."""
ASSET_JOB = "__ASSET_JOB"
"""Dagster's job for what people materialize by hand."""

FIRST_LOOK = timedelta(hours=24)
"""How far the first look goes back: what failed before someone asked to be told is history."""

OPEN_FOR = attempts.DEAD_AFTER
"""How long an unanswered check holds the next look back; after that its run is dead."""

OVERLAP = timedelta(minutes=5)
"""Runs are asked for by when they were last written; a clock or a commit may be that late."""

PAGE = 50


@dataclass(frozen=True)
class Finding:
    """The newest that is known of a check and partition, or of a run and its day."""

    asset: str
    name: str
    partition: str
    passed: bool
    severity: str
    description: str
    run_id: str

    @property
    def key(self) -> str:
        """Names the same thing in every look."""
        return f"{self.asset}:{self.name}:{self.partition}"


@dataclass
class Cursor:
    """Where the last look ended: for the instance whose numbers it has."""

    looked_at: datetime
    open_from: dict[str, int] = field(default_factory=dict)
    """Check -> the oldest record that was unanswered, else one more than the newest."""

    def text(self) -> str:
        """For Dagster to keep."""
        said = {"looked_at": self.looked_at.isoformat(), "open_from": self.open_from}
        return json.dumps(said, sort_keys=True)

    @classmethod
    def read(cls, text: str | None, now: datetime) -> "Cursor":
        """As kept; where there is none, a look at the last day."""
        try:
            said = json.loads(text or "")
            return cls(datetime.fromisoformat(said["looked_at"]), dict(said["open_from"]))
        except (ValueError, KeyError, TypeError):
            return cls(now - FIRST_LOOK)


def look(
    instance: dg.DagsterInstance,
    checks: Iterable[dg.AssetCheckKey],
    jobs: Collection[str],
    cursor: Cursor,
    now: datetime,
) -> tuple[list[Finding], Cursor]:
    """Findings since ``cursor``, of these checks and of runs of these jobs, and the next cursor."""
    after = Cursor(now)
    found: list[Finding] = []
    for key in checks:
        name = f"{key.asset_key.to_user_string()}:{key.name}"
        newest, after.open_from[name] = _of_check(
            instance, key, cursor.open_from.get(name), cursor.looked_at, now
        )
        found += newest
    return [*found, *_of_runs(instance, jobs, cursor.looked_at)], after


def _of_check(
    instance: dg.DagsterInstance,
    key: dg.AssetCheckKey,
    open_from: int | None,
    looked_at: datetime,
    now: datetime,
) -> tuple[list[Finding], int]:
    newest: dict[str, Finding] = {}
    first = open_now = None
    before: int | None = None
    while True:
        page = instance.event_log_storage.get_asset_check_execution_history(
            key, limit=PAGE, cursor=before
        )
        if first is None and page:
            first = page[0].id
            if open_from is not None and first < open_from - 1:
                open_from = None  # another instance's numbers: by time, then
        for record in page:
            made = datetime.fromtimestamp(record.create_timestamp, UTC)
            if (record.id < open_from) if open_from is not None else made < looked_at:
                page = []
                break
            if record.status == AssetCheckExecutionRecordStatus.PLANNED:
                if now - made < OPEN_FOR:
                    open_now = record.id
            else:
                finding = _finding(key, record)
                newest.setdefault(finding.partition, finding)
            before = record.id
        if len(page) < PAGE:
            return list(newest.values()), open_now or (first or 0) + 1


def _finding(key: dg.AssetCheckKey, record: Any) -> Finding:
    evaluation = record.event.asset_check_evaluation
    is_error = evaluation.severity == dg.AssetCheckSeverity.ERROR
    return Finding(
        key.asset_key.to_user_string(), key.name, evaluation.partition or "", evaluation.passed,
        ERROR if is_error else WARNING, evaluation.description or "", record.run_id,
    )  # fmt: skip


def _of_runs(
    instance: dg.DagsterInstance, jobs: Collection[str], looked_at: datetime
) -> list[Finding]:
    """Runs that ended: a failed one leaves its checks unasked, and no check can say so."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    records = instance.get_run_records(
        dg.RunsFilter(statuses=ended, updated_after=looked_at - OVERLAP)
    )
    newest: dict[str, Finding] = {}
    for record in sorted(records, key=lambda one: one.end_time or 0, reverse=True):
        run = record.dagster_run
        if run.job_name not in jobs:
            continue
        passed = run.status == dg.DagsterRunStatus.SUCCESS
        why = "" if passed else attempts.why_it_failed(instance, run.run_id)
        found = Finding(RUN, _called(run), _days(run.tags), passed, ERROR, why, run.run_id)
        newest.setdefault(found.key, found)
    return list(newest.values())


def _called(run: dg.DagsterRun) -> str:
    if run.job_name in (DAILY, LATE_DAYS):
        return DAY
    if run.job_name != ASSET_JOB:
        return run.job_name
    chosen = run.asset_selection
    if chosen is None or dg.AssetKey(LEDGER) in chosen:
        return DAY
    return ", ".join(sorted(key.to_user_string() for key in chosen))


def _days(tags: Mapping[str, str]) -> str:
    if attempts.PARTITION in tags:
        return tags[attempts.PARTITION]
    if attempts.RANGE_START in tags and attempts.RANGE_END in tags:
        return f"{tags[attempts.RANGE_START]}...{tags[attempts.RANGE_END]}"
    return ""
