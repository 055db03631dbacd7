"""Budgets beside the ledger: landed, watched, alerting; and never in the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import attribution_pipeline
from attribution_pipeline.config import load_deployment
from attribution_pipeline.definitions import build_defs
from attribution_pipeline.model import ledger as published
from attribution_pipeline.orchestration.checks.reservations import (
    budget_guardrail,
    reservation_drift,
)
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.planes import ASSET_OF_PLANE, LANDED_TABLES, basis_of_day
from attribution_pipeline.orchestration.reserving import Reserved, reserved
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.orchestration.deployments import DAY, record_otherwise
from attribution_pipeline_tests.test_cli import refusal, run

HEADER = "name,scope,period_start,period_end,amount,currency,counted,counted_at,gateway"
PERIOD = "2026-10-05,2026-10-12"
ENOUGH = f"all,*,{PERIOD},1000000,USD,,,"
LITTLE = f"tenant a,tenant_id = tenant-a,{PERIOD},0.000000000001,USD,,,"
EXPECTED = f"tenant b,tenant_id = tenant-b,{PERIOD},{{amount}},USD,,,"
IN_EUROS = f"euros,tenant_id = tenant-a,{PERIOD},1000000,EUR,,,"


def with_budgets(house: House, *lines: str) -> House:
    """The deployment with a budget file, landed."""
    folder = house.deployment.path.parent
    text = house.deployment.path.read_text()
    if "reservations:" not in text:
        text = text.rstrip() + "\n  reservations:\n    - {name: budgets, uri: ./budgets}\n"
        house.deployment.path.write_text(text)
        (folder / "budgets").mkdir()
    records = [line + "," * (HEADER.count(",") - line.count(",")) for line in lines]
    (folder / "budgets" / "budgets.csv").write_text("\n".join([HEADER, *records, ""]))
    found = House(load_deployment(house.deployment.path))
    land(found.sources, found.landed)
    return found


def spent(house: House, tenant: str) -> Decimal:
    rows = house.lake.read("ledger", DAY, DAY, ["tenant_id", "effective_cost"]).to_pylist()
    total: Decimal = sum(
        (r["effective_cost"] for r in rows if r["tenant_id"] == tenant), Decimal(0)
    )
    return total


def states(found: Reserved) -> list[tuple[str, str]]:
    return [(one.reservation.name, one.state) for one in found.statuses]


def test_a_budget_that_is_over_trips_the_guardrail(house: House) -> None:
    cost = spent(house, "tenant-b")
    # of a week one day is recorded: seven of it are expected
    expected = EXPECTED.format(amount=cost * 2)
    found = reserved(with_budgets(house, ENOUGH, LITTLE, expected, IN_EUROS))
    assert states(found) == [
        ("tenant a", "over"), ("tenant b", "forecast_over"), ("euros", "other_currency"),
        ("all", "within"),
    ]  # fmt: skip
    assert found.statuses[0].attributed == spent(house, "tenant-a")
    assert found.statuses[1].breach_by == cost * 5
    answer = budget_guardrail(found)
    assert not answer.passed
    assert {key: answer.metadata[key] for key in ("over", "forecast_over", "other_currency")} == {
        "over": 1, "forecast_over": 1, "other_currency": 1,
    }  # fmt: skip
    assert "tenant a (tenant_id = tenant-a) is over its 0.00 USD by" in answer.description
    assert "raise the amount in its file" in answer.description
    assert budget_guardrail(reserved(with_budgets(house, ENOUGH))).passed


def test_a_policy_says_how_many_budgets_may_be_over(house: House) -> None:
    found = reserved(with_budgets(house, LITTLE))
    assert found.policy is not None
    tolerance = found.policy.tolerance.model_copy(update={"reservations_over": 1})
    lenient = found.policy.model_copy(update={"tolerance": tolerance})
    assert budget_guardrail(Reserved(found.statuses, found.metric, DAY, lenient, 0)).passed


@pytest.mark.parametrize(("times", "passed"), [("1.04", True), ("1.06", False), ("0.9", False)])
def test_a_counter_off_the_ledger_trips_the_drift(house: House, times: str, passed: bool) -> None:
    counted = spent(house, "tenant-a") * Decimal(times)
    line = f"a,tenant_id = tenant-a,{PERIOD},1000000,USD,{counted:.12f},2026-10-06,llm"
    answer = reservation_drift(reserved(with_budgets(house, line)))
    assert answer.passed is passed
    assert answer.metadata["compared"] == 1
    if not passed:
        assert "most llm for a (tenant_id = tenant-a)" in answer.description


def test_status_as_of_an_instant_reads_ledger_and_budgets_as_they_were(house: House) -> None:
    before = datetime.now(UTC)
    with_budgets(house, ENOUGH)
    after = datetime.now(UTC)
    found = with_budgets(house, LITTLE)
    assert states(reserved(found)) == [("tenant a", "over")]
    assert states(reserved(found, after)) == [("all", "within")]
    assert states(reserved(found, before)) == []
    long_before = datetime(2026, 10, 1, tzinfo=UTC)
    assert states(reserved(found, long_before)) == []


def test_the_asset_shows_every_budget_and_both_checks_warn(house: House) -> None:
    with_budgets(house, LITTLE, ENOUGH)
    job = build_defs(house.deployment.path).resolve_job_def("landing")
    result = job.execute_in_process(asset_selection=[dg.AssetKey("reservations")])
    (event,) = result.get_asset_materialization_events()
    shown = event.materialization.metadata
    assert shown["reservations"].value == 2
    assert "is over its" in str(shown["in_words"].value)
    answers = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert {name: one.passed for name, one in answers.items()} == {
        "budget_guardrail": False, "reservation_drift": True,
    }  # fmt: skip
    assert {one.severity for one in answers.values()} == {dg.AssetCheckSeverity.WARN}


def test_the_command_tells_state_and_drift_and_gives_programs_exact_amounts(house: House) -> None:
    line = f"a,tenant_id = tenant-a,{PERIOD},1000000,USD,1,2026-10-06,llm"
    config = with_budgets(house, line).deployment.path
    result = run("reservations", "--config", config)
    assert result.exit_code == 0, result.output
    assert "a (tenant_id = tenant-a) is within its 1,000,000.00 USD" in result.stdout
    (row,) = json.loads(run("reservations", "--config", config, "--format", "json").stdout)
    assert Decimal(row["attributed_to_date"]) == spent(house, "tenant-a")
    assert (row["forecast_method"], row["days_expected"]) == ("run_rate", 6)
    (row,) = json.loads(
        run("reservations", "--config", config, "--drift", "--format", "json").stdout
    )
    assert Decimal(row["drift"]) == 1 - spent(house, "tenant-a")


def test_without_a_budget_the_command_says_where_to_name_one(house: House) -> None:
    said = refusal("reservations", "--config", house.deployment.path)
    assert "no reservation is landed" in said
    assert "name a folder under `sources.reservations`" in said


# -- a reservation is no attribution -----------------------------------------------------------------


def test_no_published_table_has_a_column_of_a_reservation() -> None:
    tables = [
        value
        for name, value in vars(published).items()
        if name.isupper() and hasattr(value, "names")
    ]
    assert len(tables) >= 5
    for table in tables:
        assert not [name for name in table.names if re.search("reserv|budget|amount", name)]


def test_no_plane_reads_reservations_and_landing_one_makes_no_day_stale(house: House) -> None:
    assert "reservations" not in {table for tables in LANDED_TABLES.values() for table in tables}
    before = {plane: basis_of_day(house, plane, DAY) for plane in ASSET_OF_PLANE}
    after = with_budgets(house, LITTLE)
    assert after.landed.head[0] == house.landed.head[0] + 1
    assert {plane: basis_of_day(after, plane, DAY) for plane in ASSET_OF_PLANE} == before


FORBIDDEN: Sequence[str] = ("attribution", "lake", "proof", "export", "envelope")
IMPORTS = re.compile(
    r"^\s*(?:from|import)\s+\S*\b(?:reservations|reserved|reservation_\w+)\b", re.M
)


def test_nothing_that_makes_records_or_exports_the_ledger_imports_reservations() -> None:
    package = Path(str(attribution_pipeline.__file__)).parent
    paths: list[Path] = [path for name in FORBIDDEN for path in (package / name).rglob("*.py")]
    paths += [package / "views" / f"{name}.py" for name in ("ledger", "revisions", "invoices")]
    assert len(paths) > 50
    assert [str(path) for path in paths if IMPORTS.search(path.read_text(encoding="utf-8"))] == []
    reading = package / "orchestration" / "reserving.py"
    assert IMPORTS.search(reading.read_text(encoding="utf-8")), (
        "the pattern finds what it is to find"
    )


def test_a_run_tells_budgets_that_are_over(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from attribution_pipeline.orchestration.run import run_days

    found = with_budgets(house, LITTLE)
    report: Any = run_days(found.deployment, DAY, DAY)
    (line,) = [alert for alert in report.alerts if alert.startswith("budget_guardrail")]
    assert "tenant a (tenant_id = tenant-a) is over" in line
    assert report.failures == []


def test_a_budget_of_a_period_long_over_is_counted_and_not_watched(house: House) -> None:
    old = DAY - timedelta(days=60)
    line = f"old,*,{old},{old + timedelta(days=7)},1,USD,,,"
    found = reserved(with_budgets(house, line, ENOUGH))
    assert (states(found), found.long_over) == ([("all", "within")], 1)
    for day in (old, DAY - timedelta(days=40)):
        record_otherwise(house, day=day)
    found = reserved(with_budgets(house, line, ENOUGH), every=True)
    assert states(found) == [("old", "over"), ("all", "within")]
    assert found.statuses[0].days_recorded == 1
