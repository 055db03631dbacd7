"""Gates that only the policy's words can ask: labels of dedicated workloads, nodes billed as one.

Belongs here: what was noticed under one policy. Does not: which label wins (``nodes``), what a
snapshot shows by itself (``snapshot``).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.day import Finding
from attribution_pipeline.attribution.nodes import (
    NodeSlices,
    dedicated_pods,
    label_snapshot,
    sanitised_label,
    tenants_said,
)

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.model.policy import Policy

NOTHING = "(none)"
LABELS = ("labels", "annotations", "namespace_labels", "namespace_annotations")

Workload = tuple[str, str, str]


def gate(db: Session, policy: Policy, slices: NodeSlices) -> list[Finding]:
    """Findings on the day's dedicated workloads and node sets. In: ``pods_named``, ``kubernetes``."""
    return [*_labels(db, policy), *_mixed_sets(slices)]


def _labels(db: Session, policy: Policy) -> list[Finding]:
    snapshot = label_snapshot(db)
    disagreements: dict[tuple[Workload, str], int] = defaultdict(int)
    tenants: dict[Workload, set[str]] = defaultdict(set)
    collisions: dict[tuple[Workload, str], int] = defaultdict(int)
    for pod in dedicated_pods(db, policy):
        workload = (pod["cluster"] or "", pod["namespace"] or "", pod["controller"] or pod["pod"])
        said = tenants_said(pod, snapshot, policy)
        named = {source: policy.tenant_alias(tenant) for source, tenant in said.items()}
        tenants[workload].add(next(iter(named.values()), NOTHING))
        # the namespace's name is no label: where one is set, it need not be the same word
        labels = {source: tenant for source, tenant in named.items() if source != "namespace"}
        if len(set(labels.values())) > 1:
            disagreements[workload, _in_words(labels)] += 1
        for keys in colliding((pod[column] for column in LABELS), policy.join.tenant_label):
            collisions[workload, keys] += 1
    return [
        *(_finding("label_precedence", key, pods) for key, pods in sorted(disagreements.items())),
        *(
            Finding("label_gap", "warn", "/".join(workload),
                    f"its pods resolve to {', '.join(sorted(found))}")
            for workload, found in sorted(tenants.items()) if len(found) > 1
        ),
        *(_finding("label_collision", key, pods) for key, pods in sorted(collisions.items())),
    ]  # fmt: skip


def _finding(check: str, key: tuple[Workload, str], pods: int) -> Finding:
    workload, detail = key
    return Finding(check, "warn", "/".join(workload), f"{pods} pods: {detail}")


def _in_words(labels: Mapping[str, str]) -> str:
    winner, *others = labels.items()
    said = f"{winner[0]} {winner[1]} counts, " + ", ".join(f"{name} {one}" for name, one in others)
    if labels.get("pod_label") == labels.get("namespace_label"):
        return said + "; OpenCost merges a namespace's label into its pods', so the first may be it"
    return said


def colliding(documents: Iterable[str | None], label: str) -> list[str]:
    """In words, each JSON object of labels that has other spellings of ``label`` with other values.

    Prometheus has one name for all of them (``[^a-zA-Z0-9_]`` becomes ``_``), so OpenCost keeps one.
    """
    name = sanitised_label(label)
    if "_" not in name:
        return []  # no other label sanitises to it
    found = []
    for text in documents:
        said: dict[str, Any] = json.loads(text or "{}")
        alike = {key: value for key, value in said.items() if sanitised_label(key) == name}
        if len(set(alike.values())) > 1:
            found.append(" and ".join(f"{key} {value}" for key, value in sorted(alike.items())))
    return found


def spelling_pattern(label: str) -> str:
    """A regular expression for any spelling of ``label`` that sanitises to the same name."""
    return '"' + re.sub("_", "[^a-zA-Z0-9]", sanitised_label(label)) + '"'


def _mixed_sets(slices: NodeSlices) -> list[Finding]:
    return [
        Finding(
            "mixed_unit_scale",
            "error",
            f"{found.cluster}/{found.resource}",
            f"the bill knows {len(found.nodes)} nodes as one resource, and OpenCost prices them on "
            "different unit scales: its day is quarantined",
        )
        for found in slices.slices
        if len(found.scales) > 1
    ]
