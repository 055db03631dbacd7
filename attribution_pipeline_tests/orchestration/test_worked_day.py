"""The worked day through Dagster: every row, every quantum, every check."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline.orchestration.checks.alerts import telemetry_coverage
from attribution_pipeline.orchestration.checks.answers import RecordedDay
from attribution_pipeline.orchestration.checks.completeness import QUESTIONS as DISCLOSED
from attribution_pipeline.orchestration.checks.on_ledger import ALERTING, BLOCKING
from attribution_pipeline.orchestration.checks.rollups import QUESTIONS as ROLLED
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.ledger_figures import main_component
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline.views.reasons import remedy
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY, rewrite


def test_the_recorded_ledger_is_the_expected_one_row_by_row(house: House) -> None:
    with (WORKED_DAY / "expected_ledger.csv").open(newline="") as file:
        expected = list(csv.DictReader(file))
    recorded = house.lake.read("ledger", DAY, DAY).to_pylist()
    columns = list(expected[0])
    texts = Counter(
        tuple("" if row[name] is None else f"{row[name]}" for name in columns) for row in recorded
    )
    assert texts == Counter(tuple(row[name] for name in columns) for row in expected)


def test_a_run_reports_landing_days_checks_and_the_tie_out(deployment_file: Path) -> None:
    told: list[str] = []
    report = run_days(load_deployment(deployment_file), DAY, DAY, told.append)
    assert told == [*report.landing, *(outcome.line() for outcome in report.days)]
    assert report.landing[0].startswith("billing bill: objects 1 new")
    (outcome,) = report.days
    assert outcome.status == "recorded"
    assert {check.name for check in outcome.checks} == {*BLOCKING, *ALERTING, *DISCLOSED, *ROLLED}
    assert all(check.passed for check in outcome.checks if check.blocking)
    assert report.failures == []
    rows = {row["cost"]: row for row in report.tie_out}
    assert rows["billed_cost"]["billed"] == Decimal("50.26")
    assert rows["effective_cost"]["billed"] == Decimal("46.96")
    assert {row["difference"] for row in rows.values()} == {Decimal(0)}


def test_alerts_name_what_the_day_lacks_and_what_to_do(deployment_file: Path) -> None:
    report = run_days(load_deployment(deployment_file), DAY, DAY)
    coverage, unallocated, segmentation, actors = report.alerts
    assert "2 of 3 slices are outside 0.98 to 1.02, lowest 0.750000" in coverage
    assert "deliver their spans" in coverage
    assert "13.46 % of effective_cost is unallocated, more than 5.00 %" in unallocated
    assert "`telemetry_gap`" in unallocated
    assert "below 99.00 % in 1 of 1 slices, lowest 72.13 %" in segmentation
    assert "below 95.00 % in 3 of 3 slices, lowest 0.00 %" in actors


def test_an_alert_of_coverage_names_models_that_bill_and_calls_spell_apart(house: House) -> None:
    text = (WORKED_DAY / "policies" / "policy-1.yaml").read_text()
    for kind in ("input", "cache-read", "output"):
        text = text.replace(f"(?P<model>.+)-{kind}-tokens$", f"(?P<model>.+-{kind})-tokens$")
    recorded = RecordedDay(house, DAY)
    assert "meet no call" not in telemetry_coverage(recorded).description
    recorded.__dict__["policy"] = parse_policy(text)
    assert (
        "meet no call, and calls of anthropic.claude-sonnet meet no charge. Where the bill"
        in telemetry_coverage(recorded).description
    )


def test_what_to_do_about_a_reason_goes_by_the_part_that_has_most_of_it() -> None:
    costs = [("no_driver", "shared", 3, "USD"), ("no_driver", "idle", 5, "USD"),
             ("no_driver", "workload", 9, "EUR"), ("telemetry_gap", "direct", 9, "USD")]  # fmt: skip
    rows = pa.Table.from_pylist(
        [
            dict(
                zip(("unallocated_reason", "component", "billing_currency"), (r, c, u), strict=True)
            )
            | dict.fromkeys(("billed_cost", "effective_cost"), Decimal(cost))
            for r, c, cost, u in costs
        ]
    )
    assert main_component(rows, "no_driver", "USD", "effective_cost") == "idle"
    assert main_component(rows, "no_driver", "EUR", "effective_cost") == "workload"
    assert "the policy keeps visible (`idle: {keep: visible}`)" in remedy("no_driver", "idle")


def test_running_a_day_again_changes_nothing(house: House) -> None:
    before = house.lake.head(DAY)
    report = run_days(house.deployment, DAY, DAY)
    assert [outcome.status for outcome in report.days] == ["unchanged"]
    assert House(house.deployment).lake.head(DAY) == before
    assert report.landing[0] == "billing bill: objects 0 new, 1 known"


def test_a_new_policy_version_is_a_new_state_of_the_same_day(house: House) -> None:
    first = house.deployment.policies_folder / "policy-1.yaml"
    second = first.with_name("policy-2.yaml")
    second.write_text(first.read_text())
    rewrite(second, "version: 1", "version: 2")
    rewrite(second, "driver: usage.query_units", "driver: even")
    report = run_days(house.deployment, DAY, DAY)
    assert [outcome.status for outcome in report.days] == ["recorded"]
    manifest = House(house.deployment).lake.manifest(DAY)
    assert (manifest["state"], manifest["policy"]["version"]) == (2, 2)
    assert {row["difference"] for row in report.tie_out} == {Decimal(0)}


def test_every_day_of_a_range_is_made_in_order(house: House) -> None:
    report = run_days(house.deployment, DAY, date(2026, 10, 6))
    assert [(outcome.day.day, outcome.status) for outcome in report.days] == [
        (5, "unchanged"),
        (6, "recorded"),
    ]


def test_runs_are_kept_where_dagster_home_says(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg

    from attribution_pipeline_tests.cases import REPOSITORY

    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_bytes((REPOSITORY / "dagster.yaml").read_bytes())
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    run_days(house.deployment, DAY, DAY)
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("attribution_ledger"))
        assert event is not None
        assert event.get_dagster_event().partition == "2026-10-05"
        assert not instance.telemetry_enabled
