"""Who has an id of a call finds the call: on a page, and by a command that says the same."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pytest

from attribution_pipeline.views.dashboard import asked, finding
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline.views.dashboard.finding import conditions, find_calls
from attribution_pipeline.views.dashboard.pages.call import VERDICTS
from attribution_pipeline.views.dashboard.view import NotThere
from attribution_pipeline_tests.dashboard.asking import ask
from attribution_pipeline_tests.dashboard.companies import DAYS
from attribution_pipeline_tests.test_cli import refusal, run

METRIC = "effective_cost"


@pytest.fixture(scope="module")
def operations(books: Books) -> list[dict]:
    return books.lake.read("operations", DAYS[0], DAYS[-1]).to_pylist()


@pytest.fixture(scope="module")
def billed(books: Books, operations: list[dict]) -> dict:
    """A call that costs something, has every id, and stands in for a twin that was merged into it."""
    parts = books.lake.read("operation_costs", DAYS[0], DAYS[-1]).to_pylist()
    paid = {row["operation_number"] for row in parts if row[METRIC]}
    alone = [row["trace_id"] for row in operations]
    return next(
        row for row in operations
        if row["operation_number"] in paid and row["response_id"] and row["merged"]
        and row["named_by"] == "response" and alone.count(row["trace_id"]) == 1
        and row["tenant_id"] is not None
    )  # fmt: skip


def _ids(call: dict) -> dict[str, str]:
    trace, span, response = call["trace_id"], call["span_id"], call["response_id"]
    twin = call["merged"][:16]
    return {
        "trace": trace, "in capitals": trace.upper(), "span": span, "response": response,
        "trace and span": f"{trace}:{span}", "traceparent": f"00-{trace}-{span}-01",
        "x-ray": f"1-{trace[:8]}-{trace[8:]}", "key": f"{call['provider']}\x1f{response}",
        "key, by hand": f"{call['provider']}/{response}", "blanks around": f"  {trace} ",
        "number": str(call["operation_number"]),
        "a span merged into it": twin, "trace and merged span": f"{trace}:{twin}",
        "traceparent of a merged span": f"00-{trace}-{twin}-01".upper(),
    }  # fmt: skip


def test_every_id_of_a_call_finds_it_and_no_other(books: Books, billed: dict) -> None:
    for name, text in _ids(billed).items():
        found = find_calls(books, text).rows.to_pylist()
        assert [row["operation_number"] for row in found] == [billed["operation_number"]], name


def test_a_merged_span_is_found_in_its_own_trace_and_whole(
    books: Books, operations: list[dict], billed: dict
) -> None:
    trace, twin = billed["trace_id"], billed["merged"][:16]
    other = next(row["trace_id"] for row in operations if row["trace_id"] != trace)
    for text in (f"{other}:{twin}", f"00-{other}-{twin}-01", f"{trace}:{twin[:8]}", f"{trace}:"):
        assert find_calls(books, text).rows.num_rows == 0, text


def test_a_trace_finds_all_its_calls_newest_first(books: Books, operations: list[dict]) -> None:
    traces = [row["trace_id"] for row in operations]
    trace = next(one for one in traces if traces.count(one) > 1)
    rows = find_calls(books, trace).rows.to_pylist()
    assert {row["operation_number"] for row in rows} == {
        row["operation_number"] for row in operations if row["trace_id"] == trace
    }
    started = [row["started_at"] for row in rows]
    assert started == sorted(started, reverse=True)


def test_each_call_that_is_found_has_the_cost_that_its_page_says(
    app, books: Books, billed: dict, operations: list[dict]
) -> None:
    names = ("charge_date", "operation_number")
    some = [{name: row[name] for name in names} for row in operations[-20:]]
    told = asked.with_costs(books, pa.Table.from_pylist(some), METRIC, "USD").to_pylist()
    for row in told:
        call = asked.call(books, row["charge_date"], row["operation_number"])
        assert call is not None
        paid = asked.call_rows(books, row["charge_date"], call)[METRIC].to_pylist()
        assert row[METRIC] == (sum(paid, Decimal(0)) if paid else None)
    assert any(row[METRIC] for row in told)
    exported = ask(app, f"/find/found.csv?q={billed['trace_id']}&currency=USD").text.splitlines()
    assert Decimal(exported[1].split(",")[exported[0].split(",").index(METRIC)]) > 0


def test_days_outside_a_range_are_not_looked_through(books: Books, billed: dict) -> None:
    other = next(day for day in DAYS if day != billed["charge_date"])
    there = find_calls(books, billed["trace_id"], other, other)
    assert (there.rows.num_rows, list(there.days)) == (0, [other])
    assert there.span == f"the recorded day {other}"


def test_the_search_stops_at_its_limit_and_says_so(
    books: Books, operations: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "MOST", 1)
    traces = [row["trace_id"] for row in operations if row["charge_date"] == DAYS[-1]]
    found = find_calls(books, next(one for one in traces if traces.count(one) > 1))
    assert (found.rows.num_rows, found.is_cut, list(found.days)) == (1, True, [DAYS[-1]])


@pytest.mark.parametrize("text", ["", "  ", "\0", "x" * 513, "\udcff\udcfe"])
def test_what_can_be_no_id_is_looked_for_nowhere_and_refused(
    books: Books, deployment_of_company: Path, text: str
) -> None:
    assert conditions(text) == {}
    with pytest.raises(NotThere, match="can be no id"):
        find_calls(books, text)
    line = refusal("call", text, "--config", deployment_of_company)
    assert "this can be no id of a call; give a trace, span" in line


def test_the_longest_id_is_looked_for() -> None:
    assert "key" in conditions("x" * 512)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (f"q={'x' * 513}", "this can be no id of a call"),
        ("q=a%00b", "this can be no id of a call"),
        ("q=nope&from=2026-13-01", "from=2026-13-01"),
        ("q=nope&from=2026-10-05&to=tomorrow", "to=tomorrow"),
    ],
)
def test_a_search_that_cannot_be_made_is_refused_and_says_nothing_of_days(
    app, query: str, said: str
) -> None:
    page = ask(app, f"/find?{query}")
    assert page.status == 404
    assert said in page.text
    assert "recorded day" not in page.text


def test_a_bound_that_is_left_empty_bounds_nothing(app) -> None:
    assert "Not found in 2 recorded days" in ask(app, "/find?q=nope&from=&to=").text


@pytest.mark.parametrize("text", ["nope", "' or 1=1 --", "{most}", "<b>", "a:b:c", "a/b/c", "ツ"])
def test_what_is_not_there_is_told_with_the_days_that_were_looked_through(app, text: str) -> None:
    page = ask(app, f"/find?q={quote(text)}")
    assert page.status == 200
    assert f"Not found in 2 recorded days, {DAYS[0]} to {DAYS[-1]}." in page.text
    assert "<b>" not in page.text.partition("<main>")[2].replace("<b class", "")


def test_the_box_stands_on_every_page_and_leads_to_the_call(app, billed: dict) -> None:
    assert 'action="/find"' in ask(app, "/overview").text
    page = ask(app, f"/find?month=2026-10&q={billed['span_id']}")
    link = page.first_link("/call?", f"call={billed['operation_number']}")
    answer = ask(app, link)
    assert answer.status == 200
    assert billed["trace_id"] in answer.text
    exported = ask(app, page.first_link("/find/found.csv", billed["span_id"]))
    assert billed["trace_id"] in exported.text


def test_the_command_says_what_the_page_says(
    app, books: Books, billed: dict, deployment_of_company: Path
) -> None:
    result = run("call", billed["span_id"], "--config", deployment_of_company)
    assert result.exit_code == 0, result.output
    rows = asked.call_rows(
        books, billed["charge_date"], asked.call(books, billed["charge_date"], billed["operation_number"])
    )  # fmt: skip
    cost = sum(rows[METRIC].to_pylist(), Decimal(0))
    assert f"{cost:,f} USD effective cost" in result.stdout
    assert "policy 1" in result.stdout
    url = f"/call?day={billed['charge_date']}&currency=USD&call={billed['operation_number']}"
    page = ask(app, url).text
    for said in (
        billed["trace_id"], billed["tenant_id"], "not invoiced yet", VERDICTS[billed["verdict"]],
    ):  # fmt: skip
        assert said in result.stdout
        assert said in page
    shown = {line.split()[-1] for line in result.stdout.splitlines() if line.startswith("  ")}
    assert billed["span_id"] in shown
    for service in set(rows["service"].to_pylist()):
        assert service in result.stdout
    assert f"attribution call {billed['trace_id']}:{billed['span_id']}" in re.sub(
        r"</?span>", "", page
    )


def test_several_calls_are_listed_and_none_is_a_refusal(
    operations: list[dict], deployment_of_company: Path
) -> None:
    traces = [row["trace_id"] for row in operations]
    trace = next(one for one in traces if traces.count(one) == 2)
    result = run("call", trace, "--config", deployment_of_company)
    assert "2 calls have this id" in result.stdout
    assert result.stdout.count(f"{trace}:") == 2
    line = refusal("call", "nope", "--config", deployment_of_company)
    assert line.startswith(
        f"nope: no call has this id in 2 recorded days, {DAYS[0]} to {DAYS[-1]};"
    )


def test_an_id_that_was_not_found_is_shown_and_not_obeyed(deployment_of_company: Path) -> None:
    line = refusal("call", "a\x1b[31mb\u202ec", "--config", deployment_of_company)
    assert line.startswith("a\\u001b[31mb\\u202ec: no call has this id in 2 recorded days")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("call", "nope"), "no day of the range is recorded (nothing is recorded yet)"),
        (("rejected",), "nothing was ever landed here; see that `storage:` of "),
        (("rejected", "--format", "json"), "nothing was ever landed here; see that `storage:` of "),
    ],
)
def test_a_mistyped_storage_is_refused_by_name(
    deployment_of_company: Path, tmp_path: Path, command: tuple[str, ...], said: str
) -> None:
    mistyped = tmp_path / deployment_of_company.name
    text = deployment_of_company.read_text()
    assert "storage: ./lake\n" in text
    mistyped.write_text(text.replace("storage: ./lake\n", "storage: ./leak\n"))
    line = refusal(*command, "--config", mistyped)
    assert line.startswith(f"{tmp_path / 'leak'}: {said}")
    assert not (tmp_path / "leak").exists()
    assert "rejected" in run("rejected", "--config", deployment_of_company).stdout
