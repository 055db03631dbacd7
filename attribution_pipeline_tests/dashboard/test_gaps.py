"""From what nobody is charged for to the line of the bill, by links alone; the rule; commands to copy."""

from __future__ import annotations

import html
import re
import shlex
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from attribution_pipeline.model.ledger import REASONS
from attribution_pipeline.model.policy import load_policies
from attribution_pipeline.model.policy_text import summary
from attribution_pipeline.views import day_ranges
from attribution_pipeline.views.dashboard import asked
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline.views.dashboard.pages import overview, policy, spend
from attribution_pipeline.views.dashboard.place import NONE, Place
from attribution_pipeline.views.dashboard.shell import Shell
from attribution_pipeline.views.dashboard.view import View
from attribution_pipeline.views.reasons import MEANS, MEANS_OF_PART, meaning, remedy
from attribution_pipeline.views.spend.table import PODS
from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.dashboard.asking import ask
from attribution_pipeline_tests.dashboard.companies import DAYS

METRIC = "effective_cost"
NO_EVIDENCE = "no_operation_evidence"


def _page(books: Books, **within: str | None) -> spend.Page:
    return spend.page(View(books, Place(DAYS[0].replace(day=1), None, "USD", within), "spend"))


def _sum(rows: list[dict]) -> Decimal:
    return sum((row[METRIC] for row in rows), Decimal(0))


@pytest.fixture(scope="module")
def nobodys(books: Books) -> list[dict]:
    rows = books.lake.read("ledger", DAYS[0], DAYS[-1]).to_pylist()
    return [row for row in rows if row["unallocated_reason"] is not None]


def test_a_reason_leads_to_its_resources_and_these_to_the_bill(
    app, books: Books, nobodys: list[dict]
) -> None:
    page = ask(app, ask(app, "/overview").first_link("/spend?", "none=tenant_id"))
    assert "By reason" in page.text
    assert MEANS_OF_PART[NO_EVIDENCE, "workload"] in page.text
    page = ask(app, page.first_link("/spend?", f"unallocated_reason={NO_EVIDENCE}"))
    resource = next(
        row["resource_id"] for row in nobodys
        if row["unallocated_reason"] == NO_EVIDENCE and (row["resource_id"] or "").startswith("i-")
    )  # fmt: skip
    page = ask(app, page.first_link("/spend?", f"resource_id={resource}"))
    mine = [row for row in nobodys if row["resource_id"] == resource]
    assert f"{_sum(mine):,f}" in page.text, "the headline is the resource's own"
    link = page.first_link("/charge?")
    charge = ask(app, link)
    assert "ties to the last unit" in charge.text
    named = dict(parse_qsl(link.partition("?")[2]))
    lines = asked.charge_lines(books, date.fromisoformat(named["day"]), named["charge"])
    assert lines
    assert re.findall(r'<span class="invoice[^>]*>(.*?)</span>', charge.text) == [
        f"invoice <b>{line['InvoiceId']}</b>" if line["InvoiceId"] else "not invoiced yet"
        for line in lines
    ]


def test_reasons_resources_and_charges_sum_to_the_ledger(books: Books, nobodys: list[dict]) -> None:
    by_reason = _page(books, tenant_id=None).by_name["by_reason"]
    assert _sum(by_reason.data.to_pylist()) == _sum(nobodys)
    page = _page(books, unallocated_reason=NO_EVIDENCE)
    mine = [row for row in nobodys if row["unallocated_reason"] == NO_EVIDENCE]
    assert page.more["total"]["cost"] == _sum(mine)
    assert _sum(page.by_name["by_resource"].data.to_pylist()) == _sum(mine)
    day = View(books, Place(DAYS[0].replace(day=1), DAYS[0], "USD"), "spend").place
    charges = spend.page(View(books, day.at("unallocated_reason", NO_EVIDENCE), "spend"))
    assert _sum(charges.by_name["charges"].data.to_pylist()) == _sum(
        [row for row in mine if row["charge_date"] == DAYS[0]]
    )


def test_a_reason_is_told_by_the_parts_that_it_keeps_open(
    books: Books, nobodys: list[dict]
) -> None:
    sheet = _page(books, tenant_id=None).by_name["by_reason"]
    told = {row["unallocated_reason"]: (row["means"], row["do"]) for row in sheet.data.to_pylist()}
    costs: dict[str, dict[str, Decimal]] = {}
    for row in nobodys:
        of = costs.setdefault(row["unallocated_reason"], {})
        of[row["component"]] = of.get(row["component"], Decimal(0)) + row[METRIC]
    parted = {reason for reason, _ in MEANS_OF_PART} & set(told)
    assert NO_EVIDENCE in parted
    for reason in parted:
        parts = sorted(
            (p for p, c in costs[reason].items() if c), key=lambda p: -abs(costs[reason][p])
        )
        assert told[reason][0] == meaning(reason, *parts) != MEANS[reason]
        assert told[reason][1] == remedy(reason, parts[0])
    assert meaning("no_driver", "idle", "workload", "idle") == (
        "idle that the policy keeps visible, or whose driver has nothing to weigh; "
        "OpenCost has no node for the charge, or no cost of one"
    )
    assert meaning("held", "direct") == meaning("held") == MEANS["held"]


def test_a_bar_of_the_backlog_leads_to_its_own_resource(app, nobodys: list[dict]) -> None:
    bars = ask(app, "/backlog").text.partition('class="card ranked"')[2].partition("</section>")[0]
    links = [html.unescape(one) for one in re.findall(r'href="([^"]*)"', bars)]
    of_machines = [one for one in links if "resource_id=i-" in one]
    assert len(of_machines) == len(set(of_machines)) > 1


def test_charges_of_one_resource_are_told_apart(books: Books) -> None:
    page = _page(books, feature="chat", tenant_id="acme", workflow_id="chat-assist")
    rows = page.by_name["beside_calls"].data.to_pylist()
    said = [(row["line"], row["resource_id"], row["component"], row["pool"]) for row in rows]
    assert len(set(said)) == len(said)


def test_of_a_days_bill_only_the_asked_charges_are_told(books: Books, nobodys: list[dict]) -> None:
    charges = sorted({row["charge_id"] for row in nobodys if row["charge_date"] == DAYS[0]})
    some = charges[:2]
    said = asked.lines_said(books, DAYS[0], [*some, some[0], "no charge"])
    assert sorted(said) == some
    for charge in some:
        line = asked.charge_lines(books, DAYS[0], charge)[0]
        assert said[charge].startswith(line["ChargeDescription"] or line["SkuMeter"])
    assert asked.lines_said(books, DAYS[0], []) == {}


def test_the_docs_mean_by_a_reason_what_the_page_means() -> None:
    text = (REPOSITORY / "docs" / "concepts.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE))
    told = {reason: rows[reason].strip() for reason in MEANS if reason in rows}
    assert len(told) > 10
    assert told == {reason: MEANS[reason] for reason in told}
    assert set(MEANS) == set(REASONS)


def test_of_a_models_cost_its_pods_are_told_apart(app, books: Books) -> None:
    page = overview.page(View(books, Place(DAYS[0].replace(day=1), None, "USD"), "overview"))
    sheet = page.by_name["by_model"]
    assert sheet.note == f"Pods of a model: {PODS}."
    costs: dict[str | None, Decimal] = {}
    for row in books.lake.read("ledger", DAYS[0], DAYS[-1]).to_pylist():
        if row["surface"] == "kubernetes":
            costs[row["model"]] = costs.get(row["model"], Decimal(0)) + row[METRIC]
    assert any(cost for model, cost in costs.items() if model is not None)
    for row in sheet.data.to_pylist():
        pods = costs.get(row["model"], Decimal(0)) if row["model"] is not None else Decimal(0)
        assert row["pods"] == pods <= row[METRIC]
    assert f" / {PODS}" in html.unescape(ask(app, "/model?month=2026-10&currency=USD").text)


def test_components_and_the_tie_out_are_one_account(books: Books) -> None:
    page = overview.page(View(books, Place(DAYS[0].replace(day=1), None, "USD"), "overview"))
    parts = {name: amount for name, amount, _ in page.more["tie"]["parts"]}
    rows = page.by_name["by_component"].data.to_pylist()
    assert "unallocated" in [column.name for column in page.by_name["by_component"].columns]
    for row in rows:
        assert row[METRIC] - row["unallocated"] == parts.get(row["component"], 0)
    assert sum(row["unallocated"] for row in rows) == parts["unallocated"]


def test_tables_of_one_whole_have_the_same_digits(books: Books) -> None:
    page = overview.page(View(books, Place(DAYS[0].replace(day=1), None, "USD"), "overview"))
    digits = {
        column.digits for name in ("by_feature", "by_tenant_id", "by_component", "unattributed")
        for column in page.by_name[name].columns if column.kind == "money"
    }  # fmt: skip
    assert digits == {Decimal("0.01")}


def test_the_policy_page_names_the_version_in_force_and_how_to_try_another(
    app, books: Books
) -> None:
    page = ask(app, "/policy")
    shown = re.findall(r"<h3>([^<]*), version (\d+) <small>in force on", page.text)
    in_force = books.policy(DAYS[-1])
    assert in_force is not None
    assert shown == [(in_force.policy, str(in_force.version))]
    copied = [
        html.unescape(re.sub(r"</?span>", "", one))
        for one in re.findall(r"data-copy-text>(.*?)</code>", page.text, re.DOTALL)
    ]
    diff = next(shlex.split(one) for one in copied if " diff " in one)
    assert diff[1:4] == ["policy", "diff", "1"]
    assert diff[4] == "draft.yaml", "a file in the folder of policies would be published"
    assert "policy-1.yaml to draft.yaml, outside of the folder of policies" in page.text
    assert "give it version: 2" in page.text
    assert "recorded under another" not in page.text
    assert diff[5:9] == ["--from", str(DAYS[0]), "--to", str(DAYS[-1])]
    assert any("--text" in one for one in copied)
    assert any(" packet " in one for one in copied)


def test_of_two_versions_from_one_date_the_later_is_in_force_and_days_under_the_other_are_named(
    app, books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (books.deployment.policies_folder / "policy-1.yaml").read_text()
    (tmp_path / "policy-1.yaml").write_text(first)
    (tmp_path / "policy-2.yaml").write_text(first.replace("version: 1", "version: 2", 1))
    monkeypatch.setattr(policy, "load_policies", lambda _folder: load_policies(tmp_path))
    text = ask(app, "/policy").text
    assert re.search(r", version 2 <small>in force on", text)
    assert "no day yet" in text
    days = day_ranges.counted(books.days())
    assert f"version 1: {days}" in html.unescape(text)
    assert "give it version: 3" in text


def test_an_edited_version_is_shown_as_it_was_recorded_and_its_file_is_named(
    app, books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (books.deployment.policies_folder / "policy-1.yaml").read_text()
    recorded = books.policy(DAYS[-1])
    assert recorded is not None
    assert "metric: effective_cost" in first
    edited = tmp_path / "policy-1.yaml"
    edited.write_text(first.replace("metric: effective_cost", "metric: billed_cost", 1))
    now = load_policies(tmp_path).published[0].policy
    monkeypatch.setattr(policy, "load_policies", lambda _folder: load_policies(tmp_path))
    text = html.unescape(ask(app, "/policy").text)
    for line in summary(recorded)[1:]:
        assert line in text
    assert f'<td class="code">{recorded.digest}</td>' in text
    assert [one for one in summary(now)[1:] if one in text] != summary(now)[1:]
    assert "as days were recorded under it. Its file says another rule now" in text
    assert f"No day is run until this is put right: {edited}:" in text
    assert "its file says another rule" in text
    assert "recorded under another" not in text, "these days have the rule of their version"
    bare = re.sub(r"</?span>", "", text)
    assert "attribution policy restore 1" in bare
    assert "--text" not in bare, "it would print the edit"


def test_a_used_version_without_a_file_is_told_with_its_remedy(
    app, books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (books.deployment.policies_folder / "policy-1.yaml").read_text()
    (tmp_path / "policy-2.yaml").write_text(
        first.replace("version: 1", "version: 2", 1).replace(
            "metric: effective_cost", "metric: billed_cost"
        )
    )
    monkeypatch.setattr(policy, "load_policies", lambda _folder: load_policies(tmp_path))
    text = html.unescape(ask(app, "/policy").text)
    assert "version 1 of policy" in text
    assert "put its file back: attribution policy restore 1" in text
    assert "its file is gone" in text


def test_a_command_names_its_deployment_as_it_is_seen_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATTRIBUTION_CONFIG", raising=False)
    own, below, far = (
        tmp_path / "attribution.yaml",
        tmp_path / "demo" / "a b.yaml",
        Path("/far/a.yaml"),
    )
    assert Shell.here(own).config is None
    assert Shell.here(below).config == "demo/a b.yaml"
    assert Shell.here(far).config == "/far/a.yaml"
    assert Shell(("attribution",), "demo/a b.yaml").line("call", "x y") == (
        "attribution call 'x y' --config 'demo/a b.yaml'"
    )
    monkeypatch.setenv("ATTRIBUTION_CONFIG", str(far))
    assert Shell.here(own).config == "attribution.yaml", "a variable would name another"


def test_a_command_starts_with_a_program_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / ".venv" / "bin" / "attribution"
    script.parent.mkdir(parents=True)
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(script.with_name("python")))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert Shell.here(tmp_path / "x.yaml").program == (".venv/bin/attribution",)
    monkeypatch.chdir("/")
    monkeypatch.setattr(Path, "cwd", lambda: Path("/usr"))
    assert Shell.here(tmp_path / "x.yaml").program == (str(script),)
    monkeypatch.setenv("PATH", str(script.parent))
    assert Shell.here(tmp_path / "x.yaml").program == ("attribution",)
    script.unlink()
    monkeypatch.setenv("PATH", "/nowhere")
    assert Shell.here(tmp_path / "x.yaml").program[1:] == ("-m", "attribution_pipeline")


def test_a_line_of_what_stands_out_leads_to_its_own_rows(app, books: Books) -> None:
    found = overview.standing_out(
        View(books, Place(DAYS[0].replace(day=1), None, "USD"), "overview")
    )
    assert found is not None
    row = next(row for row in found.rows if row.record["kind"] == "unallocated")
    assert row.href is not None
    query = parse_qsl(urlsplit(row.href).query)
    assert ("unallocated_reason", row.record["unallocated_reason"]) in query
    place = Place.of(dict(query), [value for name, value in query if name == NONE])
    (told,) = asked.spend_by(books, place, ["billing_currency"]).to_pylist()
    assert told[METRIC] >= row.record["cost"] > 0, "what rides on it is beside it"
    assert ask(app, row.href).status == 200
    assert row.href in html.unescape(ask(app, "/overview?month=2026-10&currency=USD").text)
