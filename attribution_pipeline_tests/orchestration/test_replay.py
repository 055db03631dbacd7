"""Replays in Dagster: the asset, the checks that answer from it, the nights on which they run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from attribution_pipeline.definitions import build_defs
from attribution_pipeline.orchestration import replaying
from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.assets.replay import REPLAY
from attribution_pipeline.orchestration.checks import replay as checks
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.replaying import SAMPLE_DAYS, rotation
from attribution_pipeline_tests.orchestration.deployments import DAY, place_of, with_value
from attribution_pipeline_tests.orchestration.ticks import QUIET
from attribution_pipeline_tests.proof.replays import History

CENT = Decimal("0.01")
VARIANCE, MONTH = checks.REPLAY_VARIANCE, checks.GATE_OF_MONTH


@pytest.fixture
def history(house: House) -> History:
    """The worked day, recorded through Dagster."""
    return History(house.deployment.path.parent, now=datetime.now(UTC))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def replay_job(history: History, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """A night's run of one day."""
    return _execute(history, instance, REPLAY)


def ask_alone(history: History, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """As the button "Execute" of the check does."""
    job = dg.define_asset_job(
        "asked",
        selection=dg.AssetSelection.checks(
            *(dg.AssetCheckKey(dg.AssetKey(LEDGER), name) for name in (VARIANCE, MONTH))
        ),
    )
    defs = build_defs(history.folder / "attribution.yaml")
    found = dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("asked")
    # a job of partitioned checks alone has no partitions in 1.13: the UI sets the tag
    return found.execute_in_process(
        instance=instance, tags={"dagster/partition": DAY.isoformat()}, run_config=QUIET
    )


def materialize_ledger(history: History, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """As the button "Materialize" of the ledger does: with every check that stands on it."""
    defs = build_defs(history.folder / "attribution.yaml")
    job = defs.resolve_implicit_global_asset_job_def()
    return _run(job, instance, [dg.AssetKey(LEDGER), dg.AssetKey("operation_costs")])


def _execute(history: History, instance: dg.DagsterInstance, job: str) -> Any:
    return _run(build_defs(history.folder / "attribution.yaml").resolve_job_def(job), instance)


def _run(job: Any, instance: dg.DagsterInstance, assets: Sequence[dg.AssetKey] = ()) -> Any:
    return job.execute_in_process(
        instance=instance,
        partition_key=DAY.isoformat(),
        run_config=QUIET,
        **({"asset_selection": list(assets)} if assets else {}),
    )


def answers(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    return {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }


def otherwise(rows: pa.Table) -> pa.Table:
    """A cent goes from one tenant to another: everything still adds up."""
    here = place_of(rows, basis="driver", component="shared", tenant_id="tenant-a")
    charge = rows["charge_id"][here].as_py()
    there = place_of(rows, charge_id=charge, tenant_id="tenant-b", component="shared")
    for place, delta in ((here, -CENT), (there, CENT)):
        rows = with_value(
            rows, place, "effective_cost", rows["effective_cost"][place].as_py() + delta
        )
    return rows


# -- the asset and the checks ------------------------------------------------------------------------


def test_the_nights_job_replays_the_day_and_the_checks_answer_from_it(
    history: History, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    replays: list[Any] = []
    once = replaying.replay
    monkeypatch.setattr(
        replaying, "replay", lambda *given: (replays.append(given), once(*given))[1]
    )
    result = replay_job(history, instance)
    assert len(replays) == 1, "the check answers from the asset, it does not replay again"
    (metadata,) = materialized(result).values()
    assert metadata["verdict"].value == "reproduced"
    assert metadata["kernel"].value == history.state().kernel
    assert metadata["rows"].value > 50
    found = answers(result)
    assert set(found) == {VARIANCE, MONTH}
    assert all(answer.passed for answer in found.values())
    assert "every column, to the quantum" in found[VARIANCE].description
    assert "2026-10 agree" in found[MONTH].description


def test_the_daily_run_neither_replays_nor_asks(
    history: History, instance: dg.DagsterInstance
) -> None:
    result = _execute(history, instance, "daily")
    assert REPLAY not in materialized(result)
    assert not {VARIANCE, MONTH} & set(answers(result))
    assert answers(result)["normalization_gate"].passed


def test_materializing_the_ledger_from_the_ui_does_not_replay(
    history: History, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay_job(history, instance)

    def never(*_: object) -> Any:
        raise AssertionError("that would double the cost of a backfill")

    monkeypatch.setattr(replaying, "replay", never)
    monkeypatch.setattr(replaying, "gate_of_month", never)
    found = answers(materialize_ledger(history, instance))
    # the state is the one that was replayed: the answer is that one
    assert found[VARIANCE].passed
    assert found[VARIANCE].metadata["verdict"].value == "reproduced"
    history.late_spans()
    _land(history)
    found = answers(materialize_ledger(history, instance))
    assert found[VARIANCE].passed
    assert "State 2 was recorded in this run and is not replayed yet" in found[VARIANCE].description
    assert "Not asked where days are computed" in found[MONTH].description


def _land(history: History) -> None:
    from attribution_pipeline.sources.landing import land

    house = history.house()
    land(house.sources, house.landed)


def test_a_check_that_is_asked_alone_replays_what_stands_now(
    history: History, instance: dg.DagsterInstance
) -> None:
    replay_job(history, instance)
    (entry,) = history.house().lake.manifest(DAY)["inputs"]["usage"]["files"]["usage"]
    path = history.damage(entry)
    found = answers(ask_alone(history, instance))[VARIANCE]
    assert not found.passed
    assert path.name in found.description


@pytest.mark.parametrize("thing", ["row", "input", "policy"])
def test_a_perturbed_row_input_or_policy_fails_the_check_by_name(
    history: History, instance: dg.DagsterInstance, thing: str
) -> None:
    if thing == "row":
        history.record_otherwise({"ledger": otherwise})
        named = "2 rows differ, first ledger "
    else:
        said = history.house().lake.manifest(DAY)
        (entry,) = said["inputs"]["cluster"]["files"]["nodes"]
        path = history.damage(entry if thing == "input" else said["policy"]["file"])
        named = path.name if thing == "input" else "policy worked-day version 1: a recorded file"
    result = replay_job(history, instance)
    found = answers(result)[VARIANCE]
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert named in found.description
    assert "policy worked-day version 1, state" in found.description
    # what to do next
    assert "attribution replay --from 2026-10-05" in found.description
    # a verdict is a result: the asset stands, and shows it
    assert materialized(result)[REPLAY]["code"].value == (4 if thing == "row" else 3)


def test_a_changed_log_of_a_side_table_fails_the_check_by_name(
    history: History, instance: dg.DagsterInstance
) -> None:
    history.damage({"path": f"operations/_delta_log/{1:020d}.json"})
    job = build_defs(history.folder / "attribution.yaml").resolve_job_def(REPLAY)
    found = answers(_run(job, instance))[VARIANCE]
    assert not found.passed
    assert f"{1:020d}.json" in found.description


def test_a_day_that_does_not_add_up_says_to_stop_using_it(
    history: History, instance: dg.DagsterInstance
) -> None:
    def short(rows: pa.Table) -> pa.Table:
        place = place_of(rows, basis="driver", tenant_id="tenant-a")
        amount = rows["billed_cost"][place].as_py() - CENT
        return with_value(rows, place, "billed_cost", amount)

    history.record_otherwise({"ledger": short})
    found = answers(replay_job(history, instance))
    assert "Stop downstream use of this day" in found[VARIANCE].description
    assert not found[MONTH].passed
    assert "roll-ups" not in found[MONTH].description
    assert "Roll-ups of 2026-10 disagree" in found[MONTH].description


def test_a_day_that_is_not_recorded_fails_with_a_remedy(
    deployment_file: Path, instance: dg.DagsterInstance
) -> None:
    job = build_defs(deployment_file).resolve_job_def(REPLAY)
    result = job.execute_in_process(
        instance=instance, partition_key=DAY.isoformat(), run_config=QUIET, raise_on_error=False
    )
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure][:1]
    described = failure.step_failure_data.user_failure_data.description
    assert "2026-10-05 is not recorded; attribution run --from 2026-10-05" in described


# -- the nights --------------------------------------------------------------------------------------


class Recorded:
    """A lake of days, as far as a night looks at it."""

    def __init__(self, days: Sequence[date], settled: Sequence[date]) -> None:
        self.lake = self
        self._days, self._settled = list(days), set(settled)

    def days(self) -> list[date]:
        return self._days

    def head(self, day: date) -> Any:
        return SimpleNamespace(settled=day in self._settled)


def calendar(count: int) -> list[date]:
    return [date(2026, 1, 1) + timedelta(days=n) for n in range(count)]


def test_a_night_is_yesterday_and_a_sample_of_settled_days() -> None:
    days = calendar(100)
    house = Recorded(days, days[:60])
    tonight = days[-1] + timedelta(days=1)
    chosen = replaying.days_of_tonight(house, tonight)  # type: ignore[arg-type]
    assert chosen[0] == days[-1]
    assert len(chosen) == 1 + SAMPLE_DAYS
    assert set(chosen[1:]) <= set(days[:60])
    assert chosen == replaying.days_of_tonight(house, tonight)  # type: ignore[arg-type]


def test_days_that_are_not_settled_fill_a_sample_that_is_short() -> None:
    days = calendar(10)
    house = Recorded(days, [days[4]])
    chosen = replaying.days_of_tonight(house, days[-1] + timedelta(days=1))  # type: ignore[arg-type]
    assert days[4] in chosen
    assert len(set(chosen)) == 1 + SAMPLE_DAYS


def test_a_night_without_yesterday_takes_the_sample_alone() -> None:
    days = calendar(10)
    house = Recorded(days, days)
    chosen = replaying.days_of_tonight(house, days[-1] + timedelta(days=5))  # type: ignore[arg-type]
    assert len(chosen) == SAMPLE_DAYS
    assert replaying.days_of_tonight(Recorded([], []), days[0]) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2, 30, 365])
def test_every_settled_day_has_its_turn_while_the_ledger_grows(count: int) -> None:
    """A day is recorded every night: a rotation by the number of days would stand still."""
    days = calendar(count + 400)
    tonight = days[count]
    seen: set[date] = set()
    nights = 0
    while not set(days[:count]) <= seen:
        house = Recorded(days[: count + nights], days[: count + nights])
        seen |= set(replaying.days_of_tonight(house, tonight))  # type: ignore[arg-type]
        tonight += timedelta(days=1)
        nights += 1
        assert nights <= 400, "some day never comes up"
    ring = 1 << (count + nights).bit_length()
    assert nights <= 2 * (ring // SAMPLE_DAYS + 1)


def test_a_rotation_names_every_day_once_from_another_place_each_night() -> None:
    days = calendar(20)
    first = list(rotation(days, date(2026, 3, 1)))
    assert sorted(first) == days
    assert first != list(rotation(days, date(2026, 3, 2)))
    assert list(rotation([], date(2026, 3, 1))) == []


def test_the_schedule_asks_for_one_run_a_day_each_with_a_key_of_its_own(history: History) -> None:
    repository = build_defs(history.folder / "attribution.yaml").get_repository_def()
    schedule = repository.get_schedule_def(REPLAY)
    assert schedule.cron_schedule == "0 6 * * *"
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=datetime(2026, 10, 6, 6, tzinfo=UTC),
            repository_def=repository,
            resources=repository.get_top_level_resources(),
        )
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert (request.partition_key, request.run_key) == ("2026-10-05", "2026-10-06:2026-10-05")


def test_without_a_recorded_day_the_schedule_skips(deployment_file: Path) -> None:
    repository = build_defs(deployment_file).get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=datetime(2026, 10, 6, 6, tzinfo=UTC),
            repository_def=repository,
            resources=repository.get_top_level_resources(),
        )
        answer = repository.get_schedule_def(REPLAY).evaluate_tick(context)
    assert answer.skip_message == "no day is recorded yet"
