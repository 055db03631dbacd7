"""The code location loads, and people find in it what the design promises by name."""

from __future__ import annotations

import subprocess
import sys
import warnings
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from attribution_pipeline.definitions import build_defs
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.checks.awaiting import AWAITING_OBJECTS
from attribution_pipeline.orchestration.checks.completeness import QUESTIONS as DISCLOSED
from attribution_pipeline.orchestration.checks.on_ledger import ALERTING, BLOCKING
from attribution_pipeline.orchestration.checks.replay import GATE_OF_MONTH, REPLAY_VARIANCE
from attribution_pipeline.orchestration.checks.rollups import QUESTIONS as ROLLED
from attribution_pipeline.orchestration.checks.staleness import STALE_PARTITIONS
from attribution_pipeline_tests.cases import REPOSITORY

DAY_ASSETS = {
    "billing_exports",
    "opencost_snapshots",
    "span_partitions",
    "usage_reports",
    "workload_identity",
    "close_records",
    "operation_costs",
    "attribution_ledger",
    "completeness",
    "outcomes",
    "spend_daily",
    "resources_daily",
    "calls_daily",
    "outcomes_daily",
    "spend_business",
    "spend_product",
    "spend_workflow",
    "spend_model",
    "spend_platform",
    "spend_governance",
    "spend_backlog",
}
PROOF_ASSETS = {"replay", "focus_export"}
OTHER_ASSETS = {
    "landed_objects", "policy_versions", "evidence_digests", "scorecard", "triage", "reservations",
}  # fmt: skip


@pytest.fixture
def repository(deployment_file: Path, monkeypatch: pytest.MonkeyPatch) -> dg.RepositoryDefinition:
    """Loaded as Dagster's code server does: by the module that workspace.yaml names."""
    from dagster._core.workspace.autodiscovery import loadable_targets_from_python_module

    monkeypatch.setenv("ATTRIBUTION_CONFIG", str(deployment_file))
    workspace = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text())
    (location,) = workspace["load_from"]
    module = location["python_module"]["module_name"]
    (target,) = loadable_targets_from_python_module(module, None)
    definitions = target.target_definition()
    assert isinstance(definitions, dg.Definitions)
    found = definitions.get_repository_def()
    found.load_all_definitions()  # as the code server does: it alone notices names that clash
    return found


def test_assets_stand_under_the_names_of_the_design(repository: dg.RepositoryDefinition) -> None:
    keys = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    assert keys == DAY_ASSETS | PROOF_ASSETS | OTHER_ASSETS


def test_days_are_utc_and_begin_at_the_deployments_first_day(
    repository: dg.RepositoryDefinition,
) -> None:
    for name in DAY_ASSETS | PROOF_ASSETS:
        days = repository.asset_graph.get(dg.AssetKey(name)).partitions_def
        assert isinstance(days, dg.DailyPartitionsDefinition)
        assert days.timezone == "UTC"
        assert days.get_first_partition_key() == date(2026, 10, 5).isoformat()
    for name in OTHER_ASSETS:
        assert repository.asset_graph.get(dg.AssetKey(name)).partitions_def is None


def test_every_check_stands_on_the_ledger_and_invariants_block(
    repository: dg.RepositoryDefinition,
) -> None:
    graph = repository.asset_graph
    blocking = {
        key.name: graph.get_check_spec(key).blocking
        for key in graph.asset_check_keys
        if key.asset_key == dg.AssetKey("attribution_ledger")
    }
    assert {name for name, blocks in blocking.items() if blocks} == set(BLOCKING)
    assert {name for name, blocks in blocking.items() if not blocks} == {
        *ALERTING,
        STALE_PARTITIONS,
        REPLAY_VARIANCE,
        GATE_OF_MONTH,
    }


def test_checks_of_a_day_are_asked_by_day_and_stale_partitions_of_the_whole(
    repository: dg.RepositoryDefinition,
) -> None:
    """The UI runs an unpartitioned check at a click, and shows one list of days."""
    graph = repository.asset_graph
    unpartitioned = {
        key.name
        for key in graph.asset_check_keys
        if key.asset_key == dg.AssetKey("attribution_ledger")
        and graph.get_check_spec(key).partitions_def is None
    }
    assert unpartitioned == {STALE_PARTITIONS}


def test_a_day_is_one_process_and_the_schedule_makes_yesterday(
    repository: dg.RepositoryDefinition,
) -> None:
    job = repository.get_job("daily")
    assert job.executor_def is dg.in_process_executor
    schedule = repository.get_schedule_def("daily")
    assert schedule.cron_schedule == "0 4 * * *"
    (request,) = _tick(repository, datetime(2026, 10, 8, 4, tzinfo=UTC)).run_requests or []
    assert request.partition_key == "2026-10-07"


@pytest.mark.parametrize(
    ("sensor", "job"), [("new_objects", "landing"), ("late_evidence", "late_days")]
)
def test_sensors_are_off_until_someone_turns_them_on(
    repository: dg.RepositoryDefinition, sensor: str, job: str
) -> None:
    found = repository.get_sensor_def(sensor)
    assert found.default_status == dg.DefaultSensorStatus.STOPPED
    assert found.job_name == job
    assert "Off until it is turned on" in (found.description or "")
    assert repository.get_job(job).executor_def is dg.in_process_executor


def test_a_late_day_is_made_from_what_is_landed(repository: dg.RepositoryDefinition) -> None:
    layer = repository.get_job("late_days").asset_layer
    assert {key.to_user_string() for key in layer.executable_asset_keys} == DAY_ASSETS
    asked = {key.name for key in layer.asset_graph.asset_check_keys}
    assert asked == {*BLOCKING, *ALERTING, *DISCLOSED, *ROLLED}


@pytest.mark.parametrize("job", ["landing", "daily"])
def test_what_landing_left_is_asked_wherever_it_lands(
    repository: dg.RepositoryDefinition, job: str
) -> None:
    graph = repository.get_job(job).asset_layer.asset_graph
    assert {AWAITING_OBJECTS, STALE_PARTITIONS} <= {key.name for key in graph.asset_check_keys}


def test_the_schedule_skips_days_before_the_first(repository: dg.RepositoryDefinition) -> None:
    answer = _tick(repository, datetime(2026, 10, 5, 4, tzinfo=UTC))
    assert answer.skip_message == "2026-10-04 is before the deployment's first day, 2026-10-05"


def _tick(repository: dg.RepositoryDefinition, at: datetime) -> Any:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=at, repository_def=repository
        )
        return repository.get_schedule_def("daily").evaluate_tick(context)


def test_loading_warns_of_nothing(deployment_file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_defs(deployment_file).get_repository_def()


def test_without_a_deployment_file_the_answer_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATTRIBUTION_CONFIG", raising=False)
    with pytest.raises(Refusal) as refused:
        build_defs()
    assert refused.value.line() == (
        "attribution.yaml: there is no deployment file; give --config FILE, "
        "set $ATTRIBUTION_CONFIG, or write one with `attribution init DIR`"
    )


def test_resources_can_be_replaced(deployment_file: Path) -> None:
    from attribution_pipeline.orchestration.resources import DeploymentFile

    other = DeploymentFile(path="elsewhere.yaml")
    definitions = build_defs(deployment_file, resource_overrides={"deployment": other})
    assert definitions.resources["deployment"] is other


def test_the_plain_parts_of_orchestration_do_not_import_dagster() -> None:
    """A day is plain Python: Dagster is asked only by what is Dagster's."""
    names = ("house", "planes", "recording", "digests", "staleness", "arrivals")
    modules = ", ".join(f"attribution_pipeline.orchestration.{name}" for name in names)
    code = f"import {modules}, sys; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
