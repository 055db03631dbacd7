"""Random worlds: parts sum to the change to the quantum, at every grain, in every currency.

``EXPLAIN_WORLDS``: how many pairs of worlds (default 2).
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

from attribution_pipeline.views.explain.parts import PARTS, Explanation
from attribution_pipeline_tests.attribution.engine_run import EngineDay, run
from attribution_pipeline_tests.explain.books import as_period, asked, requests
from attribution_pipeline_tests.worlds import world

PAIRS = int(os.environ.get("EXPLAIN_WORLDS", "2"))
TENANTS = 2
"""Of a pair of worlds that are asked for alone."""
METRICS = ("billed_cost", "effective_cost")


def quanta(amount: object) -> int:
    return int(amount.scaleb(12))  # type: ignore[attr-defined]


def sums(ledger: list[dict], metric: str, *columns: str) -> dict[tuple, int]:
    found: dict[tuple, int] = defaultdict(int)
    for row in ledger:
        found[tuple(row[column] for column in (*columns, "billing_currency"))] += quanta(
            row[metric]
        )
    return found


def agrees(found: Explanation, against: EngineDay, now: EngineDay, metric: str) -> list[str]:
    """Where groups do not cost what the ledger says, or parts do not sum to the change."""
    wrong = []
    for columns in (("tenant_id",), ("tenant_id", "workflow_id"), ("model",)):
        before, after = (sums(one.ledger, metric, *columns) for one in (against, now))
        groups = found.by(columns)
        for group in {*before, *after, *groups}:
            ends = before.get(group, 0), after.get(group, 0)
            told = groups.get(group)
            if told is None:
                wrong += [f"{group} is missing"] if any(ends) else []
            elif (told.against, told.now) != ends:
                wrong.append(f"{group}: {told.against}, {told.now}, the ledger says {ends}")
            elif sum(told.parts[part] for part in PARTS) != ends[1] - ends[0]:
                wrong.append(f"{group}: parts do not sum")
    return wrong


@pytest.mark.parametrize("pair", range(PAIRS))
def test_parts_sum_to_the_change_at_every_grain(pair: int, tmp_path: Path) -> None:
    worlds = [world(2 * pair), world(2 * pair + 1)]
    days = [run(there, tmp_path / str(n)) for n, there in enumerate(worlds)]
    periods = [
        as_period(there.day, dict(found.outcome.files))
        for there, found in zip(worlds, days, strict=True)
    ]
    metric = METRICS[pair % 2]
    everybody = asked(*periods, None, metric)
    assert agrees(everybody, *days, metric) == []
    tenants = {row["tenant_id"] for one in days for row in one.ledger} - {None}
    for tenant in sorted(tenants)[:TENANTS]:
        mine = [[row for row in one.ledger if row["tenant_id"] == tenant] for one in days]
        found = asked(*periods, tenant, metric)
        for currency in found.currencies:
            ends = [sums(rows, metric).get((currency,), 0) for rows in mine]
            total = found.total(currency)
            assert [total.against, total.now] == ends
            assert sum(total.parts.values()) == ends[1] - ends[0]


def test_requests_cost_what_its_calls_cost_in_the_ledger(tmp_path: Path) -> None:
    there = world(3)
    found = run(there, tmp_path / "day")
    period = as_period(there.day, dict(found.outcome.files))
    same = asked(period, period, None)
    assert not any(any(one.parts.values()) for one in same.sums.values()), "a day against itself"
    listed = requests(period, period, None, 10_000).to_pylist()
    metered = {
        row["attribution_id"] for row in found.ledger
        if row["component"] == "direct" and row["basis"] == "operations"
        and row["unallocated_reason"] is None and row["charge_class"] is None
        and row["charge_category"] != "Credit"
    }  # fmt: skip
    cost = sum(
        quanta(row["billed_cost"]) for row in found.operation_costs
        if row["attribution_id"] in metered
    )  # fmt: skip
    assert cost > 0
    assert sum(quanta(row["cost"]) for row in listed) == cost
    assert all(row["moved"] == row["cost"] - row["usual_cost"] for row in listed)
    moved = [abs(row["moved"]) for row in listed]
    assert moved == sorted(moved, reverse=True)
