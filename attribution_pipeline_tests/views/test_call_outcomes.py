"""A call's page names the outcomes, calls and costs that the view of outcomes names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import Session, session
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.views.dashboard import call_outcomes
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline.views.dashboard.call_outcomes import calls_of_outcome, outcomes_of_call
from attribution_pipeline.views.outcomes import few, joined, open_outcomes, outcome_rows
from attribution_pipeline.views.outcomes.joined import join_outcomes, load_outcomes

SAME = (
    "observed_at", "kind", "value", "operation_id", "trace_id", "operations", "tenant_id", "agent",
    "model", "billing_currency", "billed_cost", "effective_cost",
)  # fmt: skip
ASKED = 3


@pytest.fixture
def books(company: House) -> Iterator[Books]:
    found = Books(company.deployment)
    yield found
    found.close()


def test_a_calls_outcomes_are_those_of_the_view(company: House, books: Books) -> None:
    days = company.lake.days()
    with session(Compute()) as db:
        open_outcomes(db, company.lake, company.landed, days[0], days[-1])
        rows = {row["outcome_number"]: row for row in outcome_rows(db).to_pylist()}
        links = db.rows(
            "select l.outcome_number, p.charge_date, p.operation_number, p.trace_id "
            "from links l join published p using (charge_date, operation_number) order by all"
        )
    for outcome, day, number, trace in links[:: len(links) // ASKED]:
        call = {"operation_number": number, "trace_id": trace}
        found = outcomes_of_call(books, day, call)
        assert found is not None
        assert [rows[outcome][name] for name in SAME] in [
            [row[name] for name in SAME] for row in found.to_pylist()
        ]


def test_an_outcome_has_calls_of_all_traces_that_say_its_operation(
    company: House, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = company.lake.days()
    calls = {
        (row["charge_date"], row["trace_id"]): row
        for row in company.lake.read("operations", days[0], days[-1]).to_pylist()
    }
    first, other = (next(row for (on, _), row in calls.items() if on == day) for day in days)
    traces = {first["trace_id"], other["trace_id"]}
    with session(Compute()) as db:
        load_outcomes(db, company.landed, days[0], days[-1])
        near = db.table(
            "select * replace ('op-1' as operation_id, null::varchar as trace_id) from outcomes limit 1"
        )

    def say(db: Session, *_: object) -> None:
        said = [{"trace_id": one, "span_id": "root", "operation_id": "op-1", "signed": False}
                for one in traces]  # fmt: skip
        db.load("said", pa.Table.from_pylist(said))

    def load(_books: Books, db: Session, *_: object) -> None:
        db.load("outcomes", near)

    monkeypatch.setattr(call_outcomes, "_load_near", load)
    monkeypatch.setattr(joined, "_load_spans", say)
    behind = {
        row["operation_number"]
        for row in company.lake.read("operations", days[0], days[-1]).to_pylist()
        if row["trace_id"] in traces
    }
    found = outcomes_of_call(books, days[0], first)
    assert found is not None
    assert {row["operations"] for row in found.to_pylist()} == {len(behind)}
    listed = calls_of_outcome(books, days[0], first, found["outcome"][0].as_py()).to_pylist()
    assert {row["operation_number"] for row in listed} == behind
    assert {row["charge_date"] for row in listed} == set(days)


def _with_an_outcome(company: House) -> tuple[date, dict[str, Any]]:
    """A call that has outcomes."""
    days = company.lake.days()
    with session(Compute()) as db:
        open_outcomes(db, company.lake, company.landed, days[0], days[-1])
        ((day, number, trace),) = db.rows(
            "select p.charge_date, p.operation_number, p.trace_id from links l "
            "join published p using (charge_date, operation_number) order by all limit 1"
        )
    return day, {"operation_number": number, "trace_id": trace}


def test_the_calls_behind_a_calls_outcomes_are_worked_out_with_them(
    company: House, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, call = _with_an_outcome(company)
    usual, opened = call_outcomes._opened, []

    def noted(*of: Any) -> call_outcomes.Opened:
        opened.append(of[3:])
        return usual(*of)

    monkeypatch.setattr(call_outcomes, "_opened", noted)
    found = outcomes_of_call(books, day, call)
    assert found is not None
    assert found.num_rows
    outcomes = sorted(set(found["outcome"].to_pylist()))
    together = [calls_of_outcome(books, day, call, one) for one in outcomes]
    assert opened == [()], "once for all of it"
    counts = dict(zip(found["outcome"].to_pylist(), found["operations"].to_pylist(), strict=True))
    for one, calls in zip(outcomes, together, strict=True):
        assert len(set(calls["operation_number"].to_pylist())) == counts[one]
        assert "outcome" not in calls.column_names

    monkeypatch.setattr(call_outcomes, "MOST_CALLS", 0)
    other = Books(company.deployment)
    try:
        alone = [calls_of_outcome(other, day, call, one) for one in outcomes]
    finally:
        other.close()
    assert alone == together
    assert opened[1:] == [(), *((one,) for one in outcomes)], "too many to be kept with them"


def _joined(company: House, days: list[date]) -> tuple[list[Any], list[Any]]:
    """Rows and costs of outcomes that name a trace, a response, a span's key, and what a span says."""
    with session(Compute()) as db:
        load_outcomes(db, company.landed, days[0], days[-1])
        db.load("calls", company.lake.read("operations", days[0], days[-1]))
        db.execute(
            "update outcomes set trace_id = null, operation_id = (select min(response_id) from calls) "
            "where outcome_number = 1; "
            "update outcomes set trace_id = null, operation_id = (select max(trace_id || ':' || span_id) "
            "from calls) where outcome_number = 2"
        )
        assert db.one("select count(*) from outcomes where operation_id like 'op-%'")
        join_outcomes(db, company.lake, company.landed, days[0], days[-1])
        assert (
            db.one("select count(distinct outcome_number) from links where outcome_number < 3") == 2
        )
        return outcome_rows(db).to_pylist(), db.rows("select * from costs order by all")


def test_outcomes_that_are_asked_for_by_value_have_the_calls_and_costs_of_those_that_are_joined(
    company: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = company.lake.days()
    monkeypatch.setattr(few, "MOST_VALUES", 0)
    many = _joined(company, days)
    monkeypatch.setattr(few, "MOST_VALUES", 1_000_000)
    assert _joined(company, days) == many
