"""The launcher of each overlay's config map, and the Jobs that it would make."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.dagster_run import DagsterRun

from attribution_pipeline.orchestration.pods import LANDING_POD, SCORE_POD, TAG
from attribution_pipeline_tests.k8s.rendered import OVERLAYS, named, of_kind, rendered
from attribution_pipeline_tests.k8s.rules import pod_faults
from attribution_pipeline_tests.k8s.schemas import VERSIONS, schemas_read_once, validate

IMAGE = "registry.example.com/attribution-pipeline:0.1.0"
ENVIRONMENT = {
    "ATTRIBUTION_NAMESPACE": "attribution", "DAGSTER_PG_HOST": "postgres", "DAGSTER_PG_PORT": "5432",
    "DAGSTER_PG_USER": "dagster", "DAGSTER_PG_DB": "dagster", "PGSSLMODE": "require",
    "DAGSTER_PG_PASSWORD": "canary-of-the-launcher",
}  # fmt: skip
GIB = 2**30

PEAK_OVER_LIMIT = 1.2
"""Of the engine, measured: docs/scaling.md."""

BESIDE_THE_ENGINE = GIB // 2
"""Dagster, Arrow and the interpreter."""


@pytest.fixture(autouse=True)
def launcher_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the pods that make launchers; no cluster to load a token from."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("dagster_k8s.launcher.load_kubernetes_config", lambda **_: None)


@pytest.fixture(autouse=True, scope="module")
def _read_schemas_once() -> Iterator[None]:
    with schemas_read_once():
        yield


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_runs_pod_is_hardened_and_valid(overlay: str, tmp_path: Path) -> None:
    launcher = _launcher(_settings(overlay), tmp_path)
    for tags in ({}, LANDING_POD, SCORE_POD):
        job = _job(launcher, tags)
        spec = job["spec"]["template"]["spec"]
        assert list(pod_faults("run", spec, component="run")) == []
        assert job["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == "run"
        assert spec["containers"][0]["image"] == IMAGE
        assert ENVIRONMENT["DAGSTER_PG_PASSWORD"] not in json.dumps(job)
        for version in VERSIONS:
            validate(job, version)
    named_by = {**spec["containers"][0]}
    assert named_by["resources"]["requests"]["cpu"] == "1"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_run_finds_all_that_it_mounts(overlay: str, tmp_path: Path) -> None:
    objects = rendered(overlay)
    spec = _job(_launcher(_settings(overlay), tmp_path), {})["spec"]["template"]["spec"]
    maps = {one["metadata"]["name"] for one in of_kind(objects, "ConfigMap")}
    claims = {one["metadata"]["name"] for one in of_kind(objects, "PersistentVolumeClaim")}
    accounts = {one["metadata"]["name"] for one in of_kind(objects, "ServiceAccount")}
    for volume in spec["volumes"]:
        if "configMap" in volume:
            assert volume["configMap"]["name"] in maps
        if "persistentVolumeClaim" in volume:
            assert volume["persistentVolumeClaim"]["claimName"] in claims
    assert spec["serviceAccountName"] in accounts
    deployment = yaml.safe_load(
        named(objects, "ConfigMap", "attribution-deployment")["data"]["attribution.yaml"]
    )
    mounted = [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]]
    assert deployment["policies"] in mounted
    storage = deployment["storage"]
    assert "://" in storage or any(Path(storage).is_relative_to(path) for path in mounted)
    limit = int(deployment["compute"]["memory_limit"].removesuffix("GB")) * 10**9
    pod = spec["containers"][0]["resources"]
    assert pod["requests"]["memory"] == pod["limits"]["memory"] == "6Gi"
    assert limit * PEAK_OVER_LIMIT + BESIDE_THE_ENGINE < 6 * GIB


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_whatever_a_runs_pod_loses_is_found(overlay: str, tmp_path: Path) -> None:
    tried = 0
    for place, settings in enumerate(_softened(_settings(overlay))):
        folder = tmp_path / str(place)
        folder.mkdir()
        spec = _job(_launcher(settings, folder), {})["spec"]["template"]["spec"]
        assert list(pod_faults("run", spec, component="run")), place
        tried += 1
    assert tried > 15


@pytest.mark.parametrize(
    "wish",
    [
        {"pod_spec_config": {"service_account_name": "attribution-launcher"}},
        {"pod_spec_config": {"host_network": True}},
        {"container_config": {"security_context": {"privileged": True}}},
        {"container_config": {"env_from": [{"secret_ref": {"name": "attribution-postgres"}}]}},
        {"container_config": {"image": "elsewhere.example.com/other:1"}},
        {"job_spec_config": {"backoff_limit": 100}},
    ],
)
def test_a_runs_tags_may_ask_for_resources_alone(wish: Mapping[str, Any], tmp_path: Path) -> None:
    launcher = _launcher(_settings("production"), tmp_path)
    with pytest.raises(Exception, match="violated the allowed list"):
        _job(launcher, {TAG: wish})


def test_overlays_differ_from_the_base_in_the_volume_and_the_queue_alone() -> None:
    base = _settings("production")
    run = base["run_launcher"]["config"]["run_k8s_config"]
    run["container_config"]["volume_mounts"].append(
        {"name": "lake", "mount_path": "/var/lib/attribution"}
    )
    run["pod_spec_config"]["volumes"].append(
        {"name": "lake", "persistent_volume_claim": {"claim_name": "attribution-lake"}}
    )
    assert _settings("production-spark") == base
    base["concurrency"]["runs"]["max_concurrent_runs"] = 2
    assert _settings("local") == base


def test_a_pod_without_a_token_has_no_launcher_in_its_settings() -> None:
    for overlay in OVERLAYS:
        objects = rendered(overlay)
        for found in of_kind(objects, "Deployment", "Job"):
            spec = found["spec"]["template"]["spec"]
            names = [one["configMap"]["name"] for one in spec["volumes"] if "configMap" in one]
            for name in names:
                said = named(objects, "ConfigMap", name)["data"].get("dagster.yaml")
                if said is not None and not spec["automountServiceAccountToken"]:
                    assert "run_launcher" not in yaml.safe_load(said)


def _settings(overlay: str) -> dict[str, Any]:
    found = named(rendered(overlay), "ConfigMap", "dagster-instance")
    settings: dict[str, Any] = yaml.safe_load(found["data"]["dagster.yaml"])
    return settings


def _launcher(settings: Mapping[str, Any], folder: Path) -> Any:
    (folder / "dagster.yaml").write_text(yaml.safe_dump(dict(settings)))
    return InstanceRef.from_dir(str(folder)).run_launcher


def _job(launcher: Any, tags: Mapping[str, Any]) -> dict[str, Any]:
    """The Job of a run with these tags, as JSON: what ``launch_run`` posts."""
    import kubernetes
    from dagster_k8s.job import construct_dagster_k8s_job

    told = {name: json.dumps(value) for name, value in tags.items()}
    run = DagsterRun(job_name="day", run_id="0123456789abcdef", tags=told)
    context = launcher.get_container_context_for_run(run)
    job = construct_dagster_k8s_job(
        job_config=context.get_k8s_job_config(job_image=IMAGE, run_launcher=launcher),
        args=["dagster", "api", "execute_run"],
        job_name="dagster-run-0123456789abcdef",
        component="run_worker",
        user_defined_k8s_config=context.run_k8s_config,
    )
    body: dict[str, Any] = kubernetes.client.ApiClient().sanitize_for_serialization(job)
    return body


def _softened(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The settings, each time with one part of the run's hardening gone."""
    pod = settings["run_launcher"]["config"]["run_k8s_config"]["pod_spec_config"]
    places: list[tuple[tuple[str, ...], str]] = [
        (("pod_spec_config",), "automount_service_account_token"),
        (("pod_spec_config",), "enable_service_links"),
        *((("pod_spec_config", "security_context"), name) for name in pod["security_context"]),
        *(
            (("container_config", "security_context"), name)
            for name in ("allow_privilege_escalation", "read_only_root_filesystem", "run_as_non_root", "capabilities")
        ),
        *(
            (("container_config", "resources", side), name)
            for side in ("requests", "limits")
            for name in ("cpu", "memory", "ephemeral-storage")
        ),
    ]  # fmt: skip
    for path, name in places:
        changed = copy.deepcopy(settings)
        inside = changed["run_launcher"]["config"]["run_k8s_config"]
        for step in path:
            inside = inside[step]
        inside.pop(name)
        yield changed
