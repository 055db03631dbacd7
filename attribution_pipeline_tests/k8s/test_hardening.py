"""A workload that loses any of its hardening is found, and none has lost any."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from attribution_pipeline_tests.k8s.rendered import OVERLAYS, named, of_kind, rendered
from attribution_pipeline_tests.k8s.rules import (
    LONG_LIVED,
    PROBES,
    RESOURCES,
    WORKLOADS,
    faults,
    template_of,
)

Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_workload_is_hardened(overlay: str) -> None:
    assert faults(rendered(overlay)) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_whatever_a_workload_loses_is_found(overlay: str) -> None:
    objects = rendered(overlay)
    tried = 0
    for workload in of_kind(objects, *WORKLOADS):
        for what, change in _losses(workload):
            changed = copy.deepcopy(workload)
            change(changed)
            others = [one for one in objects if one is not workload]
            assert faults([*others, changed]), f"{workload['metadata']['name']}: {what}"
            tried += 1
    assert tried > 100


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_whatever_the_namespace_loses_is_found(overlay: str) -> None:
    for what, kind, name, change in (
        ("default deny", "NetworkPolicy", "default-deny", _emptied),
        ("ports", "NetworkPolicy", "to-database", lambda one: one["spec"]["egress"][0].pop("ports")),
        ("senders", "NetworkPolicy", "to-code-location", lambda one: one["spec"]["ingress"][0].pop("from")),
        ("metadata", "NetworkPolicy", "launcher-to-api-server", lambda one: one["spec"]["egress"][0]["to"][0]["ipBlock"].pop("except")),
        ("pod security", "Namespace", "attribution", lambda one: one["metadata"]["labels"].pop("pod-security.kubernetes.io/enforce")),
        ("token", "ServiceAccount", "attribution-run", lambda one: one.pop("automountServiceAccountToken")),
        ("verbs", "Role", "attribution-launcher", lambda one: one["rules"][0]["verbs"].append("*")),
        ("secrets", "Role", "attribution-launcher", lambda one: one["rules"][2]["resources"].append("secrets")),
        ("address", "Service", "code-location", lambda one: one["spec"].update(type="LoadBalancer")),
    ):  # fmt: skip
        objects = rendered(overlay)
        change(named(objects, kind, name))
        assert faults(objects), what


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_who_starts_pods_has_a_role(overlay: str) -> None:
    bindings = list(of_kind(rendered(overlay), "RoleBinding"))
    subjects = {one["name"] for binding in bindings for one in binding["subjects"]}
    spark = {"spark-connect"} if overlay == "production-spark" else set()
    assert subjects == {"attribution-launcher"} | spark


def _emptied(policy: dict[str, Any]) -> None:
    policy["spec"]["ingress"] = [{}]


def _losses(workload: dict[str, Any]) -> Iterator[tuple[str, Change]]:
    """Every way in which a workload can be softened, one at a time."""
    spec = _pod(workload)
    for name in ("runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "seccompProfile"):
        yield name, lambda one, name=name: _pod(one)["securityContext"].pop(name)
    yield "root", lambda one: _pod(one)["securityContext"].update(runAsUser=0)
    yield "token", lambda one: _pod(one).pop("automountServiceAccountToken")
    yield "account", lambda one: _pod(one).pop("serviceAccountName")
    yield "links", lambda one: _pod(one).pop("enableServiceLinks")
    yield "host network", lambda one: _pod(one).update(hostNetwork=True)
    yield (
        "label",
        lambda one: template_of(one)["metadata"]["labels"].pop("app.kubernetes.io/component"),
    )
    yield (
        "node's disk",
        lambda one: _pod(one)["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    )
    for place, volume in enumerate(spec["volumes"]):
        if "emptyDir" in volume:
            yield (
                "scratch",
                lambda one, place=place: _pod(one)["volumes"][place].update(emptyDir={}),
            )
    for place, container in enumerate(spec["containers"]):
        yield from _container_losses(place, container, workload["kind"])


def _container_losses(
    place: int, container: dict[str, Any], kind: str
) -> Iterator[tuple[str, Change]]:
    def inside(one: dict[str, Any]) -> Any:
        return _pod(one)["containers"][place]

    for name in (
        "allowPrivilegeEscalation",
        "readOnlyRootFilesystem",
        "runAsNonRoot",
        "capabilities",
    ):
        yield name, lambda one, name=name: inside(one)["securityContext"].pop(name)
    yield (
        "capability",
        lambda one: inside(one)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
    )
    yield "privileged", lambda one: inside(one)["securityContext"].update(privileged=True)
    yield "security context", lambda one: inside(one).pop("securityContext")
    image = container["image"].partition(":")[0]
    yield "tag", lambda one: inside(one).update(image=image)
    yield "latest", lambda one: inside(one).update(image=f"{image}:latest")
    for side in ("requests", "limits"):
        for resource in RESOURCES:
            yield (
                f"{side} {resource}",
                lambda one, side=side, resource=resource: inside(one)["resources"][side].pop(
                    resource
                ),
            )
    yield (
        "a password",
        lambda one: inside(one).setdefault("env", []).append({"name": "DB_PASSWORD", "value": "x"}),
    )
    if kind in LONG_LIVED:
        for probe in PROBES:
            yield probe, lambda one, probe=probe: inside(one).pop(probe)


def _pod(workload: dict[str, Any]) -> Any:
    return template_of(workload)["spec"]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("ClusterRole", lambda one: one["rules"][0]["verbs"].append("watch")),
        ("ClusterRole", lambda one: one["rules"][0]["resources"].append("secrets")),
        ("ClusterRole", lambda one: one["metadata"].update(name="another")),
        ("ClusterRoleBinding", lambda one: one["subjects"][0].update(name="attribution-run")),
    ],
)
def test_a_cluster_role_that_does_more_than_list_is_found(kind: str, change: Change) -> None:
    objects = rendered("production")
    change(named(objects, kind, "attribution-labels"))
    assert faults(objects)
