"""The spend views sum to the ledger, say how sure they are, and call out little and rightly."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pytest

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import Session, session
from attribution_pipeline.model.ledger import CONFIDENCES
from attribution_pipeline.views.daily import TABLES, open_daily
from attribution_pipeline.views.spend import VIEWS, spend_view
from attribution_pipeline.views.spend import highlights as highlighting
from attribution_pipeline.views.spend.anomalies import (
    FEWEST_DAYS,
    MOST_SHOWN,
    Anomaly,
    anomalies,
    recorded_anomalies,
    stands_out,
)
from attribution_pipeline.views.spend.highlights import highlights
from attribution_pipeline.views.spend.table import (
    at_zero,
    earlier_days,
    earlier_said,
    table_lines,
    tail,
)
from attribution_pipeline_tests.orchestration.deployments import DAY, place_of, with_value
from attribution_pipeline_tests.proof.replays import History
from attribution_pipeline_tests.views.from_the_ledger import VIEWS as OF_LEDGER
from attribution_pipeline_tests.views.from_the_ledger import open_ledger, view_of_ledger

METRIC = "effective_cost"
LEFT_OUT = {
    "model": lambda row: row["model"] is None and row["surface"] not in (
        "model_inference", "embeddings", "evaluation"),
    "platform": lambda row: row["component"] not in ("workload", "shared", "idle"),
    "backlog": lambda row: row["unallocated_reason"] in (None, "rounding", "outside_range")
    or row["component"] == "overhead",
}  # fmt: skip
"""Rows of the ledger that a view is not about."""


@pytest.fixture
def opened(recorded_history: History):
    """The worked day's tables."""
    house = recorded_history.house()
    lake = house.lake
    with session(Compute()) as db:
        open_daily(db, lake, DAY, DAY, TABLES, landed=house.landed)
        yield db, lake.read("ledger", DAY, DAY).to_pylist()


@pytest.mark.parametrize("name", [name for name in VIEWS if name != "business"])
def test_a_view_sums_to_the_ledger_and_its_confidences_to_itself(opened, name):
    db, ledger = opened
    rows = spend_view(db, name, METRIC).to_pylist()
    expected = defaultdict(Decimal)
    for row in ledger:
        if name not in LEFT_OUT or not LEFT_OUT[name](row):
            expected[tuple(row[key] for key in (*VIEWS[name].keys, "billing_currency"))] += row[
                METRIC
            ]
    found = {tuple(r[k] for k in (*VIEWS[name].keys, "billing_currency")): r[METRIC] for r in rows}
    if name == "backlog":
        expected = {key: cost for key, cost in expected.items() if cost}
    assert found == dict(expected)
    assert len(found) == len(rows), "one row a key"
    for row in rows:
        assert sum(row[word] for word in CONFIDENCES) == row[METRIC]
        assert row["provisional"] == row[METRIC], "nothing of the worked day is closed"
        assert row["policy_versions"]


def test_prices_and_savings_are_the_bills_own(opened):
    db, ledger = opened
    rows = spend_view(db, "model", METRIC).to_pylist()
    metered = [row for row in rows if row["tokens"]]
    assert metered
    for row in metered:
        exact = Fraction(row[METRIC]) * 1_000_000 / Fraction(row["tokens"])
        assert abs(Fraction(row["price_per_million"]) - exact) <= Fraction(1, 2_000_000)
    # input tokens are one slice with a usage charge and a correction of it, divided by the same
    # tokens: these are the denominator once, not twice
    inputs = [row for row in ledger if row["token_kind"] == "uncached_input"]
    (denominator,) = {row["driver_total"] for row in inputs}
    assert (
        sum(row["tokens"] for row in metered if row["token_kind"] == "uncached_input")
        == denominator
    )
    assert any(row["charge_class"] == "Correction" for row in inputs)


def test_pods_of_a_model_are_no_price_of_it_by_name() -> None:
    rows = pa.table(
        {
            "provider": ["openai", "AWS", "AWS"], "model": ["gpt-4o", "gpt-4o", None],
            "surface": ["model_inference", "kubernetes", "kubernetes"],
            "effective_cost": [Decimal("13.78"), Decimal("5.97"), Decimal("1.00")],
        }
    )  # fmt: skip
    _, _, *lines = table_lines(rows)
    assert [line.split() for line in lines] == [
        ["openai", "gpt-4o", "model_inference", "13.78"],
        ["AWS", "gpt-4o", "pods", "that", "call", "or", "serve", "it", "5.97"],
        ["AWS", "kubernetes", "1.00"],
    ]


def test_idle_capacity_and_what_nobody_pays_stand_out(opened):
    db, _ = opened
    found = highlights(db, METRIC, DAY, unusual=())
    assert {one.kind for one in found} >= {"unallocated", "idle"}
    assert [abs(one.cost) for one in found] == sorted((abs(o.cost) for o in found), reverse=True)


@pytest.mark.parametrize(
    ("row", "advice"),
    [
        ({"resource_id": "i-1"}, "idle that the policy keeps visible"),
        # more than the resource's idle: something else of it has no driver either
        ({"resource_id": "i-2"}, "Deliver the usage report"),
        (
            {"unallocated_reason": "no_operation_evidence", "pool": None, "model": "NovaPro"},
            "a meter with `model: NAME`",
        ),
        ({"unallocated_reason": "no_operation_evidence"}, "Instrument what runs in these pods"),
    ],
)
def test_what_to_do_is_told_by_the_part_that_stands_open(
    monkeypatch: pytest.MonkeyPatch, row: dict[str, object], advice: str
) -> None:
    of = {"pool": "nodes", "service": "EC2", "billing_currency": "USD"}
    views = {
        "platform": [
            {**of, "resource_id": "i-1", "idle": Decimal(5)},
            {**of, "resource_id": "i-2", "idle": Decimal(4)},
        ],
        "backlog": [
            {**of, "unallocated_reason": "no_driver", "resource_id": None, "model": None,
             METRIC: Decimal(5)} | row
        ],
    }  # fmt: skip
    monkeypatch.setattr(
        highlighting, "spend_view", lambda db, name, metric: pa.Table.from_pylist(views[name])
    )
    (told,) = highlighting._unallocated(None, METRIC)
    assert advice in told.do


def _series(costs: list[int], first: date) -> dict[date, Decimal]:
    return {first + timedelta(days=n): Decimal(cost) for n, cost in enumerate(costs)}


MONDAY = date(2026, 10, 5)
KEY = ("acme", "chat", "USD")


def judged(costs: list[int], *, whole: int = 0) -> list[Decimal]:
    """Differences that the last day of a series stands out by, beside another of ``whole`` a day."""
    series = {
        KEY: _series(costs, MONDAY),
        ("z", None, "USD"): _series([whole] * len(costs), MONDAY),
    }
    days = sorted(series[KEY])
    return [one.difference for one in stands_out(series, days[-1], days[:-1])]


def test_a_spike_stands_out_and_noise_does_not():
    calm = [100, 103, 98, 101, 99, 102, 100, 97, 104]
    assert judged([*calm, 160]) == [Decimal(60)]
    assert judged([*calm, 40]) == [Decimal(-60)]
    assert judged([*calm, 110]) == []


def test_a_quiet_weekend_is_no_anomaly_once_weeks_are_known():
    week = [100, 102, 101, 99, 100, 10, 9]
    assert judged([*week, *week, *week, *week[:5], 11]) == []
    assert judged([*week, *week, *week, *week[:5], 90]) == [Decimal(80)]


def test_one_old_spike_does_not_excuse_the_next():
    assert judged([100, 101, 900, 99, 100, 102, 98, 100, 800]) == [Decimal(700)]


def test_what_is_small_beside_the_day_is_left_alone():
    calm = [1, 1, 1, 1, 1, 1, 1]
    assert judged([*calm, 9]) == [Decimal(8)]
    assert judged([*calm, 9], whole=10_000) == []


def test_nothing_is_said_without_a_past():
    assert judged([100, 900]) == []


def test_an_anomaly_is_explained_by_what_moved_most(tmp_path: Path):
    with session(Compute()) as db:
        _made_up(db)
        (found,) = anomalies(db, METRIC, MONDAY + timedelta(days=9))
    assert (found.tenant_id, found.feature, found.difference) == ("acme", "chat", Decimal(50))
    assert found.mostly == "workflow agent, big-model, direct"
    assert found.against == "9 days before"


def test_charges_of_days_before_the_first_are_no_anomaly_and_move_none():
    with session(Compute()) as db:
        _made_up(db)
        # a thousand of earlier days stands on each day that is looked back to, and on the newest
        db.execute(
            "insert into spend_daily select tenant_id, feature, billing_currency, null, null, component, "
            "charge_date, 1000 * (1 + day(charge_date)), 'outside_range' from spend_daily "
            "where workflow_id = 'agent'"
        )
        (found,) = anomalies(db, METRIC, MONDAY + timedelta(days=9))
    assert (found.cost, found.expected) == (70, 20)
    assert found.mostly == "workflow agent, big-model, direct"


def test_charges_of_days_before_the_first_stand_apart_and_nobody_is_asked_to_label_them(
    history: History,
):
    def of_an_earlier_day(rows: pa.Table) -> pa.Table:
        place = place_of(rows, unallocated_reason="unmatched_charge")
        return with_value(rows, place, "unallocated_reason", "outside_range")

    history.record_otherwise({"ledger": of_an_earlier_day})
    house = history.house()
    (cost,) = [
        row[METRIC] for row in house.lake.read("ledger", DAY, DAY).to_pylist()
        if row["unallocated_reason"] == "outside_range"
    ]  # fmt: skip
    assert cost > 0
    with session(Compute()) as db, session(Compute()) as other:
        open_daily(db, house.lake, DAY, DAY, TABLES, landed=house.landed)
        open_ledger(other, house.lake, DAY, DAY)
        for name in OF_LEDGER:
            assert spend_view(db, name, METRIC).equals(view_of_ledger(other, name, METRIC)), name
        product = spend_view(db, "product", METRIC).to_pylist()
        backlog = spend_view(db, "backlog", METRIC).to_pylist()
        found = highlights(db, METRIC, DAY, unusual=())
        apart = earlier_days(db, METRIC)
    assert [row["before_first_day"] for row in product if row["before_first_day"] is not None] == [
        cost
    ]
    for row in product:
        parts = ("direct", "workload", "shared", "idle", "overhead", "before_first_day")
        assert sum(row[part] or 0 for part in parts) == row[METRIC]
    assert backlog
    assert "outside_range" not in {row["unallocated_reason"] for row in backlog}
    assert "outside_range" not in {one.of.get("unallocated_reason") for one in found}
    assert apart == [("USD", cost)]
    assert earlier_said(apart) == (
        f"not in this: {cost:.2f} USD of charges from before the first recorded day, booked on it: "
        "nothing to label"
    )
    assert earlier_said([]) == ""


def test_anomalies_of_a_day_are_held_against_the_weeks_before_it(tmp_path: Path, monkeypatch):
    """Whatever span somebody looks at."""
    asked = []

    def opened(db, lake, first, last, tables, **how):
        asked.append((first, last, tables))
        _made_up(db)

    monkeypatch.setattr("attribution_pipeline.views.daily.open_daily", opened)
    newest = MONDAY + timedelta(days=9)
    (found,), _ = recorded_anomalies(None, METRIC, newest, compute=Compute())
    assert found.difference == Decimal(50)
    assert asked == [(newest - timedelta(days=56), newest, ("spend_daily",))]


def test_each_currency_has_its_own_dearest(opened):
    db, _ = opened
    unusual = [
        Anomaly(
            DAY, "acme", f"f{n}", currency, Decimal(cost), Decimal(1), Decimal(1), "days before"
        )
        for currency, cost in (("JPY", 90_000), ("USD", 90))
        for n in range(5)
    ]
    said = [
        one.currency for one in highlights(db, METRIC, DAY, unusual=unusual)
        if one.kind == "anomaly"
    ]  # fmt: skip
    assert said == ["JPY"] * 3 + ["USD"] * 3


def test_anomalies_of_a_small_currency_are_not_crowded_out():
    with session(Compute()) as db:
        db.execute(
            "create table spend_daily as select 'acme' as tenant_id, 'f' || f as feature, currency as "
            "billing_currency, 'w' as workflow_id, 'm' as model, 'direct' as component, "
            "cast(date '2026-10-05' + cast(n as integer) as date) as charge_date, "
            f"cast(case when n = {FEWEST_DAYS} then 6 else 1 end * cost as decimal(38, 12)) "
            f"as effective_cost, cast(null as varchar) as unallocated_reason from range({FEWEST_DAYS + 1}) days(n), range({MOST_SHOWN}) features(f), "
            "(values ('JPY', 10000), ('USD', 1)) c(currency, cost)"
        )
        found = anomalies(db, METRIC, MONDAY + timedelta(days=FEWEST_DAYS))
    assert [one.currency for one in found] == ["JPY"] * MOST_SHOWN + ["USD"] * MOST_SHOWN


def _made_up(db: Session) -> None:
    db.execute(
        "create table spend_daily as select 'acme' as tenant_id, 'chat' as feature, 'USD' as "
        "billing_currency, w.workflow_id, w.model, 'direct' as component, "
        "cast(date '2026-10-05' + cast(n as integer) as date) as charge_date, "
        "cast(case when n = 9 and w.workflow_id = 'agent' then 60 else 10 end as decimal(38, 12)) "
        "as effective_cost, cast(null as varchar) as unallocated_reason from range(10) days(n), "
        "(values ('agent', 'big-model'), ('form', 'small-model')) w(workflow_id, model)"
    )


def test_a_version_under_which_nothing_stands_any_more_is_not_named():
    with session(Compute()) as db:
        db.execute(
            "create table rows_of as select g, cast(cost as decimal(38, 12)) as billed_cost, "
            "cast(cost as decimal(38, 12)) as effective_cost, v as policy_version, "
            "'metered' as confidence, 'provisional' as settlement "
            "from (values ('moved', 0, 2), ('moved', 7, 3), ('gone', 0, 2), ('both', 1, 2), ('both', 1, 3)"
            ") t(g, cost, v)"
        )
        found = dict(
            db.rows(
                f"select g, policy_versions from (select g, {tail(METRIC)} from rows_of group by g)"
            )
        )
    assert found == {"moved": "3", "gone": "2", "both": "2 to 3"}


def test_a_row_at_zero_is_one_that_costs_nothing_and_did_nothing():
    zero, one = Decimal(0), Decimal("0.000000000001")

    def told(costs: list[Decimal | None], calls: list[int]) -> list[bool]:
        amounts = pa.array(costs, pa.decimal128(38, 12))
        rows = pa.table(
            {
                "billed_cost": amounts,
                "effective_cost": amounts,
                "calls": pa.array(calls, pa.int64()),
            }
        )
        return at_zero(rows).to_pylist()

    assert told([zero, one, zero, None], [0, 0, 5, 0]) == [True, False, False, False]
    assert told([zero, zero], [0, 0]) == [False, False], "then they are the answer"
    assert told([], []) == []


def test_what_stands_out_is_said_in_cents():
    said = [highlighting._money(Decimal(text)) for text in ("54", "54.0049", "-0.5", "0.004")]
    assert said == ["54.00", "54.00", "-0.50", "< 0.01"]
