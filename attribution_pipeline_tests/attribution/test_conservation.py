"""Every charge comes out whole, whatever its size or sign, however it is divided."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal

import pytest

from attribution_pipeline_tests.attribution.days import (
    METERS,
    call,
    day,
    line,
    node,
    pod,
    token_line,
)

BILLS = 10_000
QUANTUM = Decimal("0.000000000001")
POLICY = (
    METERS
    + """
nodes: [{from: provider_id, pattern: "(?P<id>i-[a-z0-9]+)$"}]
pools:
  - {name: nodes, match: {ServiceCategory: Compute}, split: opencost, driver: active_time,
     idle: {driver: active_time, within: cluster}}
  - {name: queries, match: {ServiceName: Vectors}, driver: usage.queries}
  - {name: support, match: {ServiceName: Support}, component: overhead, driver: cost, within: all}
  - {name: even, match: {ServiceName: Even}, component: overhead, driver: even}
"""
)


def amount(dice: random.Random) -> str:
    kind = dice.randrange(7)
    if kind == 0:
        return "0"
    if kind == 1:
        return f"{QUANTUM * dice.choice([-1, 1]):f}"
    if kind == 2:  # beyond 9e18 quanta: wider than 64 bits
        return str(dice.choice([-1, 1]) * dice.randrange(10**7, 10**13))
    if kind == 3:
        return f"-{dice.randrange(1, 10**6)}.{dice.randrange(10**12):012d}"
    return f"{dice.randrange(10**4)}.{dice.randrange(10**12):012d}"


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_thousand_bills_conserve_both_costs(tmp_path, seed):
    """Each bill an account of its own; two seeds make 20,000."""
    dice = random.Random(seed)
    lines, spans = [], []
    for number in range(1, BILLS + 1):
        account = f"account-{number}"
        where = {"BillingAccountId": account, "EffectiveCost": Decimal(amount(dice))}
        if dice.random() < 0.1:
            where["ChargeClass"] = "Correction"
        tokens = dice.choice([0, 1, dice.randrange(1, 10**6), None])
        lines.append(
            token_line(number, amount(dice), "m-uncached", 0, **where)
            | {"ConsumedQuantity": None if tokens is None else str(tokens)}
        )
        # some bills without evidence, most with a few calls, some skewed, one with thousands
        calls = 3000 if number == 1 else dice.choice([0, 1, 2, 3, 5])
        for _ in range(calls):
            weight = dice.choice([0, 1, dice.randrange(1, 1000), 10**6])
            tenant = dice.choice(["a", "b", None])
            spans.append(call(len(spans), tenant, account=account, uncached_input=weight))
    found = day(tmp_path, POLICY, lines=lines, spans=spans)
    assert_conserved(found, lines)
    assert found.outcome.stats["integer"] == "hugeint"
    assert {"no_operation_evidence", "telemetry_gap", "rounding", "identity_missing", None} <= {
        row["unallocated_reason"] for row in found.ledger
    }


def test_nodes_idle_shared_and_overhead_conserve(tmp_path):
    """Credits, over-allocated nodes and huge amounts through every other division."""
    dice = random.Random(3)
    lines, assets, pods, spans, usage = [], [], [], [], []
    for number in range(60):
        name = f"n{number}"
        assets.append(node(name, cpu=dice.randrange(10**6), gpu=dice.choice([0, 10**6]), ram=7))
        lines.append(
            line(len(lines) + 1, amount(dice), ServiceCategory="Compute", ResourceId=f"i-{name}",
                 EffectiveCost=Decimal(amount(dice)))
        )  # fmt: skip
        for index in range(dice.randrange(4)):
            cost = {kind: dice.randrange(10**6) for kind in ("cpu", "gpu", "ram")}
            pods.append(pod(f"{name}-{index}", name, **cost))
            for _ in range(dice.randrange(4)):
                spans.append(
                    call(len(spans), dice.choice(["a", "b", "c", None]), pod=f"{name}-{index}",
                         namespace="apps", seconds=dice.choice([0, 1, 30]))
                )  # fmt: skip
    for service in ("Vectors", "Support", "Even", "Unknown"):
        for _ in range(30):
            lines.append(line(len(lines) + 1, amount(dice), ServiceName=service,
                              EffectiveCost=Decimal(amount(dice))))  # fmt: skip
    for tenant, quantity in (("a", "1.5"), ("b", "0"), ("c", "0.0003"), (None, "2")):
        usage.append({"source": "u", "object_id": "u", "position": 1, "service": "Vectors",
                      "metric": "queries", "quantity": quantity, "tenant_id": tenant,
                      "date": lines[0]["ChargePeriodStart"].date()})  # fmt: skip
    found = day(
        tmp_path, POLICY, lines=lines, spans=spans, allocations=pods, assets=assets, usage=usage
    )
    assert_conserved(found, lines)
    assert {row["component"] for row in found.ledger} == {
        "direct", "workload", "shared", "idle", "overhead",
    }  # fmt: skip


def assert_conserved(found, lines):
    """Account by account against the lines themselves, and requests against their rows."""
    for cost, column in (("billed_cost", "BilledCost"), ("effective_cost", "EffectiveCost")):
        billed, ledger = defaultdict(Decimal), defaultdict(Decimal)
        for row in lines:
            billed[row["BillingAccountId"]] += row[column]
        for row in found.ledger:
            ledger[row["billing_account_id"]] += row[cost]
        assert {k: v for k, v in billed.items() if v} == {k: v for k, v in ledger.items() if v}
        requests = defaultdict(Decimal)
        for row in found.operation_costs:
            requests[row["attribution_id"]] += row[cost]
        rows = {r["attribution_id"]: r[cost] for r in found.ledger if r["basis"] == "operations"}
        assert set(requests) <= set(rows)
        assert all(requests[key] == value for key, value in rows.items())
    assert set(found.outcome.tie_out["difference"].to_pylist()) <= {Decimal(0)}
