"""Figures that others published for the same sums, as tests by the names of their files."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from attribution_pipeline_tests.attribution.days import (
    METERS,
    NODES,
    call,
    day,
    line,
    node,
    pod,
    token_line,
)
from attribution_pipeline_tests.cases import shared


def peer(name):
    return json.loads(shared(f"peers/{name}.json").read_text(), parse_float=Decimal)


@pytest.mark.parametrize("within", ["node", "cluster"])
def test_kubecost_idle_examples(tmp_path, within):
    case = peer("kubecost_idle_examples")["cases"][0]
    unit = 100_000  # one unit of cost is a dollar, in 1e-5
    lines, assets, pods, spans = [], [], [], []
    for number, machine in enumerate(case["nodes"]):
        name = machine["node"]
        units = len(machine["workloads"]) + machine["idle_units"]
        lines.append(
            line(number + 1, str(units), ServiceCategory="Compute", ResourceId=f"i-{name}")
        )
        assets.append(node(name, cpu=units * unit))
        for workload in machine["workloads"]:
            pods.append(pod(workload, name, cpu=unit))
            spans.append(call(len(spans), workload, namespace="apps", pod=workload))
    found = day(
        tmp_path, NODES % f"{{driver: active_time, within: {within}}}",
        lines=lines, assets=assets, allocations=pods, spans=spans,
    )  # fmt: skip
    assert found.cost(component="idle") == case["expect"]["separate_idle"]
    assert found.cost() == case["units_total"]
    for workload, share in case["expect"][f"share_by_{within}"].items():
        assert found.cost(tenant_id=workload) == Decimal(share), workload


def test_kubecost_idle_examples_node_price_normalisation(tmp_path):
    case = peer("kubecost_idle_examples")["cases"][3]
    price = {kind: int(Decimal(case["base"][key]) * 10**5)
             for kind, key in (("gpu", "gpu"), ("cpu", "cpu"), ("ram", "ram_gb"))}  # fmt: skip
    for kind, key in (("gpu", "gpu"), ("cpu", "cpu"), ("ram", "ram_gb")):
        folder = tmp_path / kind
        folder.mkdir()
        found = day(
            folder, NODES % "{keep: visible}",
            lines=[line(1, case["node_cost_month"], ServiceCategory="Compute", ResourceId="i-n")],
            assets=[node("n", **price)],
            allocations=[pod("p", "n", **{kind: price[kind]})],
            spans=[call(1, "t", namespace="apps", pod="p")],
        )  # fmt: skip
        assert found.cost(component="workload") == Decimal(case["expect"][key])


def test_opencost_llmd_primer(tmp_path):
    case = peer("opencost_llmd_primer")
    price = Decimal(case["inputs"]["core_price"])
    pods, spans = [], []
    for name, cores in case["inputs"]["workloads"].items():
        pods.append(pod(name, "n", cpu=int(cores["requested"] * price * 10**5)))
        # idle is weighted by allocation there: active time in proportion to what is requested
        seconds = cores["requested"] * 10
        spans.append(call(len(spans), name, seconds=seconds, namespace="apps", pod=name))
    cluster = Decimal(case["inputs"]["cluster_cost_per_hour"])
    evidence = {
        "lines": [line(1, str(cluster), ServiceCategory="Compute", ResourceId="i-n")],
        "assets": [node("n", cpu=int(cluster * 10**5))],
        "allocations": pods,
        "spans": spans,
    }
    expected = case["expect"]
    (tmp_path / "visible").mkdir()
    kept = day(tmp_path / "visible", NODES % "{keep: visible}", **evidence)
    assert kept.cost(component="idle") == Decimal(expected["allocation"]["__idle__"])
    for name in case["inputs"]["workloads"]:
        assert kept.cost(tenant_id=name) == Decimal(expected["allocation"][name])
    weighted = day(tmp_path, NODES % "{driver: active_time, within: node}", **evidence)
    for name, cost in expected["allocation_idle_weighted"].items():
        assert weighted.cost(tenant_id=name) == Decimal(cost)
    assert weighted.cost() == Decimal(case["sum"])


def test_focus_ai_prompt_caching(tmp_path):
    case = peer("focus_ai_prompt_caching")
    meter = {"Uncached": "m-uncached", "Write": "m-write", "Read": "m-read", None: "m-output"}
    lines = [
        token_line(
            number, row["cost"], meter[row["token_cache_action"]],
            str(Decimal(row["tokens"]) / 10**6), ConsumedUnit="1000000 Tokens",
        )
        for number, row in enumerate(case["rows"], 1)
    ]  # fmt: skip
    expected = {key: int(value) for key, value in case["expect"].items()}
    output = int(next(row["tokens"] for row in case["rows"] if row["token_direction"] == "Output"))
    span = call(
        1, "acme", uncached_input=expected["uncached"], cache_read=expected["cache_read"],
        cache_write_5m=expected["cache_creation"], visible_output=output,
    )  # fmt: skip
    found = day(tmp_path, METERS, lines=lines, spans=[span])
    assert found.cost(tenant_id="acme") == Decimal(case["total_cost"])
    assert found.cost() == Decimal(case["total_cost"])
    by_kind = {row["token_kind"]: row["billed_cost"] for row in found.ledger}
    assert by_kind == {
        "uncached_input": Decimal("1.5"), "cache_write": Decimal("7.5"),
        "cache_read": Decimal("2.4"), "output": Decimal("22.5"),
    }  # fmt: skip
    assert {row["confidence"] for row in found.ledger} == {"metered"}


@pytest.mark.parametrize("name", ["gpt-4o 90% cached", "gemini-3-flash-preview"])
def test_cached_token_incidents(tmp_path, name):
    case = next(c for c in peer("cached_token_incidents")["cases"] if c["name"] == name)
    price = {key: Decimal(value) / 10**6 for key, value in case["price_per_million"].items()}
    uncached = case["input_tokens_total"] - case["cache_read"]
    tokens = {"uncached": uncached, "read": case["cache_read"], "output": case.get("output", 0)}
    prices = {"uncached": price["input"], "read": price["cache_read"],
              "output": price.get("output", Decimal(0))}  # fmt: skip
    lines = [
        token_line(number, str(tokens[kind] * prices[kind]), f"m-{kind}", tokens[kind])
        for number, kind in enumerate(tokens, 1)
        if tokens[kind]
    ]
    span = call(1, "acme", uncached_input=uncached, cache_read=case["cache_read"],
                visible_output=case.get("output", 0))  # fmt: skip
    found = day(tmp_path, METERS, lines=lines, spans=[span])
    assert found.cost(tenant_id="acme") == Decimal(case["expect"]["right"])
    assert found.cost() != Decimal(case["expect"]["double_counted"])
