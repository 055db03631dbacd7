"""The SQL of proofs stays inside what Spark reads too, and says its grain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot

import attribution_pipeline.proof as proof
from attribution_pipeline.proof.passes import sql

FOLDER = Path(proof.__file__).parent
PACKAGES = ("", "score", "triage")
PASSES = sorted(path for name in PACKAGES for path in (FOLDER / name / "sql").rglob("*.sql"))
PLACEHOLDER = re.compile(r"\{(\w+)\}")
WORDS = {
    "day": "2026-10-05",
    "month": "2026-10-01",
    "newest": "2026-10-05",
    "no_requests": "basis",
    "sides": "r.x as r_x, p.x as p_x",
    "table": "ledger",
    "first": "x",
    "key": "x",
    "join": "p.x = r.x",
    "unlike": "r.x is distinct from p.x",
    "over": "r.x is distinct from p.x",
    "scope": "true",
    "holds": "true",
    "metric": "effective_cost",
    "since": "2026-10-05",
}


@pytest.mark.parametrize("path", PASSES, ids=lambda path: path.stem)
def test_a_pass_reads_as_spark_sql_and_is_found_by_name(path: Path) -> None:
    package, _, name = path.relative_to(FOLDER).with_suffix("").as_posix().partition("sql/")
    text = PLACEHOLDER.sub(lambda found: WORDS.get(found[1], "1"), sql(name, package.rstrip("/")))
    for statement in sqlglot.parse(text, read="duckdb"):
        if statement is not None:
            sqlglot.parse_one(statement.sql(dialect="spark"), read="spark")


@pytest.mark.parametrize("path", PASSES, ids=lambda path: path.stem)
def test_a_pass_says_its_grain(path: Path) -> None:
    head = [line for line in path.read_text().splitlines() if line.startswith("--")]
    assert any("in:" in line for line in head), "what it reads"
    assert any("out:" in line for line in head), "what it leaves"


@pytest.mark.parametrize("path", PASSES, ids=lambda path: path.stem)
def test_no_pass_divides_in_floating_point(path: Path) -> None:
    text = re.sub(r"'[^']*'", "''", re.sub(r"--.*", "", path.read_text()))
    assert not re.search(r"[^/]/[^/]", text), "a single / is a float"
    assert not re.search(r"\b(double|float|real|avg)\b", text, re.IGNORECASE)
