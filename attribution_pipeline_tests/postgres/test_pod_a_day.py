"""A backfill on the production instance: one Job a day, and what such a Job's container does. Secrets of
its environment are in nothing that is left: logs, Postgres, GraphQL's answers, the lake."""

from __future__ import annotations

import base64
import json
import logging
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon

from attribution_pipeline.config import load_deployment
from attribution_pipeline.definitions import build_defs
from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.jobs import LATE_DAYS
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.k8s.api_server import ApiServer, api_server, run_here
from attribution_pipeline_tests.k8s.rules import pod_faults
from attribution_pipeline_tests.orchestration.ticks import QUIET
from attribution_pipeline_tests.postgres.instances import instance_of
from attribution_pipeline_tests.postgres.server import Postgres

DAYS = ["2026-10-05", "2026-10-06"]
LOGGER = logging.getLogger(__name__)

SIGNING = b"zzcanary-of-the-signing-key-0123"
SECRETS = {
    "ATTRIBUTION_KEYS": json.dumps(
        {"keys": [{"key_id": "k1", "algorithm": "hmac-sha256",
                   "secret": base64.b64encode(SIGNING).decode()}]}
    ),
    "ALERTS_URL": "json://zzcanary-of-alerts:zzcanary-of-alerts@127.0.0.1:9/",
    "AWS_ACCESS_KEY_ID": "ZZCANARYOFSTORAGE0000",
    "AWS_SECRET_ACCESS_KEY": "zzcanary-of-storage",
    "AWS_SESSION_TOKEN": "zzcanary-of-a-session",
}  # fmt: skip
CANARIES = ("zzcanary", "ZZCANARY", base64.b64encode(SIGNING).decode()[:24], SIGNING.hex()[:24])

RUNS = """{
  runsOrError { ... on Runs { results {
    runConfigYaml tags { key value } rootConcurrencyKeys
    eventConnection(limit: 1000) { events { __typename
      ... on MessageEvent { message }
      ... on ExecutionStepFailureEvent { error { message stack cause { message stack } } failureMetadata { metadataEntries { label description } } }
      ... on MaterializationEvent { metadataEntries { label description
        ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr } ... on JsonMetadataEntry { jsonString }
        ... on TableMetadataEntry { table { records } } } }
    } }
  } } }
}"""
INSTANCE = (
    """{ instance { id info hasInfo runLauncher { name } concurrencyLimits { concurrencyKey } } }"""
)
WORKSPACE = """{
  workspaceOrError { ... on Workspace { locationEntries { name displayMetadata { key value }
    locationOrLoadError { __typename ... on PythonError { message stack } ... on RepositoryLocation {
      dagsterLibraryVersions { name version }
      repositories { name allTopLevelResourceDetails { name configuredValues { key value type } } } } } } } }
}"""


@dataclass
class Backfilled:
    """What a backfill left."""

    file: Path
    cluster: ApiServer
    instance: dg.DagsterInstance
    logs: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    dump: str = ""
    status: Any = None


# Dagster's own, from within the planning of a backfill
pytestmark = pytest.mark.filterwarnings(
    "ignore:Function `AssetSelection.sources`:DeprecationWarning"
)


@pytest.fixture(scope="module")
def backfilled(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backfilled]:
    """Two days, backfilled; and a third run, which fails because its key file cannot be read."""
    folder = tmp_path_factory.mktemp("pod-a-day")
    file = shutil.copytree(WORKED_DAY, folder / "worked_day") / "attribution.yaml"
    with file.open("a") as deployment:
        deployment.write("keys_env: ATTRIBUTION_KEYS\n")
        deployment.write("alerts: [{name: on-call, url_env: ALERTS_URL}]\n")
    with pytest.MonkeyPatch.context() as patch, server.database() as database:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        patch.setenv("ATTRIBUTION_CONFIG", str(file))
        patch.setenv("ATTRIBUTION_LOG_FORMAT", "json")
        patch.setenv("DAGSTER_CURRENT_IMAGE", "registry.example.com/attribution-pipeline:0.1.0")
        with api_server(patch) as cluster:
            opened = instance_of(server, database, folder / "dagster", patch)
            left = Backfilled(file, cluster, next(opened))
            _backfill(left, server)
            _failing_run(left, patch)
            left.dump = subprocess.run(
                [str(server.bin / "pg_dump"), "-h", "127.0.0.1", "-p", str(server.port), "-U",
                 "dagster", "--inserts", database],
                env={"PGPASSWORD": server.password}, check=True, capture_output=True, text=True,
            ).stdout  # fmt: skip
            yield left
            next(opened, None)


def _backfill(left: Backfilled, server: Postgres) -> None:
    target = ModuleTarget("attribution_pipeline.definitions", None, None, "attribution_pipeline")
    with create_test_daemon_workspace_context(target, left.instance) as workspace:
        graph = workspace.create_request_context().asset_graph
        days = graph.get(dg.AssetKey(LEDGER)).partitions_def
        chosen = [
            key for key in graph.get_all_asset_keys() if graph.get(key).partitions_def == days
        ]
        left.instance.add_backfill(
            PartitionBackfill.from_asset_partitions(
                backfill_id="pod-a-day",
                asset_graph=graph,
                partition_names=DAYS,
                asset_selection=[
                    key for key in chosen if key.to_user_string() not in ("replay", "focus_export")
                ],
                backfill_timestamp=time.time(),
                tags={},
                dynamic_partitions_store=left.instance,
                all_partitions=False,
                title=None,
                description=None,
                run_config=None,
            )
        )
        assert _errors(execute_backfill_iteration(workspace, LOGGER)) == []
        assert _errors(QueuedRunCoordinatorDaemon(60).run_iteration(workspace)) == []
        secrets = {"DAGSTER_PG_PASSWORD": server.password}
        mounted = {"ATTRIBUTION_CONFIG": str(left.file), **SECRETS}
        with ThreadPoolExecutor() as nodes:
            for done in nodes.map(
                lambda one: run_here(one[1], secrets=secrets, mounted=mounted), left.cluster.jobs
            ):
                assert done.returncode == 0, done.stderr[-2000:]
                left.logs += [done.stdout, done.stderr]
        for _ in range(3):  # it is told of its end one look after it has seen the last day
            assert _errors(execute_backfill_iteration(workspace, LOGGER)) == []
        found = left.instance.get_backfill("pod-a-day")
        left.status = found.status if found else None
        left.answers = [_asked(workspace, query) for query in (RUNS, INSTANCE, WORKSPACE)]


def _failing_run(left: Backfilled, patch: pytest.MonkeyPatch) -> None:
    with patch.context() as inside:
        inside.setenv("ATTRIBUTION_KEYS", "keys: [{key_id: k1, secret: zzcanary-of-a-broken-file")
        inside.delenv("ATTRIBUTION_LOG_FORMAT")
        result = build_defs(left.file).resolve_job_def(LATE_DAYS).execute_in_process(
            instance=left.instance, partition_key=DAYS[0], run_config=QUIET, raise_on_error=False
        )  # fmt: skip
    assert not result.success


def test_a_backfill_is_one_job_a_day_and_each_records_its_day(backfilled: Backfilled) -> None:
    assert [namespace for namespace, _ in backfilled.cluster.jobs] == ["attribution"] * len(DAYS)
    for _, job in backfilled.cluster.jobs:
        assert list(pod_faults("Job", job["spec"]["template"]["spec"], component="run")) == []
    runs = backfilled.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": "pod-a-day"}))
    statuses = {run.tags["dagster/partition"]: run.status for run in runs}
    assert statuses == dict.fromkeys(DAYS, dg.DagsterRunStatus.SUCCESS)
    assert backfilled.status == BulkActionStatus.COMPLETED_SUCCESS
    house = House(load_deployment(backfilled.file))
    assert house.lake.days() == [date.fromisoformat(day) for day in DAYS]


def test_a_run_logs_one_json_object_a_line(backfilled: Backfilled) -> None:
    lines = [line for text in backfilled.logs for line in text.splitlines() if line.startswith("{")]
    assert len(lines) > 50
    said = [json.loads(line) for line in lines]
    assert any("attribution_ledger" in str(one) for one in said)
    steps = [line for text in backfilled.logs for line in text.splitlines() if "STEP_START" in line]
    assert all(line.startswith("{") for line in steps)


def test_no_secret_is_left_in_logs_storage_answers_or_the_lake(
    backfilled: Backfilled, server: Postgres
) -> None:
    places = {
        "logs": "\n".join(backfilled.logs),
        "postgres": backfilled.dump,
        "graphql": "\n".join(backfilled.answers),
        "jobs": json.dumps(backfilled.cluster.jobs),
        "lake": "\n".join(
            path.read_bytes().decode("latin-1")
            for path in sorted((backfilled.file.parent / "lake").rglob("*"))
            if path.is_file()
        ),
    }
    assert len(places["logs"]) > 10_000
    assert "reconciled_day" in places["postgres"]
    assert "conserv" in places["graphql"]
    for canary in (*CANARIES, server.password):
        for place, text in places.items():
            at = text.find(canary)
            assert at < 0, f"{place}: {text[max(0, at - 200) : at + 80]}"


@pytest.mark.parametrize("place", ["logs", "answers", "dump", "lake"])
def test_a_secret_that_is_left_anywhere_is_found(
    backfilled: Backfilled, server: Postgres, place: str, tmp_path: Path
) -> None:
    leak = f"url={SECRETS['ALERTS_URL']}"
    lake = tmp_path / "worked_day" / "lake"
    lake.mkdir(parents=True)
    (lake / "note").write_bytes(leak.encode() if place == "lake" else b"")
    leaking = replace(
        backfilled,
        file=lake.parent / "attribution.yaml",
        logs=[*backfilled.logs, leak if place == "logs" else ""],
        answers=[*backfilled.answers, leak if place == "answers" else ""],
        dump=backfilled.dump + (leak if place == "dump" else ""),
    )
    with pytest.raises(AssertionError, match="zzcanary-of-alerts"):
        test_no_secret_is_left_in_logs_storage_answers_or_the_lake(leaking, server)


def test_a_failed_run_says_what_is_wrong_with_a_key_file_and_nothing_of_it(
    backfilled: Backfilled,
) -> None:
    assert "ATTRIBUTION_KEYS" in backfilled.dump
    failed = backfilled.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert len(failed) == 1


def _asked(workspace: Any, query: str) -> str:
    """As the webserver answers it."""
    from dagster_graphql.schema import create_schema

    found = create_schema().execute(query, context_value=workspace.create_request_context())
    assert not found.errors, found.errors
    return json.dumps(found.data)


def _errors(found: Any) -> list[Any]:
    return [error for error in found if error is not None and hasattr(error, "message")]
