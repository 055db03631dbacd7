"""Made-up policies: every meter kind, every driver, every switch."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attribution_pipeline.model.policy import Policy
from attribution_pipeline_tests.worlds.calls import ALIAS
from attribution_pipeline_tests.worlds.dice import Dice
from attribution_pipeline_tests.worlds.names import ALIASES, Setting

UNITS = {"Tokens": 1, "1000 Tokens": 1000, "1M Tokens": 1_000_000}
METER_KINDS = (
    "uncached_input",
    "input",
    "cache_read",
    "cache_write",
    "output",
    "reasoning",
    "total",
)
SERVICES = {
    "tokens": "Gateway",
    "requests": "Tracing",
    "active_time": "Evaluation",
    "gpu_time": "GPU Licences",
    "usage.query_units": "Pinecone",
    "usage.bytes": "Object Storage",
    "cost": "Platform Fee",
    "even": "Seats",
    "fixed": "Contract",
    "none": "Miscellaneous",
}
"""The service that a driver's pool takes."""
OVERHEAD = {"support": {"ServiceName": "Support"}, "tax": {"ChargeCategory": "Tax"},
            "credits": {"ChargeCategory": "Credit"}}  # fmt: skip
DIRECT = ("Hosted Zone", "Bucket")
"""Services that no pool takes."""


def policy(setting: Setting, servers: list[tuple[str, tuple[str, str]]]) -> Policy:
    """``servers``: addresses of model servers without server spans, and their workloads."""
    dice = setting.dice
    said: dict[str, Any] = {
        "policy": "random-world",
        "version": 1,
        "effective_from": "2026-01-01",
        "settlement": {"metric": dice.pick(("effective_cost", "effective_cost", "billed_cost"))},
        "join": _join(setting),
        "tolerance": {"telemetry_coverage": dice.pick(([Decimal("0.98"), Decimal("1.02")],
                                                       [Decimal("0.5"), Decimal(1)],
                                                       [1, 1]))},
        "evidence_gap": dice.pick(("keep_unallocated", "keep_unallocated", "spread")),
        "meters": _meters(dice),
        "nodes": [
            {"from": "provider_id", "pattern": "(?P<id>i-[0-9a-f]+)$", "to": "ResourceId"},
            {"from": "provider_id", "pattern": "scaleSets/(?P<id>[^/]+)/", "to": "ResourceId"},
            {"from": "provider_id", "pattern": "^(?P<id>vol-.*)$", "to": "ResourceId"},
            {"from": "node", "pattern": "^(?P<id>lb-.*)$", "to": "ResourceId"},
        ],
        "serving": [_served_by(dice, address, *workload) for address, workload in servers],
        "pools": _pools(setting),
    }  # fmt: skip
    return Policy.model_validate(said)


def _served_by(dice: Dice, address: str, namespace: str, controller: str) -> dict[str, Any]:
    by: dict[str, Any] = dice.pick(({"server_address": address + "*"},
                                    {"server_address": address + ":*", "model": "claude"},
                                    {"model": "n?va"}))  # fmt: skip
    workload = {"namespace": namespace}
    if dice.chance(0.8):
        workload["controller"] = controller
    if dice.chance(0.2):
        workload["cluster"] = "east"
    return by | {"workload": workload}


def _join(setting: Setting) -> dict[str, Any]:
    dice = setting.dice
    sources = ["pod_label", "workload_label", "namespace_label", "pod_annotation",
               "namespace_annotation", "namespace"]  # fmt: skip
    dice.shuffle(sources)
    join: dict[str, Any] = {
        "direction": "roll_up_operations" if dice.chance(0.15) else "allocate_to_operations",
        "route_keys": dice.pick((["account", "region"], ["account", "region"], ["account"],
                                 ["region"], [])),
        "label_precedence": sources[: dice.randint(1, 6)],
        "tenant_aliases": ALIASES if dice.chance(0.5) else {},
        "dedicated": dice.pick(([], [{"namespace": "tenant-*"}],
                                [{"controller": "batch"}, {"namespace": "*", "pod": "app-?"}])),
    }  # fmt: skip
    if dice.chance(0.3):
        join["attributes"] = {"tenant_id": ["not.there", ALIAS]}
    return join


def _meters(dice: Dice) -> list[dict[str, Any]]:
    meters: list[dict[str, Any]] = []
    for kind in METER_KINDS:
        if not dice.chance(0.6):
            continue
        meters.append({
            "match": {"ServiceName": "Amazon Bedrock", "SkuMeter": f"*-{kind}-tokens"},
            "provider": "aws.bedrock",
            "model": {"from": "SkuMeter", "pattern": f"^(?P<model>.+)-{kind}-tokens$"},
            "token_kind": kind,
            "tokens_per_unit": UNITS,
        })  # fmt: skip
    if dice.chance(0.4):
        meters.append({
            "match": {"ServiceName": "OpenAI*", "SkuId": "sku-*"},
            "provider": "openai", "model": dice.pick(("claude", "nova")),
            "token_kind": dice.pick(METER_KINDS), "tokens_per_unit": UNITS,
        })  # fmt: skip
    if dice.chance(0.2):
        meters.append({
            "match": {"ServiceName": "*OpenAI"}, "provider": "vllm",
            "model": "nova", "token_kind": "input", "tokens_per_unit": UNITS,
        })  # fmt: skip
    return meters


def _pools(setting: Setting) -> list[dict[str, Any]]:
    dice = setting.dice
    pools: list[dict[str, Any]] = []
    if dice.chance(0.9):
        pools.append(_nodes_pool(dice))
    if dice.chance(0.7):
        match = {"ServiceCategory": "Storage", "Tags.eks-cluster": "*"}
        pools.append({"name": "volumes", "match": match, "split": "opencost",
                      "driver": "active_time"})  # fmt: skip
    for driver, service in SERVICES.items():
        if dice.chance(0.75):
            pool: dict[str, Any] = {"name": driver.replace(".", "-"),
                                    "match": {"ServiceName": service}, "driver": driver}  # fmt: skip
            if dice.chance(0.3):
                pool["component"] = "overhead"
            pools.append(_with_switches(setting, pool))
    for name, match in OVERHEAD.items():
        if dice.chance(0.8):
            driver = dice.pick(("cost", "cost", "cost", "even", "tokens", "fixed", "none"))
            pool = {"name": name, "match": match, "driver": driver, "component": "overhead"}
            pools.append(_with_switches(setting, pool))
    dice.shuffle(pools)
    return pools


def _with_switches(setting: Setting, pool: dict[str, Any]) -> dict[str, Any]:
    dice = setting.dice
    if pool["driver"] == "fixed":
        pool["fixed"] = dice.pick(
            (
                {"acme": 100},
                {"acme": 60, "bolt": 40},
                {"acme": Decimal("33.333"), "zebra": Decimal("66.667")},
            )
        )
    if dice.chance(0.4):
        pool["within"] = "all"
    if dice.chance(0.2):
        pool["tagged"] = "first"
    return pool


def _nodes_pool(dice: Dice) -> dict[str, Any]:
    pool: dict[str, Any] = {
        "name": "nodes",
        "match": {"ServiceCategory": "Compute", "Tags.eks-cluster": "*"},
        "split": "opencost",
        "driver": dice.pick(("active_time",) * 6 + ("tokens", "requests", "gpu_time")),
        "over_allocation": dice.pick(("show", "show", "scale")),
        "idle": dice.pick(({"driver": "active_time", "within": "node"},
                           {"driver": "active_time", "within": "node"},
                           {"driver": "active_time", "within": "cluster"},
                           {"driver": dice.pick(("tokens", "requests", "gpu_time"))},
                           {"driver": dice.pick(("cost", "even"))},
                           {"keep": "visible"})),
    }  # fmt: skip
    if dice.chance(0.1):
        pool["tagged"] = "first"
    return pool
