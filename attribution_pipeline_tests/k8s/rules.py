"""What every workload must be, as rules over rendered objects; each gives sentences about faults.

Belongs here: the hardening that ``docs/how-to/kubernetes.md`` promises. Does not: what Kubernetes
itself refuses (its schemas: ``test_schema``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Object = Mapping[str, Any]

WITH_TOKEN = ("webserver", "daemon", "spark-connect", "labels")
"""Who starts pods, and who lists labels: nobody else speaks to Kubernetes' API."""

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")

MAY_LIST = {"attribution-labels"}
"""Cluster roles that there may be: they list, and nothing else."""

BEHIND_A_GATE = ("webserver", "webserver-read-only", "dashboard")
"""Programs without authentication of their own."""

SERVES = ("code-location", "metrics")
"""Programs that listen for others in the cluster; a network policy says for whom."""

LONG_LIVED = ("Deployment", "StatefulSet")
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
RESOURCES = ("cpu", "memory", "ephemeral-storage")

_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEY|CREDENTIAL|CLIENT_ID")


def pod_faults(where: str, spec: Object, *, component: str) -> Iterator[str]:
    """A pod's own settings, then those of its containers."""
    said = spec.get("securityContext") or {}
    if said.get("runAsNonRoot") is not True:
        yield f"{where}: may run as root"
    for user in ("runAsUser", "runAsGroup", "fsGroup"):
        if not said.get(user):
            yield f"{where}: has no {user} of its own, or root's"
    if (said.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
        yield f"{where}: has no seccomp profile"
    if spec.get("automountServiceAccountToken") is not (component in WITH_TOKEN):
        yield f"{where}: mounts a token that it does not need, or lacks its own"
    if spec.get("serviceAccountName") in (None, "default"):
        yield f"{where}: has no account of its own"
    if spec.get("enableServiceLinks") is not False:
        yield f"{where}: is told of every service by environment"
    for forbidden in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(forbidden):
            yield f"{where}: {forbidden}"
    for volume in spec.get("volumes", ()):
        if "hostPath" in volume:
            yield f"{where}: mounts the node's {volume['hostPath']}"
        if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
            yield f"{where}: scratch {volume['name']} may fill the node"
    for container in [*spec.get("initContainers", ()), *spec["containers"]]:
        yield from container_faults(f"{where}/{container['name']}", container)


def container_faults(where: str, container: Object) -> Iterator[str]:
    """One container: privileges, image, resources, secrets."""
    said = container.get("securityContext") or {}
    if said.get("allowPrivilegeEscalation") is not False:
        yield f"{where}: may gain privileges"
    if said.get("readOnlyRootFilesystem") is not True:
        yield f"{where}: may write to its image"
    if said.get("runAsNonRoot") is not True:
        yield f"{where}: may run as root"
    capabilities = said.get("capabilities") or {}
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield f"{where}: keeps capabilities"
    if said.get("privileged"):
        yield f"{where}: is privileged"
    yield from image_faults(where, container.get("image", ""))
    resources = container.get("resources") or {}
    for side in ("requests", "limits"):
        for kind in RESOURCES:
            if kind not in (resources.get(side) or {}):
                yield f"{where}: {side} no {kind}"
    for variable in container.get("env", ()):
        name, value = variable["name"], variable.get("value")
        if _SECRET.search(name) and value is not None and not name.endswith("_FILE"):
            yield f"{where}: {name} has its value in the manifest"


def image_faults(where: str, image: str) -> Iterator[str]:
    """A tag or a digest, and no tag that moves by its nature."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if digest:
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            yield f"{where}: {image} has no digest behind its @"
    elif tag in ("", "latest", "stable", "main", "edge"):
        yield f"{where}: {image} is another image tomorrow"


def template_of(found: Object) -> Any:
    """The pod template of a workload."""
    inside = found["spec"]["jobTemplate"] if found["kind"] == "CronJob" else found
    return inside["spec"]["template"]


def workload_faults(found: Object) -> Iterator[str]:
    """One of ``WORKLOADS``."""
    name, kind = found["metadata"]["name"], found["kind"]
    template = template_of(found)
    component = template["metadata"].get("labels", {}).get("app.kubernetes.io/component", "")
    where = f"{kind} {name}"
    if component != found["metadata"].get("labels", {}).get("app.kubernetes.io/component"):
        yield f"{where}: its pods are of another component, so no network policy names them"
    yield from pod_faults(where, template["spec"], component=component)
    for container in template["spec"]["containers"]:
        if kind in LONG_LIVED:
            for probe in PROBES:
                if not container.get(probe):
                    yield f"{where}/{container['name']}: has no {probe}"
        if container["name"] in BEHIND_A_GATE:
            command = [*container.get("command", ()), *container.get("args", ())]
            listens = command[command.index("--host") + 1] if "--host" in command else "127.0.0.1"
            if listens != "127.0.0.1" or container.get("ports"):
                yield f"{where}: listens beyond its pod, and asks nobody who they are"
    if name == "daemon" and (
        found["spec"].get("replicas") != 1
        or found["spec"].get("strategy", {}).get("type") != "Recreate"
    ):
        yield f"{where}: two daemons fire everything twice"


def namespace_faults(objects: Iterable[Object]) -> Iterator[str]:
    """What holds for all of them together."""
    objects = list(objects)
    policies = [found for found in objects if found["kind"] == "NetworkPolicy"]
    deny = [
        found
        for found in policies
        if found["spec"]["podSelector"] == {}
        and sorted(found["spec"]["policyTypes"]) == ["Egress", "Ingress"]
        and not found["spec"].get("ingress")
        and not found["spec"].get("egress")
    ]
    if not deny:
        yield "no network policy denies by default"
    for policy in policies:
        name = policy["metadata"]["name"]
        for rule in policy["spec"].get("ingress") or ():
            if not rule.get("from") or not rule.get("ports"):
                yield f"NetworkPolicy {name}: lets everybody in, or everywhere"
        for rule in policy["spec"].get("egress") or ():
            if not rule.get("ports"):
                yield f"NetworkPolicy {name}: lets out to every port"
            for end in rule.get("to") or ():
                if "ipBlock" in end and "169.254.0.0/16" not in end["ipBlock"].get("except", ()):
                    yield f"NetworkPolicy {name}: lets pods ask the cloud's metadata"
    for found in objects:
        where = f"{found['kind']} {found['metadata']['name']}"
        if found["kind"] == "Namespace":
            for mode in ("enforce", "audit", "warn"):
                label = f"pod-security.kubernetes.io/{mode}"
                if found["metadata"].get("labels", {}).get(label) != "restricted":
                    yield f"{where}: does not {mode} restricted pods"
        elif found["kind"].startswith("ClusterRole"):
            yield from _beyond_the_namespace(where, found)
        elif found["metadata"].get("namespace") != "attribution":
            yield f"{where}: stands outside the namespace"
        if found["kind"] == "Secret":
            yield f"{where}: a secret's value has no place in a manifest"
        if (
            found["kind"] == "ServiceAccount"
            and found.get("automountServiceAccountToken") is not False
        ):
            yield f"{where}: hands its token to every pod"
        if found["kind"] == "Service" and found["spec"].get("type") != "ClusterIP":
            yield f"{where}: is open to the outside"
        for rule in found.get("rules") or ():
            if found["kind"] == "Role" and any(
                "*" in rule[part] for part in ("apiGroups", "resources", "verbs")
            ):
                yield f"{where}: may do anything to something"
            if found["kind"] == "Role" and "secrets" in rule["resources"]:
                yield f"{where}: reads secrets"


def _beyond_the_namespace(where: str, found: Object) -> Iterator[str]:
    if found["metadata"]["name"] not in MAY_LIST:
        yield f"{where}: reaches beyond the namespace"
    for rule in found.get("rules") or ():
        if rule["verbs"] != ["list"] or {"*", "secrets", "configmaps"} & set(rule["resources"]):
            yield f"{where}: does more than list names and labels"
    for subject in found.get("subjects") or ():
        if (subject["namespace"], subject["name"]) != ("attribution", found["metadata"]["name"]):
            yield f"{where}: is given to {subject['name']}"


def faults(objects: Iterable[Object]) -> list[str]:
    """Every fault of an overlay, in words."""
    objects = list(objects)
    found = [fault for one in objects if one["kind"] in WORKLOADS for fault in workload_faults(one)]
    return [*found, *namespace_faults(objects)]
