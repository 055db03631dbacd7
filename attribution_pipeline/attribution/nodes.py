"""How the cluster and the bill meet: nodes to billed resources, pods to their weights and tenants.

Belongs here: node slices, kinds, dedicated workloads, serving maps. Does not: the division of a
node (``workloads``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.kernel import WEIGHT_BOUND
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy.matching import COLUMNS

if TYPE_CHECKING:
    from attribution_pipeline.attribution.matching import Assignment
    from attribution_pipeline.model.policy import Policy

KINDS = ("cpu", "gpu", "ram")
"""A node's resource kinds, in the order that breaks ties between them."""

_SANITISED = re.compile(r"[^a-zA-Z0-9_]")


@dataclass
class NodeSlice:
    """A cluster's nodes that the bill knows as one resource. Costs in 1e-5, by kind."""

    resource: str
    cluster: str
    nodes: list[tuple[str, str]] = field(default_factory=list)
    cost: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    quarantined: bool = False
    scales: set[bool] = field(default_factory=set)
    """Whether nodes are off the unit scale of their instance type: both, and weights can't mix."""


class NodeSlices:
    """Node slices by what the bill calls them. A slice's number is its place."""

    def __init__(self, slices: Sequence[NodeSlice], by_id: Mapping[tuple[str, str], int]) -> None:
        self.slices = slices
        self._by_id = by_id

    def of(self, column: str, value: str | None) -> int | None:
        """The slice that a charge with ``column = value`` pays for.

        Azure lower-cases ResourceId and AWS may give an ARN: case is folded, and the last segment
        of a path answers too.
        """
        if value is None:
            return None
        folded = value.casefold()
        found = self._by_id.get((column, folded))
        if found is None:
            found = self._by_id.get((column, folded.rpartition("/")[2]))
        return found

    def of_any(self, named: Mapping[str, str | None]) -> int | None:
        """The slice that the first telling column of a charge names."""
        for column, value in named.items():
            number = self.of(column, value)
            if number is not None:
                return number
        return None


@dataclass(frozen=True)
class NamedPortion:
    """A portion with what its charge names: columns that a rule under ``nodes:`` may mean."""

    portion_id: int
    assignment_id: int
    billed: int
    effective: int
    listed: int
    commitment_status: str | None
    currency: str
    named: Mapping[str, str | None]


def named_portions(db: Session, policy: Policy, mine: Collection[int]) -> Iterator[NamedPortion]:
    """Portions of the assignments ``mine`` in their order; amounts in quanta."""
    if not mine:
        return
    columns = sorted({mapping.to for mapping in policy.nodes} - {"ResourceId"})
    extra = "".join(
        f', (select min(l."{c}") from lines l where l.charge_id = p.charge_id)' for c in columns
    )
    for portion_id, assignment_id, billed, effective, listed, status, currency, *values in db.rows(
        "select portion_id, assignment_id, billed, effective, list, commitment_status, "
        f"coalesce(billing_currency, ''), resource_id{extra} from portions p "
        f"where assignment_id in ({', '.join(map(str, sorted(mine)))}) order by portion_id"
    ):
        named = dict(zip(("ResourceId", *columns), values, strict=True))
        yield NamedPortion(
            portion_id, assignment_id, int(billed), int(effective), int(listed), status, currency,
            named,
        )  # fmt: skip


def load_node_slices(db: Session, policy: Policy) -> NodeSlices:
    """Node slices, and table ``pod_weights`` (slice, kind, pod, weight)."""
    import pyarrow as pa

    slices: list[NodeSlice] = []
    by_id: dict[tuple[str, str], int] = {}
    member_rows: list[tuple[int, str, str]] = []
    for cluster, name, provider_id, cpu, gpu, ram, quarantined, off_scale in db.rows(
        "select cluster, name, provider_id, cpu_cost, gpu_cost, ram_cost, quarantined, off_scale "
        "from nodes order by all"
    ):
        for mapping in policy.nodes:
            resource = mapping.id_of(provider_id=provider_id, node=name)
            if resource is None:
                continue
            number = by_id.setdefault((mapping.to, resource.casefold()), len(slices))
            if number == len(slices):
                slices.append(NodeSlice(resource, cluster))
            found = slices[number]
            found.nodes.append((cluster, name))
            for kind, cost in zip(KINDS, (cpu, gpu, ram), strict=True):
                found.cost[kind] += cost
            found.scales.add(off_scale)
            found.quarantined |= quarantined or len(found.scales) > 1
            member_rows.append((number, cluster, name))
            break
    columns = list(zip(*member_rows, strict=True)) or [(), (), ()]
    db.load(
        "slice_nodes",
        pa.table(
            {
                "slice_id": pa.array(columns[0], pa.int64()),
                "cluster": pa.array(columns[1], pa.string()),
                "node": pa.array(columns[2], pa.string()),
            }
        ),
    )
    db.execute(
        "create table pod_weights as "
        "select s.slice_id, p.kind, p.pod_id, cast(sum(p.weight) as bigint) as weight "
        "from pod_kinds p join (select distinct slice_id, cluster, node from slice_nodes) s "
        "on s.cluster = p.cluster and s.node = p.node group by s.slice_id, p.kind, p.pod_id"
    )
    for slice_id, kind, largest in db.rows(
        "select slice_id, kind, max(weight) from pod_weights group by 1, 2"
    ):
        if slices[slice_id].cost[kind] * largest >= WEIGHT_BOUND:
            raise Refusal(
                f"OpenCost's {kind} cost of {slices[slice_id].resource} is too large for 64-bit "
                "division",
                remedy="check the unit scale of its prices",
            )
    return NodeSlices(slices, by_id)


def taken_elsewhere(
    db: Session, policy: Policy, assignments: Sequence[Assignment], slices: NodeSlices
) -> dict[int, Assignment]:
    """Node slice to the rule that took a charge of it, of rules that do not split by OpenCost.

    For nodes that no splitting pool was charged for: reads the distinct resources of ``lines``.
    """
    found: dict[int, Assignment] = {}
    for column in sorted({mapping.to for mapping in policy.nodes} & COLUMNS):
        for assignment_id, value in db.rows(
            f'select distinct m.assignment_id, l."{column}" from lines l '
            f'join matched m on m.match_key = l.match_key where l."{column}" is not null order by all'
        ):
            number = slices.of(column, value)
            if number is not None and assignments[assignment_id].kind != "split":
                found.setdefault(number, assignments[assignment_id])
    return found


def allocated(db: Session) -> dict[tuple[int, str], int]:
    """Sum of pod weights by slice and kind, in 1e-5."""
    return {
        (slice_id, kind): int(total)
        for slice_id, kind, total in db.rows(
            "select slice_id, kind, cast(sum(weight) as hugeint) from pod_weights group by 1, 2"
        )
    }


def dedicated_pods(db: Session, policy: Policy) -> Iterator[dict[str, Any]]:
    """Pods whose labels may answer for them: names, labels and annotations as OpenCost has them."""
    if not policy.join.dedicated:
        return
    for pod in _dictionaries(
        db,
        "select pod_id, cluster, namespace, controller_kind, controller, pod, labels, annotations, "
        "namespace_labels, namespace_annotations from pods_named where row_kind = 'workload' "
        "order by pod_id",
    ):
        place = {key: pod[key] for key in ("cluster", "namespace", "controller", "pod")}
        if policy.is_dedicated(**place):
            yield pod


Snapshot = Mapping[tuple[str | None, str | None, str, str], tuple[dict[str, str], dict[str, str]]]


def label_snapshot(db: Session) -> Snapshot:
    """Labels and annotations of the day's Kubernetes objects: the policy's tenant label alone."""
    return {
        (row["cluster"], row["namespace"], (row["kind"] or "").lower(), row["name"]): (
            json.loads(row["labels"] or "{}"),
            json.loads(row["annotations"] or "{}"),
        )
        for row in _dictionaries(
            db, "select cluster, namespace, kind, name, labels, annotations from kubernetes"
        )
    }


def tenants_said(pod: Mapping[str, Any], snapshot: Snapshot, policy: Policy) -> dict[str, str]:
    """Source to the tenant that it names, of those that name one; by the policy's precedence."""
    place = (pod["cluster"], pod["namespace"])
    kind = (pod["controller_kind"] or "").lower()
    nothing: tuple[dict[str, str], dict[str, str]] = ({}, {})
    own = snapshot.get((*place, "pod", pod["pod"] or ""), nothing)
    workload = snapshot.get((*place, kind, pod["controller"] or ""), nothing)
    namespace = snapshot.get((*place, "namespace", pod["namespace"] or ""), nothing)
    if namespace is nothing:
        namespace = snapshot.get(
            (pod["cluster"], None, "namespace", pod["namespace"] or ""), nothing
        )
    sources = {
        "pod_label": (own[0], json.loads(pod["labels"] or "{}")),
        "workload_label": (workload[0],),
        "namespace_label": (namespace[0], json.loads(pod["namespace_labels"] or "{}")),
        "pod_annotation": (own[1], json.loads(pod["annotations"] or "{}")),
        "namespace_annotation": (namespace[1], json.loads(pod["namespace_annotations"] or "{}")),
    }
    said: dict[str, str] = {}
    for source in policy.join.label_precedence:
        if source == "namespace":
            if pod["namespace"]:
                said[source] = str(pod["namespace"])
            # the name is the last word: nothing after it is asked
            break
        for labels in sources[source]:
            value = _label(labels, policy.join.tenant_label)
            if value:
                said[source] = value
                break
    return said


def _label(labels: Mapping[str, str], key: str) -> str | None:
    return labels.get(key) or labels.get(sanitised_label(key))


def sanitised_label(key: str) -> str:
    """A label's name as OpenCost has it for Prometheus: ``app_kubernetes_io_name``."""
    return _SANITISED.sub("_", key)


def load_serving_map(db: Session, policy: Policy) -> None:
    """Table ``served_by_map``: calls that a model server worked for without saying so in a span."""
    import pyarrow as pa

    rows: list[tuple[int, str | None, str | None]] = []
    if policy.serving:
        pods = list(
            _dictionaries(db, "select pod_id, cluster, namespace, controller from pods_numbered")
        )
        for address, model in db.rows(
            "select distinct server_address, model from ops where serving_pod is null order by all"
        ):
            serving = next(
                (s for s in policy.serving if s.matches(server_address=address, model=model)), None
            )
            if serving is not None:
                rows += [
                    (pod["pod_id"], address, model)
                    for pod in pods
                    if is_of(pod, serving.workload.model_dump())
                ]
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    db.load(
        "serving_pods",
        pa.table(
            {
                "pod_id": pa.array(columns[0], pa.int64()),
                "server_address": pa.array(columns[1], pa.string()),
                "model": pa.array(columns[2], pa.string()),
            }
        ),
    )
    db.execute(
        "create table served_by_map as select s.pod_id, o.op_id from ops o join serving_pods s "
        "on coalesce(s.server_address, chr(30)) = coalesce(o.server_address, chr(30)) "
        "and coalesce(s.model, chr(30)) = coalesce(o.model, chr(30)) where o.serving_pod is null"
    )


def is_of(pod: Mapping[str, Any], workload: Mapping[str, str | None]) -> bool:
    """Whether a pod is of a workload, by shell patterns."""
    return all(
        pattern is None or (pod[key] is not None and fnmatchcase(pod[key], pattern))
        for key, pattern in workload.items()
    )


def _dictionaries(db: Session, query: str) -> Iterable[dict[str, Any]]:
    table = db.table(query)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
