"""One deployment's jobs, run in this process on one Dagster instance: landing, and a day.

Belongs here: running them, and reading from their events what callers are told. Does not: which days,
in which order, in how many processes (``run``), the assets themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.garbage import seldom_collected
from attribution_pipeline.orchestration.run_report import CheckOutcome, DayOutcome

if TYPE_CHECKING:
    import dagster as dg

    from attribution_pipeline.orchestration.house import House

QUIET = "CRITICAL"
"""Dagster tells every event on the console; what people need is in the report."""

_QUIETLY: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": QUIET}}}}


class RunSession:
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
        self.awaiting: list[str] = []
        """One line for each check of landing that failed: what was not read."""
        self.on_the_way: list[str] = []
        """The same of what waits and may still be written."""
        self.notes: list[str] = []
        """What landing says besides, of files that are gone and deliveries that do not stand."""
        if not instance.is_persistent:
            self._day = _kept_or_asked(self._day)

    def land(self) -> list[str]:
        """Land, and read the policies; returns the landing report as lines."""
        from attribution_pipeline.orchestration.assets.landing import LINES, NOTES, landed_objects

        result = self._execute(None)
        if not result.success:
            failed = _failure(result)
            if not failed.is_refusal:
                raise RuntimeError(failed.trace or failed.error)
            raise Refusal(failed.error)
        checks = [_check(found) for found in result.get_asset_check_evaluations()]
        self.awaiting = [
            f"{check.name}: {check.description}" for check in checks if not check.passed
        ]
        self.on_the_way = [check.description for check in checks if check.passed]
        (metadata,) = _metadata(result, landed_objects.key)
        if not metadata["objects_awaiting"].value:
            self.on_the_way = []
        self.notes = [str(line) for line in metadata[NOTES].value]
        return [str(line) for line in metadata[LINES].value]

    def make(self, day: date) -> DayOutcome:
        """Materialize a day, and ask its checks."""
        import dagster as dg

        from attribution_pipeline.orchestration.assets.ledger import LEDGER
        from attribution_pipeline.orchestration.day_changes import (
            held,
            kept_version,
            revised,
            without_bill,
        )
        from attribution_pipeline.orchestration.ledger_figures import (
            rows_of_first_day,
            tie_out_rows,
        )
        from attribution_pipeline.orchestration.refused_bills import bills_missing

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
            without_bill(self._house, head),
            *bills_missing(self._house, day),
            kept_version(self._house, head),
            held(self._house, head),
            _undisclosed(result, day),
        )
        return DayOutcome(
            day,
            "unchanged" if unchanged else "recorded",
            checks,
            tie_out_rows(
                self._house.lake.document(head)["output"]["tie_out"],
                rows_of_first_day(self._house, day),
            ),
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
        with seldom_collected():
            return job.execute_in_process(
                partition_key=None if day is None else day.isoformat(),
                asset_selection=[landed_objects.key, policy_versions.key] if day is None else None,
                instance=self._instance,
                tags=self._tags,
                run_config=_QUIETLY,
                raise_on_error=False,
            )


def _kept_or_asked(day: dg.JobDefinition) -> dg.JobDefinition:
    """The day's job without what is shown alone: an instance in memory nobody looks at. Left out are the
    planes, which recording computes itself, and the views, which readers compute of roll-ups; what is
    kept in the lake stays, and every check."""
    import dagster as dg

    from attribution_pipeline.orchestration.assets.completeness import COMPLETENESS
    from attribution_pipeline.orchestration.assets.ledger import LEDGER, OPERATION_COSTS
    from attribution_pipeline.orchestration.assets.views import ROLLUPS

    kept = (OPERATION_COSTS, LEDGER, COMPLETENESS, *ROLLUPS)
    return day.get_subset(
        asset_selection={dg.AssetKey(name) for name in kept},
        asset_check_selection=set(day.asset_layer.asset_graph.asset_check_keys),
    )


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
