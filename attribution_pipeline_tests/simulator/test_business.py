"""Budgets and outcomes of the made-up company stand beside it and change nothing else of it."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from attribution_pipeline.simulator import Report, write_company
from attribution_pipeline.simulator.business import BUDGETS, OUTCOMES, OUTDATED
from attribution_pipeline_tests.simulator import reading
from attribution_pipeline_tests.simulator.conftest import DAYS, SPANS_PER_DAY


@pytest.fixture(scope="module")
def business(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("business") / "acme"
    write_company(folder, days=DAYS, spans_per_day=SPANS_PER_DAY, business=True)
    return folder


def outcomes(folder: Path) -> list[dict[str, str]]:
    paths = sorted((folder / "outcomes").glob("*.csv"))
    assert len(paths) == DAYS
    return [row for path in paths for row in csv.DictReader(path.read_text().splitlines())]


def test_evidence_and_truth_are_the_same_bytes_with_it_and_without(
    business: Path, company: tuple[Path, Report]
) -> None:
    without, with_it = reading.digest(company[0]), reading.digest(business)
    added = ("outcomes", "reservations", "controls")
    more = {path for path in with_it if path.partition("/")[0] in added}
    assert len(more) == 2 * DAYS + 1 + 3
    assert set(with_it) - more == set(without)
    assert [path for path in without if with_it[path] != without[path]] == ["attribution.yaml"]


def test_the_same_seed_gives_the_same_outcomes(business: Path, tmp_path: Path) -> None:
    write_company(tmp_path / "again", days=DAYS, spans_per_day=SPANS_PER_DAY, business=True)
    assert reading.digest(tmp_path / "again") == reading.digest(business)


def test_most_outcomes_are_of_requests_that_happened_and_some_of_nothing(business: Path) -> None:
    traces = {span.id[0] for span in reading.spans(business)}
    rows = outcomes(business)
    assert {row["kind"] for row in rows} <= {kind for kind, _, _ in OUTCOMES.values()}
    by_trace = [row for row in rows if row["trace_id"]]
    strays = [row for row in by_trace if row["trace_id"] not in traces]
    assert 0 < len(strays) < len(by_trace) / 20
    assert 0 < sum(bool(row["operation_id"]) for row in rows) < len(rows)
    useful = sum(int(row["value"]) for row in rows)
    assert len(rows) / 2 < useful < len(rows)
    begins = datetime(2026, 10, 5, tzinfo=UTC)
    assert all(datetime.fromisoformat(row["time"]) > begins for row in rows)


def test_chat_is_of_less_use_in_the_newer_half_and_jobs_by_clock_are_named(business: Path) -> None:
    shares = []
    for path in sorted((business / "outcomes").glob("*.csv")):
        rows = [row for row in csv.DictReader(path.read_text().splitlines())
                if row["kind"] == "resolution"]  # fmt: skip
        shares.append(sum(int(row["value"]) for row in rows) / len(rows))
    half = len(shares) // 2
    assert max(shares[-half:]) < min(shares[:-half])
    said = yaml.safe_load((business / "attribution.yaml").read_text())
    assert said["scheduled_workflows"] == ["nightly-*", "hourly-sync"]


def test_some_requests_have_no_outcome(business: Path) -> None:
    named = {row["trace_id"] for row in outcomes(business)}
    roots = {span.id[0] for span in reading.spans(business)}
    assert len(roots - named) > len(roots) / 4


def test_budgets_are_round_and_a_gateways_counters_only_grow(business: Path) -> None:
    said = yaml.safe_load((business / "reservations" / "budgets.yaml").read_text())["reservations"]
    assert [one["name"] for one in said] == [budget.name for budget in BUDGETS]
    for one in said:
        assert (one["period_start"], one["period_end"]) == (date(2026, 10, 5), date(2026, 11, 1))
        assert len(str(one["amount"]).rstrip("0").replace(".", "")) <= 2
    counted: dict[str, list[Decimal]] = {}
    for path in sorted((business / "reservations").glob("*.csv")):
        for row in csv.DictReader(path.read_text().splitlines()):
            counted.setdefault(row["scope"], []).append(Decimal(row["counted"]))
    assert len(counted) == sum(bool(budget.tenant) for budget in BUDGETS)
    assert any(OUTDATED in scope for scope in counted)
    assert all(0 < first < last for first, last in counted.values())


def test_a_company_that_runs_into_the_next_month_has_a_budget_for_each(tmp_path: Path) -> None:
    write_company(
        tmp_path / "acme", days=3, spans_per_day=300, first_day=date(2026, 10, 30), business=True
    )
    said = yaml.safe_load((tmp_path / "acme" / "reservations" / "budgets.yaml").read_text())
    periods = {(one["period_start"], one["period_end"]) for one in said["reservations"]}
    assert periods == {
        (date(2026, 10, 30), date(2026, 11, 1)), (date(2026, 11, 1), date(2026, 12, 1)),
    }  # fmt: skip
