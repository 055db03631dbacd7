"""The same ledger on a real cluster: every digest, every row, every quantum.

The order of the tests matters: the last one has another way to the cluster.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.attribution.day import Compute, Spark
from attribution_pipeline.attribution.engine import Session, day_session, session
from attribution_pipeline.attribution.spark import cluster as reached
from attribution_pipeline.config import load_deployment
from attribution_pipeline.model.errors import Broken
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline_tests.attribution.engine_run import EngineDay
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.engines.cluster import CONF, Cluster, stop_driver
from attribution_pipeline_tests.engines.compare import differences, of_world

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(1200)]

whole_days = pytest.mark.skipif(
    not os.environ.get("CONFORMANCE"), reason="minutes of Java each: `make conformance` runs them"
)

DAY = date(2026, 10, 5)
LARGEST = 10**38 - 1
BIGINT = 2**63 - 1


@pytest.fixture(scope="module")
def on_spark(spark: Spark) -> Iterator[Session]:
    """A session on the cluster."""
    with day_session(Compute(memory_limit="1GB", spark=spark)) as db:
        yield db


@pytest.fixture(scope="module")
def on_duckdb() -> Iterator[Session]:
    """DuckDB's answer to the same questions."""
    with session(Compute(threads=1, memory_limit="1GB")) as db:
        yield db


def _truncated(dividend: int, divisor: int) -> int:
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def test_wide_numbers_are_divided_exactly_up_to_38_digits(on_spark: Session) -> None:
    dice = random.Random(38)
    edges = [0, 1, -1, 10**19, 10**19 - 1, -(10**19) - 1, BIGINT, BIGINT + 1, LARGEST, -LARGEST]
    pairs = [(a, d) for a in edges for d in (1, 3, 10**12, 10**18 + 9, BIGINT)]
    pairs += [
        (dice.randrange(-(10 ** dice.randrange(1, 38)), 10 ** dice.randrange(1, 38)),
         dice.randrange(1, 10 ** dice.randrange(1, 19)))
        for _ in range(400)
    ]  # fmt: skip
    wide = pa.decimal128(38, 0)
    on_spark.load(
        "divisions",
        pa.table(
            {
                "a": pa.array([Decimal(a) for a, _ in pairs], wide),
                "d": pa.array([d for _, d in pairs], pa.int64()),
            }
        ),
    )
    answers = on_spark.rows("select a, d, a // d, a % d from divisions")
    assert len(answers) == len(pairs)
    for dividend, divisor, quotient, rest in answers:
        assert quotient == _truncated(dividend, divisor)
        assert rest == dividend - divisor * _truncated(dividend, divisor)


def test_a_division_that_does_not_fit_is_an_error_and_never_another_number(
    on_spark: Session,
) -> None:
    from pyspark.errors import PySparkException

    on_spark.load("large", pa.table({"a": pa.array([Decimal(LARGEST)], pa.decimal128(38, 0))}))
    for query in (
        # where it is not known that a number is wide; a divisor of 128 bits; 39 digits
        "select cast(a as bigint) // 7 from large",
        "select a // a from large",
        "select a * 10 from large",
    ):
        with pytest.raises(PySparkException):
            on_spark.rows(query)


def _kinds() -> pa.Table:
    moment = datetime(2026, 10, 5, 1, 2, 3, tzinfo=UTC)
    moments = [moment, moment.replace(microsecond=500_000), moment.replace(microsecond=1), None]
    return pa.table(
        {
            "text": pa.array(["é\x1f'\\", "", "null", None]),
            "truth": pa.array([True, False, True, None]),
            "tiny": pa.array([1, -128, 127, None], pa.int8()),
            "whole": pa.array([1, -(2**31), 2**31 - 1, None], pa.int32()),
            "long": pa.array([0, -(2**63), BIGINT, None], pa.int64()),
            "money": pa.array(
                [
                    Decimal("0E-12"),
                    Decimal("-0.000000000001"),
                    Decimal("99999999999999999999.5"),
                    None,
                ],
                pa.decimal128(38, 12),
            ),
            "wide": pa.array(
                [Decimal(0), Decimal(LARGEST), Decimal(-5), None], pa.decimal128(38, 0)
            ),
            "day": pa.array([date(2026, 10, 5), date(1, 1, 1), date(9999, 12, 31), None]),
            "instant": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "local": pa.array([m and m.replace(tzinfo=None) for m in moments], pa.timestamp("us")),
        }
    )


def test_every_type_has_the_same_canonical_text_on_both(
    on_spark: Session, on_duckdb: Session, tmp_path: Path
) -> None:
    kinds = _kinds()
    # a folder as landing names them: neither a column, nor a pattern, nor to be escaped
    folder = tmp_path / "day=2026-10-05" / "a b%[1]"
    folder.mkdir(parents=True)
    pq.write_table(kinds, folder / "kinds.parquet")
    for db in (on_spark, on_duckdb):
        db.load("kinds", kinds)
        db.view("kinds_in_file", [str(folder / "kinds.parquet")])
    for column in kinds.column_names:
        expected = on_duckdb.digest("kinds", [column])
        assert on_spark.digest("kinds", [column]) == expected, column
    everything = [f'"{name}"' for name in kinds.column_names]
    for where in ("true", "truth", "long > 0 or text is null"):
        expected = on_duckdb.set_digest("kinds", everything, where)
        for table in ("kinds", "kinds_in_file"):
            assert on_spark.set_digest(table, everything, where) == expected
    assert on_spark.set_digest("kinds", everything, "false") == "0" * 64


SAME = (
    "json_extract_string(j, '$.\"a.b/c\"')", "json_extract_string(j, '$.n')",
    "cast(json_object('k.\"x', s) as varchar)", "split_part(s, ':', 2)", "lower(s)", "length(s)",
    "try_cast(m as decimal(38, 12))", "substr(sha256(s), 1, 32)", "instr(s, 'b')",
    "concat_ws(chr(31), s, m, n > 1)", "greatest(n, null)", "least(n, 0)", "n // 2", "n % 2",
    "sign(n)", "s like 'A%'", "regexp_matches(s, ':[0-9]+$')", "s is not distinct from m",
    "cast(n > 1 as integer)", "nullif(s, '')", "make_timestamptz(n * 1000)", "make_date(n)",
    "epoch_us(make_timestamptz(n))", "cast(n as varchar) || m",
    "cast('12345678901234567890.5' as decimal(38, 12)) - cast('0.000000000001' as decimal(38, 12))",
)  # fmt: skip
"""Expressions of the passes, asked of both."""


def test_functions_that_the_passes_use_answer_alike(on_spark: Session, on_duckdb: Session) -> None:
    rows = pa.table(
        {
            "s": pa.array(["A:b:12", "", "Straße:7", None]),
            "j": pa.array(['{"a.b/c": "x\\"y", "n": 5}', '{"n": null}', '{"n": true}', None]),
            "m": pa.array(["1.0000000000005", "-1e3", "none", None]),
            "n": pa.array([-7, 0, 5, None], pa.int32()),
        }
    )
    for db in (on_spark, on_duckdb):
        db.load("said", rows)
    for expression in SAME:
        query = f"select {expression} as x from said order by s nulls first"
        assert on_spark.rows(query) == on_duckdb.rows(query), expression


def test_tables_change_as_statements_say(on_spark: Session, on_duckdb: Session) -> None:
    script = """
    create table t (n bigint, s varchar, w hugeint);
    insert into t select 1, 'a', 5 union all select 2, null, null;
    insert into t select n + 2, s, w from t;
    create view v as select n, s from t where n > 1;
    update t set s = 'new' where n = 4 or s is null and n > 100;
    update t set s = o.s, w = 7 from others o where o.n = t.n;
    delete from t where s = 'a' and n = 1;
    insert into t select null, null, null;
    delete from t where w is null and n is null;
    alter table t rename to u;
    create table t as select * from u where false;
    drop table if exists nothing;
    """
    for db in (on_spark, on_duckdb):
        db.execute("create table others as select 2 as n, 'other' as s")
        db.execute(script)
    for query in ("select * from u order by n", "select count(*) from t", "select * from v"):
        assert on_spark.rows(query) == on_duckdb.rows(query)
    on_spark.execute("create table twice as select 2 as n union all select 2")
    with pytest.raises(Broken, match="a row twice"):
        on_spark.execute("update u set s = 'x' from twice where twice.n = u.n")


def test_a_large_answer_leaves_in_parts_and_is_the_same(
    on_spark: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "select n, cast(n as varchar) as s from numbers order by n desc"
    on_spark.load("numbers", pa.table({"n": pa.array(range(5_000), pa.int64())}))
    assert on_spark.write(query, tmp_path / "at_once.parquet") == 5_000
    digest = on_spark.digest("numbers", ["n"])
    monkeypatch.setattr(reached, "LARGE_BYTES", -1)
    assert on_spark.write(query, tmp_path / "parts.parquet", rows_per_group=1_000) == 5_000
    assert on_spark.digest("numbers", ["n"]) == digest
    one, other = (pq.ParquetFile(tmp_path / name) for name in ("at_once.parquet", "parts.parquet"))
    assert other.read().equals(one.read())
    assert other.metadata.num_row_groups >= 5
    assert list(tmp_path.glob(".*")) == []


def _recorded(folder: Path, more: str) -> dict[str, Any]:
    shutil.copytree(WORKED_DAY, folder)
    with (folder / "attribution.yaml").open("a") as file:
        file.write(more)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        report = run_days(load_deployment(folder / "attribution.yaml"), DAY, DAY)
    assert report.failures == []
    lake = House(load_deployment(folder / "attribution.yaml")).lake
    output = lake.manifest(DAY)["output"]
    ledger = lake.read("ledger", DAY, DAY).drop(["first_recorded_at", "recorded_at"])
    return {
        "content": output["content_digest"], "rows": output["rows"], "totals": output["totals"],
        "planes": lake.head(DAY).inputs, "ledger": ledger.to_pylist(),
    }  # fmt: skip


@whole_days
def test_the_worked_day_is_recorded_as_duckdb_records_it(spark: Spark, tmp_path: Path) -> None:
    settings = "".join(f"    {name}: {value!r}\n" for name, value in CONF.items())
    more = f"engine: spark\nspark:\n  master: {spark.master}\n  conf:\n{settings}"
    there, here = _recorded(tmp_path / "spark", more), _recorded(tmp_path / "duckdb", "")
    assert there == here


SEED = 9
"""Of a world with many calls, whose amounts need 128 bits."""


@pytest.fixture(scope="module")
def by_duckdb(tmp_path_factory: pytest.TempPathFactory) -> EngineDay:
    """The world as DuckDB has it."""
    found = of_world(SEED, tmp_path_factory.mktemp("world") / "duckdb")
    assert found.outcome.stats["integer"] == "hugeint"
    return found


@whole_days
def test_a_random_world_is_the_same_on_two_workers_by_spark_connect(
    by_duckdb: EngineDay, standalone: Cluster, tmp_path: Path
) -> None:
    stop_driver()
    remote = standalone.connect_server(workers=2)
    there = of_world(SEED, tmp_path / "two", Spark(None, remote))
    assert differences(by_duckdb, there) == []
