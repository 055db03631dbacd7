"""Jobs by clock whose output no one used, and features that cost more for less: said where it is so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import Session, session
from attribution_pipeline.model.daily import SCHEMAS
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.views.daily import open_daily
from attribution_pipeline.views.outcomes import LOOKBACK_DAYS
from attribution_pipeline.views.spend.highlights import READS, highlights
from attribution_pipeline.views.spend.use import outrun_features, unused_jobs
from attribution_pipeline_tests.proof.replays import History
from attribution_pipeline_tests.test_cli import refusal, run

METRIC = "effective_cost"
MONDAY = date(2026, 10, 5)
LAST = MONDAY + timedelta(days=20)


@pytest.fixture
def db() -> Iterator[Session]:
    with session(Compute()) as found:
        for table in ("spend_daily", "outcomes_daily"):
            found.load(table, SCHEMAS[table].empty_table())
        yield found


def costs(db: Session, day: int, cost: int, **said: str) -> None:
    columns = {"component": "direct", "billing_currency": "USD", **said}
    db.execute(
        f"insert into spend_daily (charge_date, effective_cost, {', '.join(columns)}) values "
        f"('{MONDAY + timedelta(days=day)}', {cost}, "
        f"{', '.join(repr(one) for one in columns.values())})"
    )


def comes(db: Session, day: int, outcomes: int, *, useful: bool = True, **said: str) -> None:
    db.execute(
        f"insert into outcomes_daily (charge_date, kind, useful, matched, outcomes, {', '.join(said)}) "
        f"values ('{MONDAY + timedelta(days=day)}', 'read', {useful}, true, {outcomes}, "
        f"{', '.join(repr(one) for one in said.values())})"
    )


# -- scheduled jobs ----------------------------------------------------------------------------------


def test_a_job_by_clock_is_unused_where_no_useful_outcome_is_joined_to_it(db: Session) -> None:
    for tenant, cost in (("a", 5), ("b", 7), ("c", 11)):
        costs(db, 0, cost, workflow_id="nightly-digest", tenant_id=tenant)
        costs(db, 0, cost, workflow_id="chat", tenant_id=tenant)
    comes(db, 0, 1, workflow_id="nightly-digest", tenant_id="a")
    comes(db, 0, 9, workflow_id="nightly-digest", tenant_id="b", useful=False)
    (found,) = unused_jobs(db, METRIC, ["nightly-*", "hourly-sync"], LAST)
    assert (found.workflow_id, found.cost) == ("nightly-digest", Decimal(18))
    assert (found.tenants, found.of_tenants) == (2, 3)
    assert unused_jobs(db, METRIC, [], LAST) == [], "nobody said that it runs by clock"


def test_overhead_is_no_cost_of_a_job(db: Session) -> None:
    costs(db, 0, 5, workflow_id="nightly-digest", tenant_id="a", component="overhead")
    comes(db, 0, 1, workflow_id="chat", tenant_id="a")
    assert unused_jobs(db, METRIC, ["nightly-*"], LAST) == []


def test_where_no_outcome_is_reported_at_all_nothing_is_called_unused(db: Session) -> None:
    costs(db, 0, 5, workflow_id="nightly-digest", tenant_id="a")
    assert unused_jobs(db, METRIC, ["nightly-*"], LAST) == []


def test_a_job_is_not_judged_by_days_whose_outcomes_may_still_come(db: Session) -> None:
    for day in (0, 3, 4):
        costs(db, day, 10, workflow_id="nightly-digest", tenant_id="a")
    comes(db, 4, 1, workflow_id="chat", tenant_id="a")
    until = MONDAY + timedelta(days=3)
    (found,) = unused_jobs(db, METRIC, ["nightly-*"], until)
    assert (found.cost, found.until) == (Decimal(20), until)
    comes(db, 6, 1, workflow_id="nightly-digest", tenant_id="a")
    assert unused_jobs(db, METRIC, ["nightly-*"], until) == []


# -- features that outrun their outcomes ----------------------------------------------------------------


def periods(db: Session, feature: str, cost: tuple[int, int], useful: tuple[int, int]) -> None:
    """Two days of a feature: what it cost on each, and how many useful outcomes there were."""
    for day in (0, 1):
        costs(db, day, cost[day], feature=feature)
        comes(db, day, useful[day], feature=feature)


@pytest.mark.parametrize("cost", [(100, 100), (100, 220), (100, 60)])
def test_a_feature_outruns_its_outcomes_when_a_useful_one_costs_more(
    db: Session, cost: tuple[int, int]
) -> None:
    useful = 1000, round(1000 * cost[1] / cost[0] / 2)
    periods(db, "chat", cost, useful)
    (found,) = outrun_features(db, METRIC, LAST)
    assert (found.feature, found.older, found.newer) == (
        "chat", (MONDAY, MONDAY), (MONDAY + timedelta(days=1),) * 2,
    )  # fmt: skip
    assert found.cost == Decimal(cost[1]) / 2, "half of it would have bought as much"


@pytest.mark.parametrize(
    ("cost", "useful"),
    [
        ((100, 200), (1000, 2000)),  # grows with its outcomes
        ((100, 110), (1000, 1000)),  # within what is called growth
        ((100, 100), (30, 20)),  # few: chance alone does that
        ((100, 300), (10, 10)),  # too few to say anything
        ((100, 100), (1000, 2000)),  # cheaper
        ((0, 100), (1000, 1000)),  # cost nothing before
    ],
)
def test_growth_with_the_outcomes_and_chance_are_left_alone(
    db: Session, cost: tuple[int, int], useful: tuple[int, int]
) -> None:
    periods(db, "chat", cost, useful)
    assert outrun_features(db, METRIC, LAST) == []


def test_what_is_small_beside_the_whole_is_left_alone(db: Session) -> None:
    periods(db, "chat", (1, 1), (1000, 500))
    periods(db, "research", (1000, 1000), (1000, 1000))
    assert outrun_features(db, METRIC, LAST) == []


def test_periods_are_whole_weeks_where_there_are_two(db: Session) -> None:
    for day in range(17):
        costs(db, day, 100, feature="chat")
        comes(db, day, 100 if day < 10 else 40, feature="chat")
    (found,) = outrun_features(db, METRIC, LAST)
    assert (found.newer[1] - found.newer[0]).days == (found.older[1] - found.older[0]).days == 6
    assert found.newer[1] == MONDAY + timedelta(days=16)


def test_one_day_alone_is_compared_with_nothing(db: Session) -> None:
    costs(db, 0, 100, feature="chat")
    comes(db, 0, 100, feature="chat")
    assert outrun_features(db, METRIC, LAST) == []


# -- as the company's people read it ---------------------------------------------------------------------


def test_the_companys_unused_jobs_are_called_out(company: House) -> None:
    days = company.lake.days()
    with session(Compute()) as db:
        open_daily(db, company.lake, days[0], days[-1], READS, landed=company.landed)
        scheduled = company.deployment.scheduled_workflows
        later = days[-1] + timedelta(days=LOOKBACK_DAYS)
        found = highlights(db, METRIC, later, unusual=(), scheduled=scheduled)
        silent = highlights(db, METRIC, later, unusual=())
        early = highlights(db, METRIC, days[-1], unusual=(), scheduled=scheduled)
    unused = [one for one in found if one.kind == "unused_job"]
    assert any("hourly-sync" in one.says and "anybody" in one.says for one in unused)
    assert all(one.do for one in found)
    assert not any(one.kind == "unused_job" for one in silent)
    assert not any(one.kind == "unused_job" for one in early), "outcomes may still come"


def test_the_command_shows_a_view_and_says_what_it_had_to_compute(
    company: House, history: History
) -> None:
    config = company.deployment.path
    result = run("spend", "business", "--config", config, "--format", "json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert {"kind", "feature", "tenant_id", "useful", "cost_per_useful"} <= set(rows[0])
    assert result.stderr == "", "the days' run has made everything"
    told = run("spend", "--config", config)
    assert "idle" in told.stdout
    assert "unused_job" not in told.stdout, "outcomes of these days may still come"
    old = run("spend", "product", "--config", history.folder / "attribution.yaml")
    assert old.exit_code == 0
    assert "computed from the ledger, for want of roll-ups: 1 day: 2026-10-05" in old.stderr
    assert "`lost` is no view" in refusal("spend", "lost", "--config", config)
