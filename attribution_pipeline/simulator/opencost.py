"""OpenCost's two snapshots of a day, rounded as OpenCost rounds, and what that rounding can move.

Belongs here: the shape of ``/allocation`` and ``/assets`` answers. Does not: what pods truly took
(``cluster``).

OpenCost rounds every float field of an allocation to 5 decimals on its own, the total too, so a
row's total differs from the sum of its fields; assets are printed with 6 decimals. Prices are list
prices, not what the bill says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from attribution_pipeline.simulator.cluster import (
    COST_UNITS_PER_USD,
    DOUBLED_RANK,
    MIXED_RANK,
    SCALED_RANK,
    TWINNED_RANK,
    Clusters,
    Node,
    Pod,
    container_cost,
)
from attribution_pipeline.simulator.company import TENANTS
from attribution_pipeline.simulator.faults import DUPLICATE_NODES, UNIT_SCALE, UNKNOWN_NODE

FIELD_ERROR_USD = Fraction(5, 10**6)
"""What rounding to 5 decimals moves at most."""
ASSET_ERROR_USD = Fraction(5, 10**7) + FIELD_ERROR_USD
"""Six decimals in the answer, then the reader's 5 (design: OpenCost dollars are integers of 1e-5)."""
KINDS_PER_NODE = 3

HOURS_A_MONTH = 730
"""Hourly prices taken for monthly ones, or the other way (opencost/opencost#3781)."""
INFLATION = 40
"""Of a node that is told twice, the one without an instance type (opencost/opencost#3620: 10 to 100)."""
ABOUT_THE_SAME = Fraction(1003, 1000)


@dataclass(frozen=True)
class Snapshots:
    """What OpenCost gets wrong, by node number; -1: nothing of the kind."""

    hidden: int = -1
    """A node that it knows nothing of."""
    doubled: int = -1
    """Told twice: at its price, and without instance type at an inflated one that its pods have."""
    twinned: int = -1
    """Told twice, at about one price."""
    scaled: int = -1
    """All its dollars are too low by HOURS_A_MONTH."""
    mixed: int = -1
    """The dollars of its pods, not its own, are too high by HOURS_A_MONTH."""

    def reason(self, node: int) -> str | None:
        """Why the charges of a node cannot be divided, as the ledger says it; None where they can."""
        if node == self.hidden:
            return "no_driver"
        return "quarantined" if node in (self.doubled, self.mixed) else None

    def of_asset(self, node: int) -> Fraction:
        """What a node's own dollars are multiplied with."""
        return Fraction(1, HOURS_A_MONTH) if node == self.scaled else Fraction(1)

    def of_pods(self, node: int) -> Fraction:
        """What the dollars of its pods are multiplied with."""
        if node == self.doubled:
            return Fraction(INFLATION)
        return Fraction(HOURS_A_MONTH) if node == self.mixed else self.of_asset(node)


def snapshots(clusters: Clusters, faults: frozenset[str]) -> Snapshots:
    """What OpenCost gets wrong of these clusters."""
    apps = clusters.app_nodes
    twice, scale = DUPLICATE_NODES in faults, UNIT_SCALE in faults
    return Snapshots(
        clusters.unknown_node if UNKNOWN_NODE in faults else -1,
        apps[DOUBLED_RANK] if twice else -1, apps[TWINNED_RANK] if twice else -1,
        apps[SCALED_RANK] if scale else -1, apps[MIXED_RANK] if scale else -1,
    )  # fmt: skip


def _rounded(cost: Fraction | int, decimals: int) -> float:
    """``cost`` in COST_UNITS as dollars, half-even at ``decimals``."""
    steps: int = round(Fraction(cost, COST_UNITS_PER_USD) * 10**decimals)
    return float(steps / 10**decimals)


def allocation(
    clusters: Clusters, cluster: str, day: date, day_number: int, wrong: Snapshots
) -> Any:
    """The ``/allocation`` answer of one cluster and day."""
    rows: dict[str, Any] = {}
    for number, node in enumerate(clusters.nodes):
        if node.cluster != cluster or number == wrong.hidden:
            continue
        used: list[Fraction | int] = [0] * KINDS_PER_NODE
        times = wrong.of_pods(number)
        for index in clusters.pods_of(number):
            pod = clusters.pods[index]
            for container in pod.containers:
                costs = [scaled(cost, times) for cost in container_cost(node, pod, container)]
                used = [a + b for a, b in zip(used, costs, strict=True)]
                row = _container_row(node, pod, day, day_number, container, costs)
                rows[row["name"]] = row
        # of whichever price its pods were given; only a mixed-up scale parts them
        whole = wrong.of_asset(number) if number == wrong.mixed else times
        idle = [scaled(a, whole) - b for a, b in zip(node.cost(), used, strict=True)]
        row = _idle_row(node, day, idle)
        rows[row["name"]] = row
    return {"code": 200, "status": "success", "data": [rows]}


def scaled(cost: int, times: Fraction) -> Fraction | int:
    """A cost at another scale. Whole numbers where it is the same: fractions are slow."""
    return cost if times == 1 else cost * times


def _window(day: date) -> dict[str, str]:
    return {"start": f"{day}T00:00:00Z", "end": f"{day + timedelta(days=1)}T00:00:00Z"}


def _at(day: date, minute: int) -> str:
    at = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _costs(cpu: Fraction | int, gpu: Fraction | int, ram: Fraction | int) -> dict[str, Any]:
    return {
        "cpuCost": _rounded(cpu, 5), "cpuCostAdjustment": 0, "cpuCostIdle": 0,
        "gpuCost": _rounded(gpu, 5), "gpuCostAdjustment": 0, "gpuCostIdle": 0,
        "ramCost": _rounded(ram, 5), "ramCostAdjustment": 0, "ramCostIdle": 0,
        "networkCost": 0, "networkCostAdjustment": 0,
        "loadBalancerCost": 0, "loadBalancerCostAdjustment": 0,
        "pvCost": 0, "pvs": None, "pvCostAdjustment": 0,
        "sharedCost": 0, "externalCost": 0,
        "totalCost": _rounded(cpu + gpu + ram, 5),
    }  # fmt: skip


def _container_row(
    node: Node, pod: Pod, day: date, day_number: int, container: Any, costs: list[Fraction | int]
) -> dict[str, Any]:
    name = pod.name_on(day_number)
    labels = {"app": pod.controller}
    if pod.tenant >= 0:
        labels["tenant"] = TENANTS[pod.tenant]
    hours = pod.minutes / 60
    return {
        "name": f"{node.cluster}/{node.name}/{pod.namespace}/{name}/{container.name}",
        "properties": {
            "cluster": node.cluster, "node": node.name, "container": container.name,
            "controller": pod.controller, "controllerKind": pod.controller_kind,
            "namespace": pod.namespace, "pod": name, "providerID": node.provider_id,
            "labels": labels,
            "namespaceLabels": {"kubernetes_io_metadata_name": pod.namespace},
        },
        "window": _window(day),
        "start": _at(day, pod.first), "end": _at(day, pod.end), "minutes": pod.minutes,
        "cpuCores": container.mcpu / 1000, "cpuCoreHours": round(container.mcpu / 1000 * hours, 5),
        "gpuCount": container.mgpu / 1000, "gpuHours": round(container.mgpu / 1000 * hours, 5),
        "ramBytes": container.mib << 20, "ramByteHours": round((container.mib << 20) * hours, 5),
        **_costs(*costs),
    }  # fmt: skip


def _idle_row(node: Node, day: date, idle: list[Fraction | int]) -> dict[str, Any]:
    return {
        "name": f"{node.cluster}/{node.name}/__idle__",
        # OpenCost names the node where a provider id belongs
        "properties": {
            "cluster": node.cluster, "node": node.name, "providerID": node.name,
        },
        "window": _window(day),
        "start": _at(day, node.first), "end": _at(day, node.end), "minutes": node.minutes,
        "cpuCores": 0, "cpuCoreHours": 0, "gpuCount": 0, "gpuHours": 0, "ramBytes": 0,
        "ramByteHours": 0,
        **_costs(*idle),
    }  # fmt: skip


def assets(clusters: Clusters, cluster: str, day: date, wrong: Snapshots) -> Any:
    """The ``/assets`` answer of one cluster and day."""
    rows: dict[str, Any] = {}
    for number, node in enumerate(clusters.nodes):
        if node.cluster != cluster or number == wrong.hidden:
            continue
        _add_asset(rows, node, day, wrong.of_asset(number), node.machine.name)
        if number in (wrong.doubled, wrong.twinned):
            again = Fraction(INFLATION) if number == wrong.doubled else ABOUT_THE_SAME
            _add_asset(rows, node, day, again, "")
    return {"code": 200, "status": "success", "data": rows}


def _add_asset(
    rows: dict[str, Any], node: Node, day: date, scale: Fraction, instance_type: str
) -> None:
    machine, hours = node.machine, node.minutes / 60
    cpu, gpu, ram = (Fraction(scaled(cost, scale)) for cost in node.cost())
    before = 1 - Fraction(node.discount)
    key = (
        f"AWS/__undefined__/__undefined__/Compute/{node.cluster}/Node/Kubernetes/"
        f"{node.provider_id}/{node.name}" + ("" if instance_type else "/")
    )
    rows[key] = {
        "type": "Node",
        "properties": {
            "category": "Compute", "provider": "AWS", "service": "Kubernetes",
            "cluster": node.cluster, "name": node.name, "providerID": node.provider_id,
        },
        "labels": {"node_kubernetes_io_instance_type": instance_type} if instance_type else {},
        "window": _window(day),
        "start": _at(day, node.first), "end": _at(day, node.end), "minutes": node.minutes,
        "nodeType": instance_type, "pool": "", "cpuCores": machine.cores,
        "ramBytes": machine.gib << 30, "cpuCoreHours": machine.cores * hours,
        "ramByteHours": (machine.gib << 30) * hours, "GPUHours": machine.gpus * hours,
        "gpuCount": machine.gpus, "preemptible": 0, "discount": float(node.discount),
        "cpuCost": _six(cpu / before), "gpuCost": _six(gpu), "ramCost": _six(ram / before),
        "adjustment": 0, "totalCost": _six(cpu + gpu + ram),
    }  # fmt: skip


def _six(cost: Fraction) -> float:
    return round(cost / COST_UNITS_PER_USD * 10**6) / 10**6


def rounding_bound(
    clusters: Clusters, node_number: int, amount: int, scale: Fraction = Fraction(1)
) -> Fraction:
    """Quanta of a node's charge that OpenCost's rounding can put on another pod, at most.

    ``scale``: what OpenCost's dollars of the node are multiplied with before it rounds them.

    A pod's true part is ``A x sum(w) / T``, with T the node's cost over all kinds; the engine's is
    ``A x sum(w') / T'``. Each non-zero field w' is off by FIELD_ERROR_USD, each kind of T' by
    ASSET_ERROR_USD. Summed over pods: A / T' x (fields x error + sum(w) / T x kinds x error).
    """
    node = clusters.nodes[node_number]
    total = scale * Fraction(sum(node.cost()), COST_UNITS_PER_USD)
    used, fields = Fraction(0), 0
    for index in clusters.pods_of(node_number):
        pod = clusters.pods[index]
        for container in pod.containers:
            costs = container_cost(node, pod, container)
            used += scale * sum(costs)
            fields += sum(cost > 0 for cost in costs)
    asset_error = KINDS_PER_NODE * ASSET_ERROR_USD
    moved = fields * FIELD_ERROR_USD
    moved += used / COST_UNITS_PER_USD / total * asset_error
    return abs(amount) * moved / (total - asset_error)
