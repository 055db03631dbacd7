"""Days through Dagster without a server: what ``attribution run`` drives.

Belongs here: landing once, then day by day. Does not: what a caller is told (``run_report``),
printing (``commands.run``), the assets themselves.

Runs are recorded in ``$DAGSTER_HOME`` where it is set, so that the UI shows them; else only the
lake remembers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.instance import headless_instance
from attribution_pipeline.orchestration.run_report import CheckOutcome, DayOutcome, RunReport

if TYPE_CHECKING:
    import dagster as dg

    from attribution_pipeline.config import Deployment

QUIET = "CRITICAL"
"""Dagster tells every event on the console; what people need is in the report."""

_QUIETLY: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": QUIET}}}}


def run_days(
    deployment: Deployment,
    first: date,
    last: date,
    progress: Callable[[str], None] | None = None,
    *,
    force: bool = False,
) -> RunReport:
    """Land what is new, then materialize every day in [first, last], oldest first.

    ``force``: the policy in force reaches back over closed periods too. A day that fails stops no
    other. Raises Refusal for days that cannot be asked for, for sources or policies that cannot be
    used or are not what recorded days used, and where every day was refused.
    """
    house = House(deployment)
    require_days(house, first, last)
    tell = progress or (lambda _: None)
    report = RunReport()
    with headless_instance() as instance, _os_refusals():
        house.require_policy_history()  # before anything is landed
        session = _Session(house, instance, force=force)
        report.landing = session.land()
        for line in report.landing:
            tell(line)
        for offset in range((last - first).days + 1):
            outcome = session.make(first + timedelta(days=offset))
            report.days.append(outcome)
            for line in outcome.lines():
                tell(line)
        report.not_yet_due = session.not_yet_due()
        report.budgets = session.budgets()
    if all(outcome.is_refusal for outcome in report.days):
        raise Refusal(report.days[0].error)
    return report


class _Session:
    """The deployment's definitions, and in-process runs of their jobs on one instance."""

    def __init__(self, house: House, instance: dg.DagsterInstance, *, force: bool) -> None:
        from attribution_pipeline.orchestration.assets.ledger import FORCE
        from attribution_pipeline.orchestration.composition import compose
        from attribution_pipeline.orchestration.jobs import LANDING, LATE_DAYS

        composed = compose(house.deployment)
        self._landing = composed.resolve_job_def(LANDING)
        self._day = composed.resolve_job_def(LATE_DAYS)
        self._instance = instance
        self._house = house
        self._tags = {FORCE: "true"} if force else {}

    def land(self) -> list[str]:
        """Land, and read the policies; returns the landing report as lines."""
        from attribution_pipeline.orchestration.assets.landing import LINES, landed_objects

        result = self._execute(None)
        if not result.success:
            failed = _failure(result)
            if not failed.is_refusal:
                raise RuntimeError(failed.trace or failed.error)
            raise Refusal(failed.error)
        (metadata,) = _metadata(result, landed_objects.key)
        return [str(line) for line in metadata[LINES].value]

    def make(self, day: date) -> DayOutcome:
        """Materialize a day, and ask its checks."""
        import dagster as dg

        from attribution_pipeline.orchestration.assets.ledger import LEDGER
        from attribution_pipeline.orchestration.day_changes import held, kept_version, revised
        from attribution_pipeline.orchestration.ledger_figures import tie_out_rows

        result = self._execute(day)
        checks = [_check(found) for found in result.get_asset_check_evaluations()]
        recorded = _metadata(result, dg.AssetKey(LEDGER))
        if not recorded or not checks:
            failed = _failure(result)
            return DayOutcome(
                day,
                "failed",
                error=failed.error,
                is_refusal=failed.is_refusal,
                trace=failed.trace,
            )
        unchanged = bool(recorded[0]["unchanged"].value)
        head = self._house.lake.head(day)
        assert head is not None  # its materialization says so
        notes = (
            kept_version(self._house, head),
            held(self._house, head),
            _undisclosed(result, day),
        )
        return DayOutcome(
            day,
            "unchanged" if unchanged else "recorded",
            checks,
            tie_out_rows(self._house.lake.document(head)["output"]["tie_out"]),
            revised="" if unchanged else revised(self._house, head),
            notes=[note for note in notes if note],
        )

    def not_yet_due(self) -> list[Mapping[str, Any]]:
        """The bill's slices after the newest recorded day, billed but no day's yet."""
        from attribution_pipeline.orchestration.planes import not_yet_due

        days = self._house.lake.days()
        return [
            {**row, "billed": row["not_yet_due"]}
            for row in (not_yet_due(self._house, max(days)) if days else [])
        ]

    def budgets(self) -> list[str]:
        """One line for each check of reservations that failed. No deployment without any asks."""
        import dagster as dg

        from attribution_pipeline.orchestration.assets.reservations import RESERVATIONS, STEP

        if not self._house.deployment.sources.reservations:
            return []
        result = self._landing.execute_in_process(
            asset_selection=[dg.AssetKey(RESERVATIONS)],
            instance=self._instance,
            run_config=_QUIETLY,
            raise_on_error=False,
        )
        if not result.success:
            return [f"reservations are not looked at: {_failure(result, STEP).error}"]
        checks = [_check(found) for found in result.get_asset_check_evaluations()]
        return [f"{check.name}: {check.description}" for check in checks if not check.passed]

    def _execute(self, day: date | None) -> dg.ExecuteInProcessResult:
        """A run of a day's assets and their checks; or landing, where nobody waits for what other
        days' evidence comes to."""
        from attribution_pipeline.orchestration.assets.landing import landed_objects
        from attribution_pipeline.orchestration.assets.policies import policy_versions

        job = self._landing if day is None else self._day
        return job.execute_in_process(
            partition_key=None if day is None else day.isoformat(),
            asset_selection=[landed_objects.key, policy_versions.key] if day is None else None,
            instance=self._instance,
            tags=self._tags,
            run_config=_QUIETLY,
            raise_on_error=False,
        )


def require_days(house: House, first: date, last: date) -> None:
    """Days that can be asked for: from ``first_day`` to the last one that is over, in UTC."""
    deployment = house.deployment
    yesterday = house.now().date() - timedelta(days=1)
    if first > last:
        raise Refusal(f"the range ends on {last}, before it begins on {first}")
    if first < deployment.first_day:
        raise Refusal(
            f"{first} is before the deployment's first day, {deployment.first_day}",
            where=deployment.where("first_day"),
            remedy=f"start at {deployment.first_day}, or move `first_day`",
        )
    if last > yesterday:
        raise Refusal(
            f"{last} is not over yet (UTC)",
            remedy=f"end at {yesterday}: a day is computed when all of it is past",
        )


@contextlib.contextmanager
def _os_refusals() -> Iterator[None]:
    from attribution_pipeline.orchestration.refusals import unusable

    try:
        yield
    except OSError as error:
        raise unusable(error) from error


def _metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> list[Mapping[str, Any]]:
    return [
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key == key
    ]


def _check(found: dg.AssetCheckEvaluation) -> CheckOutcome:
    import dagster as dg

    return CheckOutcome(
        name=found.check_name,
        passed=found.passed,
        blocking=found.severity == dg.AssetCheckSeverity.ERROR,
        description=found.description or "",
    )


def _undisclosed(result: dg.ExecuteInProcessResult, day: date) -> str:
    """Why a recorded day has no completeness, or its views are not whole; nothing where they are, or
    where a blocking check that failed stopped it."""
    from attribution_pipeline.orchestration.assets.completeness import STEP
    from attribution_pipeline.orchestration.assets.views import STEP as VIEWED

    failed = {event.step_key for event in result.all_events if event.is_step_failure}
    said = {STEP: "its completeness is not disclosed", VIEWED: "its views are not whole"}
    return "; ".join(
        f"{day} is recorded, {what}: {_failure(result, step).error}"
        for step, what in said.items()
        if step in failed
    )


@dataclass(frozen=True)
class _Failed:
    error: str
    is_refusal: bool = False
    trace: str = ""


def _failure(result: dg.ExecuteInProcessResult, step: str | None = None) -> _Failed:
    """Why a run failed: the first step that did, or the one that is named."""
    for event in result.all_events:
        if event.is_step_failure and step in (None, event.step_key):
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                return _Failed(data.user_failure_data.description, is_refusal=True)
            if data.error is not None:
                cause = data.error.cause or data.error
                return _Failed(" ".join(cause.message.split()), trace=data.error.to_string())
    return _Failed("the run failed without a step that says why")
