"""Made-up clusters: nodes, pods, over-allocation, nodes that the bill knows as one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from attribution_pipeline_tests.worlds import names
from attribution_pipeline_tests.worlds.dice import Dice
from attribution_pipeline_tests.worlds.names import Setting, instant, landed

KINDS = ("cpu", "gpu", "ram")


@dataclass
class Nodes:
    """What the bill may name, and what OpenCost says. ``billed``: (cluster, resource id)."""

    billed: list[tuple[str, str]] = field(default_factory=list)
    pods: list[tuple[str, str, str]] = field(default_factory=list)
    workloads: list[tuple[str, str]] = field(default_factory=list)
    allocations: list[dict[str, Any]] = field(default_factory=list)
    assets: list[dict[str, Any]] = field(default_factory=list)
    kubernetes: list[dict[str, Any]] = field(default_factory=list)
    attached: list[tuple[str, str]] = field(default_factory=list)
    namespace_labels: dict[tuple[str, str], str] = field(default_factory=dict)


def nodes(setting: Setting) -> Nodes:
    dice, found = setting.dice, Nodes()
    for cluster in setting.clusters:
        here = [_asset(setting, found, cluster, n) for n in range(dice.pick((0, 1, 1, 2, 3)))]
        if not here:
            continue
        for _ in range(dice.pick((0, 1, 2, 4, 7))):
            _pod(setting, found, cluster, here)
        for asset_type in ("Disk", "LoadBalancer"):
            for _ in range(dice.pick((0, 0, 1, 2))):
                _attach(setting, found, cluster, asset_type)
    for table in (found.allocations, found.assets):
        dice.shuffle(table)
        for position, record in enumerate(table, start=1):
            record["position"] = position
    return found


def _window(setting: Setting) -> dict[str, Any]:
    """Mostly the day; sometimes its neighbour, which must not count."""
    lost = setting.dice.chance(names.LOST_ASSETS)
    away = setting.dice.pick((-1, 1)) if lost else 0
    start = instant(setting.day + timedelta(days=away))
    return {"window_start": start, "window_end": start + timedelta(days=1)}


def _asset(setting: Setting, found: Nodes, cluster: str, number: int) -> dict[str, Any]:
    dice = setting.dice
    grouped = dice.chance(0.3)
    name = f"vmss000-{number}" if grouped else f"node-{cluster}-{number}"
    machine = f"i-{cluster.encode().hex()}{number:04x}"
    provider_id = f"azure:///scaleSets/{cluster}-set/{number}" if grouped else f"aws:///a/{machine}"
    resource = (cluster, f"{cluster}-set" if grouped else machine)
    if resource not in found.billed:
        found.billed.append(resource)
    scale = dice.pick((10, 100_000, 5_000_000))
    cost = {kind: dice.weight(scale) for kind in KINDS}
    asset = landed(
        "opencost_assets", "opencost",
        **_window(setting), cluster=cluster, asset_type="Node", name=name,
        provider_id=provider_id, instance_type="m5.large", minutes="1440",
        cpu_cost=cost["cpu"], gpu_cost=cost["gpu"], ram_cost=cost["ram"],
        total_cost=sum(cost.values()), gpu_count="0",
    )  # fmt: skip
    found.assets.append(asset)
    if dice.chance(names.SAME_NODE_TWICE):
        _doubt(setting, found, asset)
    if dice.chance(0.5):  # OpenCost's own idle row, which is no workload
        found.allocations.append(
            landed(
                "opencost_allocations", "opencost",
                window_start=asset["window_start"], window_end=asset["window_end"],
                cluster=cluster, node=name, provider_id=provider_id, row_kind="idle",
                started_at=asset["window_start"], ended_at=asset["window_end"], minutes="1440",
                cpu_cost=cost["cpu"], gpu_cost=cost["gpu"], ram_cost=cost["ram"],
                pv_cost=0, lb_cost=0, network_cost=0,
            )
        )  # fmt: skip
    return asset


def _doubt(setting: Setting, found: Nodes, asset: dict[str, Any]) -> None:
    """What makes a node's day doubtful: another price, another name, a row that can't be used."""
    dice = setting.dice
    costs = ("cpu_cost", "gpu_cost", "ram_cost", "total_cost")
    how = dice.pick(("price", "price", "name", "rejected asset", "rejected container"))
    if how == "price":
        scaled = dice.pick((1, 1.005, 40))
        twice = {column: round(asset[column] * scaled) for column in costs}
        found.assets.append(asset | twice | {"instance_type": dice.pick(("", None))})
    elif how == "name":
        found.assets.append(asset | {"provider_id": asset["provider_id"] + "7"})
    elif how == "rejected asset":
        if dice.chance(0.5):
            found.assets.remove(asset)
        found.assets.append(asset | dict.fromkeys(costs) | {"rejected": "null_cost"})
    else:
        cost = dict.fromkeys(("cpu_cost", "gpu_cost", "ram_cost"), dice.pick((None, 0, 3)))
        found.allocations.append(
            landed(
                "opencost_allocations", "opencost",
                window_start=asset["window_start"], window_end=asset["window_end"],
                cluster=asset["cluster"], node=asset["name"], namespace="jobs", pod="rejected",
                container="main", row_kind="workload", rejected="null_cost", **cost,
            )
        )  # fmt: skip


def _pod(setting: Setting, found: Nodes, cluster: str, here: list[dict[str, Any]]) -> None:
    dice = setting.dice
    namespace = dice.pick(("inference", "jobs", "tenant-acme", "tenant-bolt", "kube-system"))
    controller = dice.pick(("vllm", "app", "batch"))
    pod = setting.fresh(f"{controller}")
    labels = {"tenant": setting.tenant(0) or "acme"} if dice.chance(0.4) else {}
    if (cluster, namespace) not in found.namespace_labels:
        said = {"tenant": "delta-9"} if dice.chance(0.2) else {}
        found.namespace_labels[cluster, namespace] = json.dumps(said)
    text: dict[str, Any] = {
        "labels": json.dumps(labels),
        "annotations": json.dumps({"tenant": "from-annotation"} if dice.chance(0.1) else {}),
        "namespace_labels": found.namespace_labels[cluster, namespace],
        "namespace_annotations": None if namespace != "jobs" else '{"tenant": "corvid"}',
    }
    found.pods.append((cluster, namespace, pod))
    if (namespace, controller) not in found.workloads and dice.chance(0.3):
        found.kubernetes.append(
            landed(
                "kubernetes", "kubernetes", position=len(found.kubernetes) + 1,
                date=setting.day, cluster=cluster, namespace=namespace, kind="Deployment",
                name=controller, labels=json.dumps({"tenant": setting.tenant(0) or "acme"}),
            )
        )  # fmt: skip
    found.workloads.append((namespace, controller))
    window = _window(setting)
    moved = dice.chance(names.MOVED_PODS)
    for node in dice.some(here, 0.6) if moved else [dice.pick(here)]:
        for container in ("main", "sidecar")[: dice.pick((1, 1, 2))]:
            found.allocations.append(
                landed(
                    "opencost_allocations", "opencost",
                    **window, cluster=cluster, node=node["name"],
                    provider_id=node["provider_id"], namespace=namespace,
                    controller_kind="deployment", controller=controller, pod=pod,
                    container=container, row_kind="workload",
                    started_at=window["window_start"], ended_at=window["window_end"],
                    minutes="1440", **_costs(dice, node), pv_cost=0, lb_cost=0, network_cost=0,
                    **text,
                )
            )  # fmt: skip


def _attach(setting: Setting, found: Nodes, cluster: str, asset_type: str) -> None:
    """A volume or a balancer, and the allocations that share in it; a volume may be unmounted."""
    dice = setting.dice
    prefix, column = {"Disk": ("vol", "volumes"), "LoadBalancer": ("lb", "balancers")}[asset_type]
    name = setting.fresh(prefix)
    window = {"window_start": instant(setting.day), "window_end": instant(setting.day, 86_400)}
    found.attached.append((cluster, name))
    found.assets.append(
        landed(
            "opencost_assets", "opencost",
            **window, cluster=cluster, asset_type=asset_type, name=name, provider_id=name,
            minutes="1440", cpu_cost=0, gpu_cost=0, ram_cost=0, total_cost=500_000,
        )
    )  # fmt: skip
    workloads = [row for row in found.allocations
                 if row["row_kind"] == "workload" and row["cluster"] == cluster]  # fmt: skip
    for row in dice.some(workloads, 0.4):
        shares = json.loads(row[column] or "[]")
        row[column] = json.dumps([*shares, {"name": name, "cost": dice.weight(400_000)}])
    if asset_type == "Disk" and dice.chance(0.3):
        cost = dice.weight(400_000)
        found.allocations.append(
            landed(
                "opencost_allocations", "opencost",
                **window, cluster=cluster, namespace="__unmounted__", pod="__unmounted__",
                container="__unmounted__", row_kind="unmounted", minutes="1440",
                started_at=window["window_start"], ended_at=window["window_end"],
                cpu_cost=0, gpu_cost=0, ram_cost=0, pv_cost=cost, lb_cost=0, network_cost=0,
                volumes=json.dumps([{"name": name, "cost": cost}]),
            )
        )  # fmt: skip


def _costs(dice: Dice, node: dict[str, Any]) -> dict[str, int]:
    """A container's part of its node: mostly within it, sometimes together far above."""
    return {
        f"{kind}_cost": 0
        if dice.chance(0.25)
        else dice.randint(0, max(1, node[f"{kind}_cost"] // dice.pick((1, 3, 6, 6))))
        for kind in KINDS
    }
