"""OpenCost's snapshots round as OpenCost rounds, and honest gates let them pass."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np

from attribution_pipeline.simulator import Report
from attribution_pipeline.simulator.cluster import (
    COST_UNITS_PER_USD,
    Clusters,
    build,
    container_cost,
)
from attribution_pipeline.simulator.opencost import rounding_bound
from attribution_pipeline_tests.simulator import reading

Company = tuple[Path, Report]
PARTS = ("cpuCost", "gpuCost", "ramCost", "networkCost", "loadBalancerCost", "pvCost")


def test_a_rows_total_is_rounded_apart_and_stays_within_the_gate(company: Company) -> None:
    gaps = [
        abs(Decimal(row["totalCost"]) - sum(Decimal(row[part]) for part in PARTS))
        for _, row in reading.snapshot(company[0], "allocation")
    ]
    assert max(gaps) <= Decimal("7.5e-5")
    assert sum(gap > 0 for gap in gaps) > len(gaps) // 10, "rounding must be played, not avoided"


def test_workloads_and_idle_are_the_asset_up_to_rounding(company: Company) -> None:
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    rows: dict[tuple[str, str], int] = defaultdict(int)
    for path, row in reading.snapshot(company[0], "allocation"):
        key = (path.name.removeprefix("allocation-"), row["properties"]["node"])
        sums[key] += sum(Decimal(row[part]) for part in PARTS)
        rows[key] += 3
    for path, asset in reading.snapshot(company[0], "assets"):
        key = (path.name.removeprefix("assets-"), asset["properties"]["name"])
        bound = Decimal("5e-6") * rows[key] + Decimal("1e-6")
        assert abs(sums.pop(key) - Decimal(asset["totalCost"])) <= bound
    assert not sums


def test_one_node_is_over_allocated_and_its_idle_is_negative(company: Company) -> None:
    idle = [
        row for _, row in reading.snapshot(company[0], "allocation") if "__idle__" in row["name"]
    ]
    assert any(row["cpuCost"] < 0 for row in idle)


def test_rows_run_inside_their_window(company: Company) -> None:
    for _, row in reading.snapshot(company[0], "allocation"):
        assert row["window"]["start"] <= row["start"] <= row["end"] <= row["window"]["end"]
        assert row["minutes"] > 0


def test_list_prices_are_not_what_the_bill_says(company: Company) -> None:
    listed = {
        asset["properties"]["providerID"].rpartition("/")[2]: Decimal(asset["totalCost"])
        for path, asset in reading.snapshot(company[0], "assets")
        if path.name == "assets-2026-10-05.json"
    }
    billed: dict[str, Decimal] = defaultdict(Decimal)
    for row in reading.bill(company[0]):
        if (
            row["ServiceName"] == "Amazon Elastic Compute Cloud"
            and row["ChargePeriodStart"] < "2026-10-06"
        ):
            billed[row["ResourceId"]] += row["EffectiveCost"]
    assert set(billed) == set(listed)
    assert all(billed[node] < listed[node] for node in listed)


def test_the_rounding_bound_holds_for_every_node_and_is_not_idle_talk() -> None:
    clusters: Clusters = build(np.random.Generator(np.random.PCG64(3)), 2)
    amount = 786_000_000_000_000
    for number, node in enumerate(clusters.nodes):
        true_total = Fraction(sum(node.cost()), COST_UNITS_PER_USD)
        shown_total = sum(_steps(cost) for cost in node.cost())
        moved = Fraction(0)
        for index in clusters.pods_of(number):
            pod = clusters.pods[index]
            costs = [container_cost(node, pod, found) for found in pod.containers]
            true = Fraction(sum(map(sum, costs)), COST_UNITS_PER_USD)
            shown = sum(_steps(cost) for kinds in costs for cost in kinds)
            moved += abs(amount * true / true_total - amount * shown / shown_total)
        bound = rounding_bound(clusters, number, amount)
        assert 0 < moved <= bound < 100 * moved


def _steps(cost: int) -> Fraction:
    """What a reader takes for ``cost``: dollars at five decimals."""
    return Fraction(round(Fraction(cost, COST_UNITS_PER_USD) * 10**5), 10**5)
