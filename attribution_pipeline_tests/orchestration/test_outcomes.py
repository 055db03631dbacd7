"""Outcomes of the worked day: which operation each is of, and what a useful one cost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.definitions import build_defs
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.outcomes import OutcomesOfDays, outcomes_of
from attribution_pipeline.sources.landing import land
from attribution_pipeline.views.outcomes import COLUMNS
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.test_cli import refusal, run

HEADER = "time,operation_id,trace_id,kind,value"
AT = "2026-10-05T12:00:00Z"


def trace(number: int) -> str:
    return f"{number:032x}"


def with_outcomes(house: House, *lines: str, name: str = "outcomes") -> House:
    folder = house.deployment.path.parent / "outcomes"
    if not folder.exists():
        folder.mkdir()
        text = house.deployment.path.read_text().rstrip()
        house.deployment.path.write_text(
            f"{text}\n  outcomes:\n    - {{name: product, uri: ./outcomes}}\n"
        )
    (folder / f"{name}.csv").write_text("\n".join([HEADER, *lines, ""]))
    found = House(load_deployment(house.deployment.path))
    land(found.sources, found.landed)
    return found


def of_day(house: House, *lines: str, **more: Any) -> OutcomesOfDays:
    return outcomes_of(with_outcomes(house, *lines), DAY, DAY + timedelta(days=3), **more)


def cost_of_trace(house: House, number: int) -> Decimal:
    """By the shortest way: the request level's rows of the trace's operations."""
    operations = house.lake.read("operations", DAY, DAY).to_pylist()
    numbers = {row["operation_number"] for row in operations if row["trace_id"] == trace(number)}
    costs = house.lake.read("operation_costs", DAY, DAY).to_pylist()
    return sum(
        (row["effective_cost"] for row in costs if row["operation_number"] in numbers), Decimal(0)
    )


def test_an_outcome_of_a_trace_has_its_tenant_workflow_and_exact_cost(house: House) -> None:
    found = of_day(house, f"{AT},,{trace(1)},resolution,1")
    (row,) = found.rows.to_pylist()
    assert tuple(row) == COLUMNS
    assert (row["tenant_id"], row["workflow_id"]) == ("tenant-a", "search")
    assert row["effective_cost"] == cost_of_trace(house, 1) > 0
    assert row["billing_currency"] == "USD"
    assert (row["matched"], row["operations"]) == (True, 1)


@pytest.mark.parametrize("name", ["msg-3", f"{trace(3)}:000000000000003c"])
def test_an_operation_id_is_a_response_or_a_span(house: House, name: str) -> None:
    (row,) = of_day(house, f"{AT},{name},,accepted_suggestion,").rows.to_pylist()
    assert (row["tenant_id"], row["effective_cost"]) == ("tenant-b", cost_of_trace(house, 3))


def test_what_no_operation_answers_to_is_counted_and_stays_in_the_table(house: House) -> None:
    found = of_day(house, f"{AT},,{trace(99)},resolution,1", f"{AT},,{trace(1)},resolution,1")
    assert (found.found.outcomes, found.found.matched, found.found.unmatched) == (2, 1, 1)
    assert sorted(row["matched"] for row in found.rows.to_pylist()) == [False, True]
    (kind,) = found.summed.to_pylist()
    assert (kind["outcomes"], kind["useful"], kind["unmatched"]) == (2, 2, 1)


def test_a_useful_outcome_costs_what_all_operations_of_its_kind_cost(house: House) -> None:
    lines = [
        f"{AT},,{trace(1)},resolution,1",
        f"2026-10-05T13:00:00Z,,{trace(1)},resolution,2.5",  # one operation, paid once
        f"{AT},,{trace(2)},resolution,0",  # nothing useful came of it, and it cost
        f"{AT},,{trace(3)},click,",
    ]
    found = of_day(house, *lines)
    click, resolution = found.summed.to_pylist()
    cost = cost_of_trace(house, 1) + cost_of_trace(house, 2)
    assert (resolution["useful"], resolution["value"]) == (2, Decimal("3.5"))
    assert resolution["effective_cost"] == cost
    assert abs(resolution["cost_per_useful"] * 2 - cost) <= Decimal("0.000000000001")
    assert click["cost_per_useful"] == cost_of_trace(house, 3)
    by = of_day(house, *lines, by=("tenant_id", "workflow_id")).summed.to_pylist()
    assert [(row["tenant_id"], row["workflow_id"], row["outcomes"]) for row in by] == [
        ("tenant-a", "digest", 1), ("tenant-a", "search", 2), ("tenant-b", "agent", 1),
    ]  # fmt: skip


def test_nothing_useful_has_no_cost_of_a_useful_one(house: House) -> None:
    (kind,) = of_day(house, f"{AT},,{trace(1)},resolution,-1").summed.to_pylist()
    assert (kind["useful"], kind["cost_per_useful"]) == (0, None)


def test_an_outcome_that_is_delivered_twice_is_one(house: House) -> None:
    line = f"{AT},,{trace(1)},resolution,1"
    with_outcomes(house, line)
    other = f"{AT},,{trace(2)},resolution,1"
    found = outcomes_of(with_outcomes(house, line, other, name="again"), DAY, DAY)
    assert (found.found.records, found.found.outcomes, found.found.repeated) == (3, 2, 1)


def test_an_outcome_may_come_days_later_and_as_of_before_it_there_is_none(house: House) -> None:
    before = datetime.now(UTC)
    found = with_outcomes(house, f"2026-10-08T08:00:00Z,,{trace(1)},resolution,1")
    assert outcomes_of(found, DAY, DAY).found.outcomes == 0
    later = DAY + timedelta(days=3)
    assert outcomes_of(found, later, later).found.matched == 1
    assert outcomes_of(found, later, later, as_of=before).found.outcomes == 0


def test_the_asset_counts_the_days_outcomes_by_kind(house: House) -> None:
    with_outcomes(house, f"{AT},,{trace(1)},resolution,1", f"{AT},,{trace(99)},resolution,1")
    job = build_defs(house.deployment.path).resolve_job_def("late_days")
    result = job.execute_in_process(
        asset_selection=[dg.AssetKey("outcomes")], partition_key=DAY.isoformat()
    )
    (event,) = result.get_asset_materialization_events()
    shown = event.materialization.metadata
    assert (shown["outcomes"].value, shown["matched"].value, shown["unmatched"].value) == (2, 1, 1)


def test_the_command_sums_by_what_is_asked_and_tells_what_is_unmatched(house: House) -> None:
    lines = (f"{AT},,{trace(1)},resolution,1", f"{AT},,{trace(99)},resolution,1")
    config = with_outcomes(house, *lines).deployment.path
    result = run("outcomes", "--config", config, "--by", "kind,tenant_id", "--format", "json")
    assert result.exit_code == 0, result.output
    known, unknown = json.loads(result.stdout)
    assert (known["tenant_id"], known["outcomes"]) == ("tenant-a", 1)
    assert Decimal(known["cost_per_useful"]) == cost_of_trace(house, 1)
    assert (unknown["tenant_id"], unknown["unmatched"]) == (None, 1)
    assert result.stderr.startswith("2 outcomes, 1 without a recorded operation")
    assert "`basis` is no column of outcomes" in refusal(
        "outcomes", "--config", config, "--by", "basis"
    )
