"""Pages say what the ledger says, at every step, and lead on; nothing is written."""

from __future__ import annotations

import csv
import io
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.views.dashboard import asked, call_outcomes
from attribution_pipeline.views.dashboard.app import PAGES, dashboard
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline.views.dashboard.pages import overview, spend
from attribution_pipeline.views.dashboard.place import LEVELS, Place
from attribution_pipeline.views.dashboard.rendering import code
from attribution_pipeline.views.dashboard.serving import names_of
from attribution_pipeline.views.dashboard.view import View
from attribution_pipeline_tests.dashboard.asking import Answer, ask
from attribution_pipeline_tests.dashboard.companies import DAYS

METRIC = "effective_cost"
BY_THEMSELVES = [name for name in PAGES if name not in ("call", "charge", "outcome")]


@pytest.fixture(scope="module")
def ledger(books: Books) -> list[dict]:
    return books.lake.read("ledger", DAYS[0], DAYS[-1]).to_pylist()


def _view(books: Books, page: str = "spend", **within: str | None) -> View:
    return View(books, Place(DAYS[0].replace(day=1), None, "USD", within), page)


def _sum(rows: list[dict], cost: str = METRIC) -> Decimal:
    return sum((row[cost] for row in rows), Decimal(0))


@pytest.mark.parametrize("name", BY_THEMSELVES)
def test_a_page_answers_and_says_under_which_policy(app, name: str) -> None:
    answer = ask(app, f"/{name}")
    assert answer.status == 200, answer.text[-2000:]
    assert "acme-ai-chargeback 1" in answer.text
    assert "October 2026" in answer.text
    assert len(re.findall("<h1", answer.text)) == 1, "what a page is, for who hears it"


def test_the_month_is_the_ledger_and_ties_to_the_bill(
    app, books: Books, ledger: list[dict]
) -> None:
    total = asked.spend_total(books, _view(books).place)
    assert total is not None
    assert (total["billed_cost"], total[METRIC]) == (_sum(ledger, "billed_cost"), _sum(ledger))
    tied = overview.tied(_view(books, "overview"))
    assert tied is not None
    assert (tied["billed"], tied["difference"]) == (_sum(ledger), 0)
    page = ask(app, "/overview").text
    assert f"{_sum(ledger):,.2f}" in page
    assert "ties to the last unit" in page


def test_every_step_down_sums_to_the_step_above(books: Books, ledger: list[dict]) -> None:
    within: dict[str, str | None] = {}
    rows = ledger
    for level in LEVELS:
        page = spend.page(_view(books, **within))
        (sheet,) = [one for one in page.sheets if one.name == f"by_{level}"]
        records = sheet.data.to_pylist()
        assert _sum(records) == _sum(rows) == page.more["total"]["cost"]
        for row in sheet.rows:
            assert row.tail is not None
            assert sum(row.tail.by_confidence.values(), Decimal(0)) == row.record[METRIC]
            assert row.tail.policy == "1"
        chosen = next(record for record in records if record[level] is not None)
        within[level] = chosen[level]
        rows = [row for row in rows if row[level] == chosen[level]]
        assert chosen[METRIC] == _sum(rows)


def test_calls_and_what_is_beside_them_come_to_the_day(books: Books, ledger: list[dict]) -> None:
    within = {"feature": "chat", "tenant_id": "acme", "workflow_id": "chat-assist"}
    page = spend.page(_view(books, **within))
    more = page.more
    rows = [
        row for row in ledger
        if row["charge_date"] == more["call_day"] and all(row[k] == v for k, v in within.items())
    ]  # fmt: skip
    assert more["calls_cost"] + more["beside_cost"] == more["day_cost"] == _sum(rows)
    assert more["calls_cost"]
    assert more["beside_cost"]
    assert page.by_name["calls"].total_rows == more["calls_count"]


def _drilled(app, to: str) -> Answer:
    """By links alone: from the month to a call's page."""
    page = ask(app, ask(app, "/overview").first_link("/spend?", "feature=chat"))
    page = ask(app, page.first_link("tenant_id=acme"))
    page = ask(app, page.first_link("workflow_id=chat-assist"))
    calls = [link for link in page.links if link.startswith("/call?")]
    for link in calls:
        answer = ask(app, link)
        assert answer.status == 200
        if any(found.startswith(to) for found in answer.links):
            return answer
    raise AssertionError(f"no call leads to {to}")


def test_a_call_costs_its_parts_of_charges_and_each_charge_ties(app, books: Books) -> None:
    call = _drilled(app, "/charge?")
    number = int(re.findall(r"call=(\d+)", call.first_link("/charge?"))[0])
    (day,) = set(re.findall(r"day=(\d{4}-\d\d-\d\d)", call.first_link("/charge?")))
    parts = books.lake.read("operation_costs", DAYS[0], DAYS[-1]).to_pylist()
    mine = [row for row in parts if row["operation_number"] == number]
    assert mine
    assert f"{_sum(mine):f}" in call.text, "every digit is there"
    charge = ask(app, call.first_link("/charge?"))
    assert "ties to the last unit" in charge.text
    assert "back to the call" in charge.text
    assert charge.text.count("<h1") == 1
    lines = ask(app, charge.first_link("/charge/charge_lines.csv"))
    assert lines.status == 200
    assert charge.first_link("/call?", str(number), day)


def test_a_call_leads_to_its_outcome_and_back(app) -> None:
    call = _drilled(app, "/outcome?")
    outcome = ask(app, call.first_link("/outcome?"))
    assert outcome.status == 200
    assert "Calls behind it" in outcome.text
    assert all(page.text.count("<h1") == 1 for page in (call, outcome))
    assert ask(app, outcome.first_link("/call?")).status == 200


def test_a_call_without_an_outcome_says_how_to_report_one(app) -> None:
    page = ask(app, ask(app, "/overview").first_link("/spend?", "feature=code"))
    page = ask(app, ask(app, page.first_link("tenant_id=")).first_link("workflow_id="))
    answers = [ask(app, link) for link in page.links if link.startswith("/call?")]
    assert any("sources.outcomes" in one.text for one in answers)


def test_an_export_is_what_is_on_the_page_in_every_digit(app, books: Books) -> None:
    within = {"feature": "chat"}
    sheet = spend.page(_view(books, **within)).by_name["by_tenant_id"]
    place = _view(books, **within).place
    answer = ask(app, place.url("spend/by_tenant_id.csv"))
    assert answer.headers["content-disposition"].endswith('"spend-by_tenant_id-2026-10.csv"')
    read = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [(row["tenant_id"], Decimal(row[METRIC])) for row in read] == [
        (row["tenant_id"] or "", row[METRIC]) for row in sheet.data.to_pylist()
    ]
    parquet = ask(app, place.url("spend/by_tenant_id.parquet"))
    assert pq.read_table(io.BytesIO(parquet.body)).equals(sheet.data)


@pytest.mark.parametrize("name", BY_THEMSELVES)
def test_every_table_of_a_page_can_be_exported(app, name: str) -> None:
    page = ask(app, f"/{name}?q=nothing" if name == "find" else f"/{name}")
    exports = [link for link in page.links if ".csv" in link.partition("?")[0]]
    assert exports or name == "find"
    for link in exports:
        answer = ask(app, link)
        assert answer.status == 200, link
        assert answer.headers["content-type"].startswith("text/csv")


def test_two_days_are_explained_to_the_last_unit(app) -> None:
    page = ask(app, "/explain?tenant=acme&by=model")
    assert page.status == 200
    assert "acme spent" in page.text
    refused = ask(app, "/explain?from=2026-10-06&to=2026-10-05&against=2026-10-05&until=2026-10-05")
    assert refused.status == 404
    assert "a period ends before it begins" in refused.text


def test_an_export_is_of_the_periods_that_the_page_compares(app) -> None:
    said = "from=2026-10-05&to=2026-10-05&against=2026-10-06&until=2026-10-06&tenant=acme&by=model"
    link = ask(app, f"/explain?{said}").first_link("/explain/groups.csv")
    assert set(said.split("&")) <= set(link.partition("?")[2].split("&"))
    refused = ask(app, "/explain?from=2026-10-05&to=2026-10-05")
    assert refused.status == 404
    assert "against, until" in refused.text


def test_a_page_of_everything_does_not_say_that_it_is_of_a_part(app) -> None:
    everything, narrowed = ask(app, "/model").text, ask(app, "/model?tenant_id=acme").text
    assert "acme" not in re.findall(r'<ol class="crumbs".*?</ol>', narrowed, re.DOTALL)[0]
    assert narrowed == everything


def test_another_currency_keeps_the_day_and_another_month_the_currency(
    app, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "currencies", lambda *_of: ["EUR", "USD"])
    page = ask(app, "/spend?day=2026-10-05&currency=USD&feature=chat").text
    search, months, money = re.findall(r"<form.*?</form>", page, re.DOTALL)
    assert 'action="/find"' in search
    assert 'name="day" value="2026-10-05"' in money
    assert 'name="currency" value="USD"' in months
    assert 'name="day"' not in months
    assert all('name="feature" value="chat"' in form for form in (months, money))


def _form(page: str, name: str) -> dict[str, str]:
    """Hidden fields of the form around the period that chooses ``name``."""
    around = page.partition('<div class="period">')[2].partition("</header>")[0]
    form = next(one for one in re.findall(r"<form.*?</form>", around, re.DOTALL)
                if f'<select name="{name}"' in one)  # fmt: skip
    return dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)">', form))


def test_another_currency_keeps_what_a_page_is_of_and_another_month_all_but_its_periods(
    app, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "currencies", lambda *_of: ["EUR", "USD"])
    found = {"q": "nope", "from": "2026-10-05", "to": "2026-10-06"}
    page = ask(app, f"/find?month=2026-10&currency=USD&{urlencode(found)}").text
    assert _form(page, "currency") == {"month": "2026-10", **found}
    assert _form(page, "month") == {"currency": "USD", **found}
    who = {"tenant": "acme", "by": "model"}
    periods = {"from": "2026-10-06", "to": "2026-10-06", "against": "2026-10-05", "until": "2026-10-05"}  # fmt: skip
    page = ask(app, f"/explain?month=2026-10&currency=USD&{urlencode(who | periods)}").text
    assert _form(page, "currency") == {"month": "2026-10", **who, **periods}
    assert _form(page, "month") == {"currency": "USD", **who}


def test_a_step_to_another_month_keeps_what_a_page_is_of(
    app, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "months", lambda: [date(2026, 10, 1), date(2026, 9, 1)])
    link = ask(app, "/explain?currency=USD&tenant=acme&by=model").first_link("month=2026-09")
    assert link == "/explain?month=2026-09&currency=USD&tenant=acme&by=model"


def test_what_was_made_behind_a_page_is_pending_no_more(books: Books) -> None:
    key = ("made behind",)
    assert books.later(key, lambda: time.sleep(0.2) or 1, 0.0) is None
    for _ in range(100):
        if not books.answers.is_pending(key):
            break
        time.sleep(0.05)
    assert not books.answers.is_pending(key), "nobody asked again"
    assert books.later(key, lambda: 2, 0.0) == 1


def test_what_takes_longer_follows_and_the_page_does_not_wait(deployment_of_company: Path) -> None:
    opened = Books(load_deployment(deployment_of_company))
    other = dashboard(opened, patience_s=0.0)
    first = ask(other, "/explain")
    assert first.status == 200
    assert "data-later" in first.text
    for _ in range(600):
        if "data-later" not in (again := ask(other, "/explain")).text:
            break
        time.sleep(0.05)
    opened.close()
    assert "Everybody together" in again.text


def test_a_slow_part_is_asked_for_when_the_rest_of_its_page_is_there(
    deployment_of_company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Books(load_deployment(deployment_of_company))
    done: list[str] = []

    def noted(name: str, usual: Callable[..., Any]) -> Callable[..., Any]:
        def made(*of: Any) -> Any:
            done.append(name)
            return usual(*of)

        return made

    monkeypatch.setattr(asked, "call_rows", noted("rest", asked.call_rows))
    monkeypatch.setattr(call_outcomes, "_opened", noted("slow", call_outcomes._opened))
    found = opened.lake.read("operations", DAYS[0], DAYS[0]).to_pylist()[0]
    url = f"/call?day={found['charge_date']}&currency=USD&call={found['operation_number']}"
    answer = ask(dashboard(opened, patience_s=60.0), url)
    opened.close()
    assert done == ["rest", "slow"]
    assert "data-later" not in answer.text


def test_a_page_waits_for_a_slow_part_from_when_it_was_asked_for(books: Books) -> None:
    asked_for = _view(books)
    assert asked_for.left_s is None, "an export waits to the end"
    now = time.monotonic()
    assert replace(asked_for, patience_s=9.0, began=now - 10).left_s == 0
    assert 0 < (replace(asked_for, patience_s=60.0, began=now - 10).left_s or 0) <= 50


def test_a_budget_is_never_called_attribution(app) -> None:
    page = ask(app, "/budgets").text
    assert "attributes nothing" in page
    assert "research agents" in page


def test_what_is_not_there_is_one_sentence_with_a_remedy(app) -> None:
    for url in ("/call?day=2026-10-05&call=1", "/call?call=x", "/charge?day=2026-10-05&charge=no",
                "/outcome?day=2026-10-05&call=1&outcome=no", "/spend/none.csv", "/spend/calls.exe"):  # fmt: skip
        answer = ask(app, url)
        assert answer.status == 404, url
        assert "Traceback" not in answer.text
    assert ask(app, "/spend?feature=nobody-has-this").status == 200
    assert "Nothing was recorded here" in ask(app, "/spend?feature=nobody-has-this").text
    assert "Nothing was recorded in this period" in ask(app, "/overview?month=2020-01").text


@pytest.mark.parametrize(
    "url",
    [
        "/spend?feature=%00", "/spend?feature=%ED%A0%80", "/spend?feature={tail}'%22;--",
        "/spend?day=2026-10-05&workflow_id='", "/explain?tenant=%00", "/explain?tenant=nobody",
        "/explain?month=2020-01", "/overview?month=0001-01", "/overview?month=9999-12",
        "/charge?day=2026-10-05&charge='or'1'='1", "/call?day=2026-10-05&call=99999999999999999999",
        "/business?day=2026-10-31", "/spend?currency=XXX", "/quality?day=2026-10-09",
    ],
)  # fmt: skip
def test_whatever_a_url_says_there_is_an_answer(app, url: str) -> None:
    assert ask(app, url).status in (200, 404)


def test_it_answers_only_reads_and_only_under_its_own_name(app) -> None:
    assert ask(app, "/overview", method="POST").status == 405
    assert ask(app, "/overview", host="attacker.example").status == 400
    policy = ask(app, "/overview").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for refused in (ask(app, "/overview", host="attacker.example"), ask(app, "/no-such-page")):
        assert refused.headers["content-security-policy"] == policy
        assert refused.headers["x-content-type-options"] == "nosniff"


def test_it_answers_by_its_address_and_by_the_names_that_it_was_given() -> None:
    assert names_of("127.0.0.1") == ["127.0.0.1", "localhost", "[::1]"]
    assert names_of("10.0.0.7", ["spend.example.com"]) == ["10.0.0.7", "spend.example.com"]
    assert names_of("fe80::7") == ["[fe80::7]"]
    assert "*" not in names_of("0.0.0.0")
    with pytest.raises(Refusal, match="no host name"):
        names_of("0.0.0.0", ["https://spend.example.com"])


def test_backticks_are_code_and_what_is_in_them_is_text() -> None:
    assert code("set `a <b>` & run") == "set <code>a &lt;b&gt;</code> &amp; run"


def test_pages_take_nothing_from_elsewhere_and_hold_no_script(app) -> None:
    for name in BY_THEMSELVES:
        page = ask(app, f"/{name}").text
        taken = re.findall(r'<(?:script|img|iframe|link)[^>]+(?:src|href)="([^"]*)"', page)
        assert all(found.startswith("/static/") for found in taken), taken
        assert not re.findall(r"<script(?![^>]*src=)[^>]*>|<style|\sstyle=|\son\w+=", page)
    for file in ("style.css", "dashboard.js", "icon.svg"):
        answer = ask(app, f"/static/{file}")
        assert answer.status == 200
        assert not re.findall(
            r"(?:url\(|@import|import\(|XMLHttp|WebSocket|sendBeacon)", answer.text
        )
        assert set(re.findall(r"fetch\((.*?)\)", answer.text)) <= {"location.href"}


def test_nothing_in_the_lake_is_touched(deployment_of_company: Path) -> None:
    storage = deployment_of_company.parent / "lake"
    before = _seen(storage)
    opened = Books(load_deployment(deployment_of_company))
    other = dashboard(opened)
    for name in BY_THEMSELVES:
        assert ask(other, f"/{name}").status == 200
    opened.close()
    assert _seen(storage) == before


def _seen(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(Path(place) / name): (os.stat(Path(place) / name).st_size, os.stat(Path(place) / name).st_mtime_ns)
        for place, folders, files in os.walk(folder)
        for name in (*files, *folders, ".")
    }  # fmt: skip


def test_an_empty_lake_says_what_to_run(tmp_path: Path, deployment_of_company: Path) -> None:
    text = deployment_of_company.read_text().replace("storage: ./lake", "storage: ./empty")
    file = tmp_path / "attribution.yaml"
    file.write_text(text)
    for name in ("policies",):
        (tmp_path / name).mkdir()
    opened = Books(load_deployment(file))
    answer = ask(dashboard(opened), "/overview")
    assert ask(dashboard(opened), "/overview/by_feature.csv").status == 404
    opened.close()
    assert answer.status == 200
    assert "No day is recorded yet" in answer.text
    assert not (tmp_path / "empty").exists()
