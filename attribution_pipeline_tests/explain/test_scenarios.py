"""One company in which only the cause moves: each comes out as itself, and the command says so.

All sixty (six causes, ten companies, each day with traffic of its own):
``python -m attribution_pipeline_tests.explain.run``.
"""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import Result

from attribution_pipeline.orchestration.house import House
from attribution_pipeline.views.explain.parts import PARTS
from attribution_pipeline_tests.explain.companies import (
    DAY_OF,
    ORDINARY,
    PART_OF,
    TENANT,
    Told,
    play,
    told,
)
from attribution_pipeline_tests.test_cli import refusal, run

SEED, SPANS_PER_DAY = 1, 1_000

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return play(tmp_path_factory.mktemp("company") / "acme", SEED, SPANS_PER_DAY, steady=True)


@pytest.fixture(scope="module")
def config(house: House) -> Path:
    return house.deployment.storage_folder.parent / "attribution.yaml"


@pytest.fixture(scope="module")
def found(house: House) -> list[Told]:
    return told(house, SEED)


def test_each_injected_cause_is_the_largest_part(found: list[Told]) -> None:
    assert [one.line() for one in found if not (one.is_right and one.sums)] == []
    assert {one.cause for one in found} == set(PART_OF)


@pytest.mark.parametrize("cause", ["longer_prompts", "lost_cache", "price_change"])
def test_what_moves_tokens_alone_leaves_the_other_factors_still(
    found: list[Told], cause: str
) -> None:
    """Prompts, cache and prices change no call, so nothing is left for another of the seven."""
    (one,) = [told for told in found if told.cause == cause]
    others = {"requests", "output_length", "retries", "model_mix"}
    assert {part for part in others if one.parts[part]} == set()


def ask(config: Path, cause: str, *options: object) -> Result:
    return run(
        "explain", "--config", config, "--tenant", TENANT, "--from", DAY_OF[cause],
        "--against", ORDINARY, *options,
    )  # fmt: skip


def test_the_first_line_answers_why_the_bill_went_up(config: Path) -> None:
    result = ask(config, "retry_storm")
    assert result.exit_code == 0, result.output
    first = result.stdout.splitlines()[0]
    assert first.startswith("acme spent ")
    assert " USD more (" in first
    assert f"on {DAY_OF['retry_storm']}" in first
    assert re.search(r": retries \+[0-9,.]+,", first)
    assert "1.00 -> 3.00 calls a request" in result.stdout
    assert "calls of" in result.stdout, "the requests behind it"


def test_every_format_has_the_same_parts_and_they_sum(config: Path, tmp_path: Path) -> None:
    as_csv = ask(config, "model_switch", "--by", "workflow,model", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert list(rows[0])[:3] == ["workflow_id", "provider", "model"]
    for row in rows:
        change = Decimal(row["cost"]) - Decimal(row["against_cost"])
        assert Decimal(row["change"]) == change == sum(Decimal(row[part]) for part in PARTS)
    out = tmp_path / "why.json"
    written = ask(config, "model_switch", "--by", "workflow,model", "--out", out)
    assert f"wrote {out}: {len(rows)} rows" in written.stderr
    assert [row["change"] for row in json.loads(out.read_text())] == [row["change"] for row in rows]


def test_requests_can_be_written_and_cost_what_they_moved(config: Path) -> None:
    result = ask(config, "model_switch", "--table", "requests", "--top", 3, "--format", "json")
    rows = json.loads(result.stdout)
    assert len(rows) == 3
    for row in rows:
        assert Decimal(row["moved"]) == Decimal(row["cost"]) - Decimal(row["usual_cost"])
        assert row["tenant_id"] == TENANT
        assert row["trace_id"]


def test_everybody_together_is_explained_by_tenant(config: Path) -> None:
    result = run("explain", "--config", config, "--from", DAY_OF["price_change"],
                 "--against", ORDINARY)  # fmt: skip
    assert result.stdout.startswith("Everybody together, unallocated cost included, spent ")
    assert ": price +" in result.stdout.splitlines()[0]
    assert any(line.startswith(f"{TENANT} ") for line in result.stdout.splitlines())


def test_a_period_before_is_taken_where_none_is_named(config: Path) -> None:
    first = DAY_OF["more_requests"]
    result = run("explain", "--config", config, "--tenant", TENANT, "--from", first)
    assert f"on {ORDINARY}" in result.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--tenant", "acmee"], "--tenant: `acmee` has no cost in 2026-10-06 nor in 2026-10-07; "
         "did you mean `acme`?"),
        (["--by", "team"], "--by: `team` is no group; did you mean `tenant`?"),
        (["--by", "model,model"], "--by: `model` is named twice; name it once"),
        (["--against", "yesterday"], "--against: `yesterday` is no period; write a day, or both "
         "ends as 2026-10-01..2026-10-07"),
        (["--against", "2026-10-06..2026-10-05"], "--against: `2026-10-06..2026-10-05` ends before "
         "it begins; give the earlier day first"),
        (["--metric", "list_cost"], "--metric: `list_cost` is no cost; use one of: billed_cost, "
         "effective_cost"),
        (["--table", "rows"], "--table: `rows` is no table; use one of: parts, requests"),
        (["--format", "parquet"], "--format: `parquet` is no format; use one of: table, csv, json"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_one_line(config: Path, options: list[str], line: str) -> None:
    assert refusal("explain", "--config", config, "--from", "2026-10-07", *options) == line
