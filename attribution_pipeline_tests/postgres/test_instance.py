"""The instance of ``k8s/``'s config map on a real Postgres: made, migrated, and remembering."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget

from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.jobs import DAILY
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.orchestration.ticks import QUIET, Driven
from attribution_pipeline_tests.postgres.instances import WITHOUT_LAUNCHER, home_of, migrate
from attribution_pipeline_tests.postgres.server import Postgres

VERSION = "select version_num from alembic_version"


def test_the_migrate_job_makes_every_table_and_does_nothing_the_second_time(
    server: Postgres, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_of(tmp_path / "home", WITHOUT_LAUNCHER)
    environment = server.environment(database)
    migrate(home, environment)
    tables = server.ask(
        database, "select count(*) from information_schema.tables where table_schema = 'public'"
    )
    first = server.ask(database, VERSION)
    assert int(tables) > 20
    assert first
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home))) as instance:
        instance.upgrade()  # what the command does, without another process
    assert server.ask(database, VERSION) == first


def test_a_nights_run_is_remembered_with_its_checks(
    instance: dg.DagsterInstance, server: Postgres, database: str, deployment_file: Path
) -> None:
    driven = Driven(deployment_file, instance)
    job = driven.repository.get_job(DAILY)
    result = job.execute_in_process(
        instance=instance, partition_key=DAY.isoformat(), run_config=QUIET, raise_on_error=False
    )
    assert result.success
    assert driven.answer("conservation_per_charge") == (True, "2026-10-05")
    (record,) = instance.fetch_materializations(dg.AssetKey(LEDGER), limit=10).records
    assert record.partition_key == "2026-10-05"
    assert server.ask(database, "select count(*) from runs") == "1"
    assert int(server.ask(database, "select count(*) from asset_check_executions")) > 10


def test_the_sensors_take_a_late_span_in(
    instance: dg.DagsterInstance, looked_at_once: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(looked_at_once, tmp_path / "worked_day")
    driven = Driven(folder / "attribution.yaml", instance)
    assert driven.tick("late_evidence").skipped == "no recorded day is stale"
    driven.late_span()
    assert driven.settle("new_objects") == 1
    request = driven.tick("late_evidence").only
    assert driven.launch("late_evidence", request)
    assert driven.tick("late_evidence").skipped == "no recorded day is stale"
    assert [state.state for state in driven.house.lake.states()] == [1, 2]
    assert driven.house.lake.days() == [date(2026, 10, 5)]


def test_whoever_may_only_look_changes_nothing_and_finds_no_launcher(
    server: Postgres, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `dagster-webserver --read-only` asks, with the settings of its config map."""
    from dagster_graphql.schema import create_schema

    for name, value in server.environment(database).items():
        monkeypatch.setenv(name, value)
    home = home_of(tmp_path / "home", WITHOUT_LAUNCHER)
    mutation = 'mutation { deletePipelineRun(runId: "none") { __typename } }'
    with (
        dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home))) as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget(), read_only=True) as looking,
    ):
        asked = looking.create_request_context()
        found = create_schema().execute(mutation, context_value=asked)
        assert found.data == {"deletePipelineRun": {"__typename": "UnauthorizedError"}}
        seen = create_schema().execute("{ instance { info } }", context_value=asked)
        assert seen.errors is None
        assert "K8sRunLauncher" not in str(seen.data)
        assert server.password not in str(seen.data)
