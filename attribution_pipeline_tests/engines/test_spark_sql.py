"""What passes become on the way to Spark: no cluster needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from attribution_pipeline.attribution.engine import SQL, DuckDB
from attribution_pipeline.attribution.spark.canonical import text
from attribution_pipeline.attribution.spark.dialect import (
    Known,
    duckdb_type,
    spark_sql,
    spark_type,
    statements,
)
from attribution_pipeline.attribution.spark.files import location
from attribution_pipeline.model.errors import Broken
from attribution_pipeline_tests.attribution.test_dialect import PLACEHOLDER, WORDS
from attribution_pipeline_tests.engines.compare import of_world

PASSES = sorted(path for path in SQL.rglob("*.sql") if path.parent.name != "late")
"""Late evidence is followed by DuckDB alone."""

RUN = (exp.Create, exp.Insert, exp.Update, exp.Delete, exp.Drop, exp.Alter, exp.Query)

NOT_SPARK = re.compile(
    r"INT128|\bEPOCH_US\(|MAKE_TIMESTAMPTZ\(|\bJSON_OBJECT\(|\* REPLACE|ROW_NUMBER\(\) OVER \(\)"
    r"|\bSIGN\(|\bJSON_EXTRACT|UNNEST\(|READ_PARQUET|DISTINCT ON|(?<!BIGINT\)) DIV "
)
"""What Spark does not read, or reads as something else."""


def as_spark(statement: str) -> list[str]:
    """The queries of a text, as Spark gets them."""
    known = Known(columns=lambda _: ["a", "b", "cpu_hours", "tenant_id", "operation_key"])
    found = []
    for tree in statements(statement):
        assert isinstance(tree, RUN), tree.sql()[:100]
        query = tree if isinstance(tree, exp.Query) else tree.args.get("expression")
        if query is not None:
            found.append(spark_sql(query, known))
    return found


@pytest.mark.parametrize("path", PASSES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_pass_becomes_sql_that_spark_reads(path: Path) -> None:
    text = path.read_text().replace("create {kind} ", "create table ")
    for spark in as_spark(PLACEHOLDER.sub(lambda m: WORDS.get(m[1], "1"), text)):
        assert not NOT_SPARK.search(spark), NOT_SPARK.search(spark)
        sqlglot.parse_one(spark, read="spark")


def test_every_statement_that_a_day_runs_becomes_sql_that_spark_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: set[str] = set()
    for name in ("execute", "rows", "table"):
        real = getattr(DuckDB, name)

        def noted(self, statement, *parameters, real=real):  # type: ignore[no-untyped-def]
            ran.add(statement)
            return real(self, statement, *parameters)

        monkeypatch.setattr(DuckDB, name, noted)
    of_world(9, tmp_path)
    # what DuckDB's own session adds, and its reader and writer
    own = ("read_parquet", "copy (", "ubigint", "current_database", "from incoming", "(describe")
    mine = [statement for statement in ran if not any(word in statement for word in own)]
    assert len(mine) > 100
    for statement in mine:
        for spark in as_spark(statement):
            assert not NOT_SPARK.search(spark), (NOT_SPARK.search(spark), statement)
            sqlglot.parse_one(spark, read="spark")


@pytest.mark.parametrize(
    ("duckdb", "spark"),
    [
        ("select a // b from t", "SELECT (CAST(a AS BIGINT) DIV CAST(b AS BIGINT)) FROM t"),
        ("select cast(a as hugeint) from t", "SELECT CAST(a AS DECIMAL(38, 0)) FROM t"),
        (
            "select cast(sum(a) as hugeint) from t",
            "SELECT SUM(CAST(a AS DECIMAL(38, 0))) FROM t",
        ),
        ("select sign(a) from t",
         "SELECT (CASE WHEN a > 0 THEN 1 WHEN a < 0 THEN -1 WHEN a = 0 THEN 0 END) FROM t"),
        ("select row_number() over () as n from t",
         "SELECT (MONOTONICALLY_INCREASING_ID() + 1) AS n FROM t"),
        ("select row_number() over (order by a desc, b) as n from t",
         "SELECT CAST(ROW_NUMBER() OVER (ORDER BY a DESC, b NULLS LAST) AS BIGINT) AS n FROM t"),
        ("select make_timestamptz(a // 1000) from t",
         "SELECT TIMESTAMP_MICROS((CAST(a AS BIGINT) DIV CAST(1000 AS BIGINT))) FROM t"),
        ("select epoch_us(a) from t", "SELECT UNIX_MICROS(a) FROM t"),
        ("select make_date(a) from t", "SELECT DATE_FROM_UNIX_DATE(a) FROM t"),
        ("select unnest(json_extract(a, '$[*]')) as i from t",
         "SELECT EXPLODE(FROM_JSON(a, 'array<string>')) AS i FROM t"),
        ("select cast(json_object('k', a) as varchar) from t",
         "SELECT TO_JSON(STRUCT(a AS k), MAP('ignoreNullFields', 'false')) FROM t"),
        ("select string_agg(distinct a, ', ' order by a) from t",
         "SELECT ARRAY_JOIN(SORT_ARRAY(COLLECT_SET(a)), ', ') FROM t"),
        ("select x.* replace (1 as a) from t x join u on true",
         "SELECT 1 AS a, `x`.`b` FROM t AS x JOIN u ON TRUE"),
        ("select * from t order by all", "SELECT * FROM t ORDER BY ALL NULLS LAST"),
        ("select arg_min(a, b) from t", "SELECT MIN_BY(a, b) FROM t"),
    ],
)  # fmt: skip
def test_what_the_two_say_otherwise(duckdb: str, spark: str) -> None:
    known = Known(columns=lambda _: ["a", "b"])
    (tree,) = statements(duckdb)
    assert spark_sql(tree, known) == spark


@pytest.mark.parametrize(
    ("query", "is_wide"),
    [
        ("select p.amount // p.d from portions p", True),
        ("select amount // d from portions", True),
        ("select o.amount // o.d from ops o join portions p on true", False),
        ("select cast(amount as bigint) // d from portions", False),
        ("select d // cast(d as hugeint) from ops", True),
        ("select c // d from (select cast(d as hugeint) * 2 as c, d from ops)", True),
        ("select d // 5 from portions", False),
    ],
)
def test_amounts_of_128_bits_are_divided_in_lots_and_no_others(query: str, is_wide: bool) -> None:
    known = Known(wide={"portions": {"amount"}, "ops": set()})
    (tree,) = statements(query)
    spark = spark_sql(tree, known)
    assert ("TRANSFORM" in spark) is is_wide
    assert (" DIV " in spark) is not is_wide


def test_parsed_statements_are_not_changed_by_their_use() -> None:
    for _ in range(2):
        (tree,) = statements("select a // b from t")
        assert " DIV " in spark_sql(tree)


def test_types_go_both_ways() -> None:
    (created,) = statements("create table t (a bigint, b hugeint, c varchar, d decimal(38, 12))")
    assert [spark_type(column.args["kind"]) for column in created.this.expressions] == [
        "BIGINT", "decimal(38, 0)", "STRING", "DECIMAL(38, 12)",
    ]  # fmt: skip
    assert duckdb_type("timestamp") == "TIMESTAMP WITH TIME ZONE"
    assert duckdb_type("decimal(38,12)") == "DECIMAL(38, 12)"
    assert duckdb_type("string") == "TEXT"


def test_a_path_stays_as_it_is_written() -> None:
    assert (
        location("/lake/day=2026-10-05/a b%.parquet") == "file:///lake/day=2026-10-05/a b%.parquet"
    )


def test_a_type_without_canonical_text_is_digested_by_nobody() -> None:
    with pytest.raises(Broken, match="double"):
        text("double", "a")
