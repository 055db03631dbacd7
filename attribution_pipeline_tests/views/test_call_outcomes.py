"""A call's page names the outcomes, calls and costs that the view of outcomes names."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import Session, session
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.views.dashboard import call_outcomes
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline.views.dashboard.call_outcomes import calls_of_outcome, outcomes_of_call
from attribution_pipeline.views.outcomes import joined, open_outcomes, outcome_rows
from attribution_pipeline.views.outcomes.joined import load_outcomes

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

    monkeypatch.setattr(call_outcomes, "_near", lambda *_: near)
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
