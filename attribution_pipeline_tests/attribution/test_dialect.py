"""The passes stay inside the SQL that Spark reads too."""

from __future__ import annotations

import re

import pytest
import sqlglot

from attribution_pipeline.attribution.engine import SQL

PASSES = sorted(SQL.rglob("*.sql"))
PLACEHOLDER = re.compile(r"\{(\w+)\}")
WORDS = {
    "int": "bigint",
    "day": "2026-10-05",
    "scope": "slice_nodes",
    "kind": "assets",
    "only_gpu": "",
    "once": "view",
    "who": "tenant_id",
    "weights": "meter_weights",
    "parts": "meter_parts",
    "ops": "ops",
    "spans": "calls",
    "says": "call_says",
    "path": "path",
    "kin": "kin",
    "relation": "table",
    "answers": "answers",
}


@pytest.mark.parametrize("path", PASSES, ids=lambda path: path.stem)
def test_a_pass_reads_as_spark_sql(path):
    text = PLACEHOLDER.sub(lambda m: WORDS.get(m[1], "1"), path.read_text())
    for statement in sqlglot.parse(text, read="duckdb"):
        spark = statement.sql(dialect="spark")
        assert "INT128" not in spark or "hugeint" in path.read_text().lower()
        sqlglot.parse_one(spark, read="spark")


@pytest.mark.parametrize("path", PASSES, ids=lambda path: path.stem)
def test_a_pass_says_its_grain(path):
    head = [line for line in path.read_text().splitlines()[:8] if line.startswith("--")]
    assert any("in:" in line for line in head), "what it reads"
    assert any("out:" in line for line in head), "what it leaves"


@pytest.mark.parametrize("path", PASSES, ids=lambda path: path.stem)
def test_no_pass_divides_in_floating_point(path):
    text = re.sub(r"--.*", "", path.read_text())
    assert not re.search(r"[^/]/[^/]", re.sub(r"'[^']*'", "''", text)), "a single / is a float"
    assert not re.search(r"\b(double|float|real|avg)\b", text, re.IGNORECASE)
