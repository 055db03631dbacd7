"""Pods and nodes of a day as OpenCost saw them, and which operations ran on which pod.

Belongs here: kinds of cost, node sets that the bill knows as one resource, dedicated pods. Does
not: what becomes of an amount.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date
from fractions import Fraction
from typing import TypeVar

from attribution_pipeline.model.policy import Policy
from attribution_pipeline_tests.oracle.operations import active_ms, ends_on
from attribution_pipeline_tests.oracle.patterns import fits
from attribution_pipeline_tests.oracle.words import (
    KINDS_OF_POD_COST,
    Evidence,
    Operation,
    Piece,
    Pod,
    PodName,
    Record,
)

T = TypeVar("T")

SAME_NODE_TWICE_WITHIN = Fraction(1, 100)


@dataclass
class NodeSet:
    """Nodes of one cluster that the bill knows as one resource. ``cost``: of the assets, by kind."""

    cluster: str | None
    nodes: set[tuple[str | None, str]] = field(default_factory=set)
    cost: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS_OF_POD_COST, 0))
    quarantined: bool = False


@dataclass
class Attached:
    """A volume or a load balancer. ``shares``: OpenCost's cost of it by pod; None is unmounted."""

    shares: dict[PodName | None, int] = field(default_factory=dict)


@dataclass
class Cluster:
    """One day of every cluster. Sets and attached by (charge column, what the bill calls it)."""

    pods: list[Pod]
    node_sets: dict[tuple[str, str], NodeSet]
    attached: dict[tuple[str, str], Attached]
    served: dict[PodName, list[Operation]]
    called: dict[PodName, list[Operation]]

    def operations_on(self, pod: Pod) -> list[Operation]:
        """What a pod's cost is divided over: what it served, else what called from it."""
        return self.served.get(pod.name) or self.called.get(pod.name) or []

    def node_set_of(self, piece: Piece) -> NodeSet | None:
        return _billed(self.node_sets, piece)

    def attached_of(self, piece: Piece) -> Attached | None:
        return _billed(self.attached, piece)


def _billed(known: Mapping[tuple[str, str], T], piece: Piece) -> T | None:
    """What the charge's own column names."""
    for (to, named), found in known.items():
        if piece.line.get(to) == named:
            return found
    return None


def _of_day(records: Iterable[Record], day: date) -> list[Record]:
    return [r for r in records if r["window_start"].astimezone(UTC).date() == day]


def _believed(records: list[Record]) -> list[Record]:
    return [r for r in records if r["rejected"] is None]


def cluster_of(
    evidence: Evidence, operations: list[Operation], policy: Policy, day: date
) -> Cluster:
    pods: dict[PodName, Pod] = {}
    for row in _believed(_of_day(evidence.of("opencost_allocations"), day)):
        if row["row_kind"] != "workload":
            continue
        name = PodName(row["cluster"], row["namespace"], row["pod"])
        pod = pods.setdefault(name, Pod(name, row["controller"]))
        on_node = pod.cost.setdefault(
            (row["cluster"], row["node"]), dict.fromkeys(KINDS_OF_POD_COST, 0)
        )
        for kind in KINDS_OF_POD_COST:
            on_node[kind] += row[f"{kind}_cost"] or 0
        for source in ("labels", "namespace_labels", "annotations", "namespace_annotations"):
            pod.labels.setdefault(source, {}).update(json.loads(row[source] or "{}"))
        for kept in evidence.of("kubernetes"):
            if kept["date"] == day and _controls(kept, row):
                pod.labels.setdefault("workload_labels", {}).update(
                    json.loads(kept["labels"] or "{}")
                )
    served: dict[PodName, list[Operation]] = {}
    called: dict[PodName, list[Operation]] = {}
    for operation in operations:
        if not (ends_on(operation, day) or active_ms(operation, day) > 0):
            continue
        for pod in pods.values():
            if _serves(pod, operation, policy):
                served.setdefault(pod.name, []).append(operation)
            if _is(pod.name, operation.caller):
                called.setdefault(pod.name, []).append(operation)
    return Cluster(
        list(pods.values()),
        _node_sets(evidence, policy, day),
        _attached(evidence, policy, day),
        served,
        called,
    )


def _attached(evidence: Evidence, policy: Policy, day: date) -> dict[tuple[str, str], Attached]:
    """Volumes and balancers with the shares that allocations have in them, by their name."""
    found: dict[tuple[str, str], Attached] = {}
    for asset in _believed(_of_day(evidence.of("opencost_assets"), day)):
        column = {"Disk": "volumes", "LoadBalancer": "balancers"}.get(asset["asset_type"])
        billed_as = _billed_as(asset, policy)
        if column is None or billed_as is None:
            continue
        shares = found.setdefault(billed_as, Attached()).shares
        for row in _believed(_of_day(evidence.of("opencost_allocations"), day)):
            for share in json.loads(row[column] or "[]"):
                if (row["cluster"], share["name"]) == (asset["cluster"], asset["name"]):
                    mounted = row["row_kind"] == "workload"
                    pod = PodName(row["cluster"], row["namespace"], row["pod"]) if mounted else None
                    shares[pod] = shares.get(pod, 0) + share["cost"]
    return found


def _controls(kept: Record, row: Record) -> bool:
    """Whether a snapshot's object is the controller of an allocation. OpenCost writes its kind small."""
    return (kept["cluster"], kept["namespace"], kept["name"], kept["kind"].lower()) == (
        row["cluster"],
        row["namespace"],
        row["controller"],
        row["controller_kind"],
    )


def _is(pod: PodName, said: PodName | None) -> bool:
    """Whether a span names this pod. One without a cluster names it by namespace and pod alone."""
    return (
        said is not None
        and (said.namespace, said.pod) == (pod.namespace, pod.pod)
        and said.cluster in (None, pod.cluster)
    )


def _serves(pod: Pod, operation: Operation, policy: Policy) -> bool:
    """By its server span; where none names a pod, by the first ``serving`` rule that fits."""
    if operation.server is not None:
        return _is(pod.name, operation.server)
    for rule in policy.serving:
        if fits(rule.server_address, operation.server_address) and fits(
            rule.model, operation.model
        ):
            return (
                rule.workload.namespace == pod.name.namespace
                and rule.workload.controller in (None, pod.controller)
                and rule.workload.cluster in (None, pod.name.cluster)
            )
    return False


def _node_sets(evidence: Evidence, policy: Policy, day: date) -> dict[tuple[str, str], NodeSet]:
    seen: dict[tuple[str | None, str], list[Record]] = {}
    for asset in _of_day(evidence.of("opencost_assets"), day):
        if asset["asset_type"] == "Node":
            seen.setdefault((asset["cluster"], asset["name"]), []).append(asset)
    sets: dict[tuple[str, str], NodeSet] = {}
    lacking = _nodes_that_lack_a_row(evidence, day)
    for node, assets in seen.items():
        believed = _believed(assets)
        kept, quarantined = _one_identity(believed)
        quarantined = quarantined or node in lacking or len(believed) < len(assets)
        for asset in kept or assets:
            billed_as = _billed_as(asset, policy)
            if billed_as is None:
                continue
            nodes = sets.setdefault(billed_as, NodeSet(asset["cluster"]))
            nodes.nodes.add(node)
            nodes.quarantined = nodes.quarantined or quarantined
            for kind in KINDS_OF_POD_COST:
                nodes.cost[kind] += asset[f"{kind}_cost"] or 0
    return sets


def _nodes_that_lack_a_row(evidence: Evidence, day: date) -> set[tuple[str | None, str]]:
    """Nodes of which a container was rejected that may have cost something."""
    return {
        (row["cluster"], row["node"])
        for row in _of_day(evidence.of("opencost_allocations"), day)
        if row["rejected"] is not None
        and row["row_kind"] == "workload"
        and any(row[f"{kind}_cost"] != 0 for kind in KINDS_OF_POD_COST)
    }


def _one_identity(assets: list[Record]) -> tuple[list[Record], bool]:
    """A node under an empty and a filled instance type: the filled one, or quarantine (page 20).
    Under two provider ids or two filled types it is quarantined whatever it costs."""
    filled = [asset for asset in assets if asset["instance_type"]]
    empty = [asset for asset in assets if not asset["instance_type"]]
    names = {(asset["provider_id"], asset["instance_type"]) for asset in filled or empty}
    if len(names) > 1:
        return filled or empty, True
    if not filled or not empty:
        return assets, False
    one, other = (sum(asset["total_cost"] for asset in some) for some in (filled, empty))
    return filled, abs(one - other) > SAME_NODE_TWICE_WITHIN * max(abs(one), abs(other))


def _billed_as(asset: Record, policy: Policy) -> tuple[str, str] | None:
    for mapping in policy.nodes:
        value = asset["provider_id"] if mapping.from_ == "provider_id" else asset["name"]
        found = re.search(mapping.pattern, value) if value is not None else None
        if found:
            return mapping.to, found["id"]
    return None


def dedicated_tenant(pod: Pod, policy: Policy) -> str | None:
    """The tenant that a pod's label names, where the policy lets it answer for its cost."""
    if "workload" not in policy.join.identity:
        return None
    names = {
        "cluster": pod.name.cluster,
        "namespace": pod.name.namespace,
        "controller": pod.controller,
        "pod": pod.name.pod,
    }
    if not any(
        all(fits(getattr(rule, part), value) for part, value in names.items())
        for rule in policy.join.dedicated
    ):
        return None
    label = policy.join.tenant_label
    said = {
        "pod_label": pod.labels["labels"].get(label),
        "workload_label": pod.labels.get("workload_labels", {}).get(label),
        "namespace_label": pod.labels["namespace_labels"].get(label),
        "pod_annotation": pod.labels["annotations"].get(label),
        "namespace_annotation": pod.labels["namespace_annotations"].get(label),
        "namespace": pod.name.namespace,
    }
    for source in policy.join.label_precedence:
        if said[source]:
            return policy.join.tenant_aliases.get(said[source], said[source])
    return None


def label_of(operation: Operation, cluster: Cluster, policy: Policy) -> str | None:
    """The tenant whose dedicated pod made the call, else of the one that served it."""
    for said in (operation.caller, operation.server):
        pods = [pod for pod in cluster.pods if _is(pod.name, said)]
        # without a cluster a name means a pod only where no other cluster has one
        tenant = dedicated_tenant(pods[0], policy) if len(pods) == 1 else None
        if tenant is not None:
            return tenant
    return None
