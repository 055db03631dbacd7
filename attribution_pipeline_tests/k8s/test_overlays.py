"""What the overlays say is what the product reads, and what they refer to is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from attribution_pipeline.config import load_deployment
from attribution_pipeline.model.policy import load_policies
from attribution_pipeline_tests.k8s.rendered import (
    K8S,
    OVERLAYS,
    loaded,
    named,
    of_kind,
    rendered,
    rendered_text,
)
from attribution_pipeline_tests.k8s.rules import PROBES, WORKLOADS, template_of
from attribution_pipeline_tests.programs import understood

GIVEN_BY_HAND = {
    "attribution-postgres", "attribution-object-storage", "attribution-sources",
    "attribution-alerts", "attribution-gate", "attribution-keys", "attribution-tls",
}  # fmt: skip
"""Secrets that the guide has people create; no manifest holds one."""


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_deployment_file_and_the_policies_are_read(overlay: str, tmp_path: Path) -> None:
    objects = rendered(overlay)
    for name in ("attribution-deployment", "attribution-policies"):
        fixed, seen = (
            named(objects, "ConfigMap", name),
            named(objects, "ConfigMap", f"{name}-seen"),
        )
        assert fixed["data"] == seen["data"]
        _mounted(tmp_path / name, fixed["data"])
    deployment = load_deployment(tmp_path / "attribution-deployment" / "attribution.yaml")
    assert deployment.policies == "/etc/attribution/policies"
    book = load_policies(tmp_path / "attribution-policies")
    assert book.in_force(deployment.first_day)


def test_who_lists_labels_pulls_them_into_a_source_of_the_deployment(tmp_path: Path) -> None:
    objects = rendered("production")
    _mounted(tmp_path / "labels", named(objects, "ConfigMap", "attribution-labels")["data"])
    _mounted(tmp_path / "all", named(objects, "ConfigMap", "attribution-deployment")["data"])
    labels = load_deployment(tmp_path / "labels" / "attribution.yaml")
    deployment = load_deployment(tmp_path / "all" / "attribution.yaml")
    assert (labels.storage, labels.s3) == (deployment.storage, deployment.s3)
    assert labels.sources.kubernetes == deployment.sources.kubernetes
    assert [entry.api for entry in labels.pull] == ["kubernetes"]
    assert "kubernetes" not in {entry.api for entry in deployment.pull}  # run pods have no token


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_reference_is_answered(overlay: str) -> None:
    objects = rendered(overlay)
    there = {
        kind: {one["metadata"]["name"] for one in of_kind(objects, kind)}
        for kind in ("ConfigMap", "ServiceAccount", "Service", "PersistentVolumeClaim")
    }
    for found in of_kind(objects, *WORKLOADS):
        spec = template_of(found)["spec"]
        assert spec["serviceAccountName"] in there["ServiceAccount"]
        for volume in spec["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in there["ConfigMap"]
            if "persistentVolumeClaim" in volume:
                assert (
                    volume["persistentVolumeClaim"]["claimName"] in there["PersistentVolumeClaim"]
                )
        mounts = {volume["name"] for volume in spec["volumes"]}
        mounts |= {one["metadata"]["name"] for one in found["spec"].get("volumeClaimTemplates", ())}
        for container in spec["containers"]:
            assert {mount["name"] for mount in container.get("volumeMounts", ())} <= mounts
            for variable in container.get("env", ()):
                source = variable.get("valueFrom", {})
                if "configMapKeyRef" in source:
                    ref = source["configMapKeyRef"]
                    assert ref["key"] in named(objects, "ConfigMap", ref["name"])["data"]
                if "secretKeyRef" in source:
                    assert source["secretKeyRef"]["name"] in GIVEN_BY_HAND
            for source in container.get("envFrom", ()):
                assert source["secretRef"]["name"] in GIVEN_BY_HAND
    for ingress in of_kind(objects, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                assert path["backend"]["service"]["name"] in there["Service"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_may_reach_what_it_needs_and_services_have_pods(overlay: str) -> None:
    objects = rendered(overlay)
    pods = {
        template_of(one)["metadata"]["labels"]["app.kubernetes.io/component"]: one
        for one in of_kind(objects, *WORKLOADS)
    }
    for service in of_kind(objects, "Service"):
        (component,) = service["spec"]["selector"].values()
        ports = {
            port["name"]
            for container in template_of(pods[component])["spec"]["containers"]
            for port in container.get("ports", ())
        }
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    known = {*pods, "run", "spark-executor"}
    for policy in of_kind(objects, "NetworkPolicy"):
        assert _components(policy["spec"]["podSelector"]) <= known, policy["metadata"]["name"]
    with_database = {name for name, pod in pods.items() if "DAGSTER_PG_HOST" in yaml.safe_dump(pod)}
    reach = named(objects, "NetworkPolicy", "to-database")["spec"]
    assert _components(reach["podSelector"]) == with_database | {"run"}
    port = named(objects, "ConfigMap", "attribution-database")["data"]["port"]
    assert str(reach["egress"][0]["ports"][0]["port"]) == port


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_keys_env_names_is_given_to_runs_and_to_the_sensor(overlay: str) -> None:
    """The sensor of new objects opens sources as a run does, keys included."""
    objects = rendered(overlay)
    (code,) = named(objects, "Deployment", "code-location")["spec"]["template"]["spec"][
        "containers"
    ]
    (map_name,) = {
        volume["configMap"]["name"]
        for volume in template_of(named(objects, "Deployment", "daemon"))["spec"]["volumes"]
        if volume["name"] == "instance"
    }
    instance = yaml.safe_load(named(objects, "ConfigMap", map_name)["data"]["dagster.yaml"])
    run = instance["run_launcher"]["config"]["run_k8s_config"]["container_config"]
    for given in (
        [one["secretRef"] for one in code["envFrom"]],
        [one["secret_ref"] for one in run["env_from"]],
    ):
        assert {"name": "attribution-keys", "optional": True} in given


def test_spark_pods_run_as_the_user_whose_folders_they_read() -> None:
    objects = rendered("production-spark")
    connect = template_of(named(objects, "Deployment", "spark-connect"))["spec"]
    code = template_of(named(objects, "Deployment", "code-location"))["spec"]
    executor = yaml.safe_load((K8S / "components" / "spark" / "executor.yaml").read_text())["spec"]
    for user in ("runAsUser", "runAsGroup", "fsGroup"):
        assert connect["securityContext"][user] == code["securityContext"][user]
        assert executor["securityContext"][user] == code["securityContext"][user]


def test_people_come_in_through_a_gate_alone() -> None:
    for overlay in ("production", "production-spark"):
        objects = rendered(overlay)
        for name in ("webserver", "webserver-read-only", "dashboard"):
            containers = named(objects, "Deployment", name)["spec"]["template"]["spec"][
                "containers"
            ]
            assert {one["name"] for one in containers} == {name, "gate"}
            service = named(objects, "Service", name)
            assert [port["targetPort"] for port in service["spec"]["ports"]] == ["gate"]
    people = {"webserver", "webserver-read-only", "dashboard"}
    assert {
        one["metadata"]["name"] for one in of_kind(rendered("local"), "Service")
    } & people == set()


def test_a_run_gets_the_image_that_the_overlay_names(tmp_path: Path) -> None:
    """As the guide says it: a digest in place of the tag, and everything follows."""
    digest = "sha256:" + "0123456789abcdef" * 4
    copy = shutil.copytree(K8S, tmp_path / "k8s")
    place = copy / "overlays" / "production" / "kustomization.yaml"
    text, count = re.subn(r"newTag: 0\.1\.0", f"digest: {digest}", place.read_text())
    assert count == 1
    place.write_text(text)
    objects: list[Any] = list(loaded(rendered_text(place.parent)))
    wanted = f"registry.example.com/attribution-pipeline@{digest}"
    images = {
        container["image"]
        for one in of_kind(objects, *WORKLOADS)
        for container in template_of(one)["spec"]["containers"]
        if container["name"] != "gate"
    }
    assert images == {wanted}
    (code,) = named(objects, "Deployment", "code-location")["spec"]["template"]["spec"][
        "containers"
    ]
    assert {one["name"]: one.get("value") for one in code["env"]}["DAGSTER_CURRENT_IMAGE"] == wanted


def test_a_change_of_settings_gives_config_maps_other_names(tmp_path: Path) -> None:
    copy = shutil.copytree(K8S, tmp_path / "k8s")
    before = {one["metadata"]["name"] for one in of_kind(rendered("production"), "ConfigMap")}
    place = copy / "overlays" / "production" / "deployment" / "attribution.yaml"
    place.write_text(place.read_text().replace("threads: 4", "threads: 3"))
    objects = list(loaded(rendered_text(place.parents[1])))
    changed = {one["metadata"]["name"] for one in of_kind(objects, "ConfigMap")} ^ before
    assert {name.rpartition("-")[0] for name in changed} == {"attribution-deployment-seen"}


def test_commands_and_probes_of_the_manifests_are_understood() -> None:
    """Every program that a container starts is one of this installation, and takes these options."""
    seen = set()
    for overlay in OVERLAYS:
        for found in of_kind(rendered(overlay), *WORKLOADS):
            for container in template_of(found)["spec"]["containers"]:
                lines = [container.get("command", [])]
                lines += [
                    container.get(probe, {}).get("exec", {}).get("command") for probe in PROBES
                ]
                for line in lines:
                    if line and line[0].partition("-")[0] in ("attribution", "dagster"):
                        seen.add((line[0], understood(line)))
    assert {name for program, name in seen if program == "attribution"} == {
        "dashboard", "metrics", "pull"
    }  # fmt: skip
    assert {program for program, _ in seen} == {
        "attribution", "dagster", "dagster-daemon", "dagster-webserver"
    }  # fmt: skip


def test_the_read_only_home_of_a_config_map_volume_is_enough(tmp_path: Path) -> None:
    """Kubernetes mounts config maps as links into a hidden folder."""
    _mounted(
        tmp_path / "policies",
        {"policy-1.yaml": (K8S / "overlays/local/policies/policy-1.yaml").read_text()},
    )
    assert load_policies(tmp_path / "policies")


def test_kubectl_is_of_the_newest_version_that_is_validated() -> None:
    from attribution_pipeline_tests.k8s.rendered import KUBECTL
    from attribution_pipeline_tests.k8s.schemas import VERSIONS

    said = subprocess.run([str(KUBECTL), "version", "--client"], capture_output=True, text=True)
    assert f"v{VERSIONS[-1]}." in said.stdout


def _mounted(folder: Path, data: dict[str, str]) -> None:
    hidden = folder / "..2026_10_05_00_00_00.1"
    hidden.mkdir(parents=True)
    (folder / "..data").symlink_to(hidden.name)
    for name, text in data.items():
        (hidden / name).write_text(text)
        (folder / name).symlink_to(f"..data/{name}")


def _components(selector: dict[str, Any]) -> set[str]:
    found = {
        value
        for key, value in selector.get("matchLabels", {}).items()
        if key == "app.kubernetes.io/component"
    }
    for expression in selector.get("matchExpressions", ()):
        found |= set(expression["values"])
    return found
