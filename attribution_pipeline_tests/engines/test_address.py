"""Where Spark is: what the deployment file may say, and what is missing on a machine."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from attribution_pipeline.attribution.day import Compute, Spark
from attribution_pipeline.attribution.engine import day_session, session
from attribution_pipeline.attribution.spark import cluster
from attribution_pipeline.config import load_deployment
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.house import House

FILE = "storage: ./lake\nfirst_day: 2026-10-05\npolicies: ./policies\nsources: {}\n"


def deployment(folder: Path, more: str):  # type: ignore[no-untyped-def]
    (folder / "attribution.yaml").write_text(FILE + more)
    return load_deployment(folder / "attribution.yaml")


@pytest.mark.parametrize(
    ("more", "spark"),
    [
        ("", None),
        ("engine: duckdb\nspark: {master: 'local[2]'}\n", None),
        ("engine: spark\nspark: {master: 'local[*]'}\n", Spark("local[*]")),
        ("engine: spark\nspark: {remote: 'sc://spark.example.com:15002'}\n",
         Spark(None, "sc://spark.example.com:15002")),
        ("engine: spark\nspark: {master: 'spark://m:7077', conf: {spark.executor.memory: 8g}}\n",
         Spark("spark://m:7077", None, (("spark.executor.memory", "8g"),))),
    ],
)  # fmt: skip
def test_the_deployment_file_says_where_days_are_computed(
    tmp_path: Path, more: str, spark: Spark | None
) -> None:
    assert House(deployment(tmp_path, more)).compute(tmp_path / "scratch").spark == spark


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("engine: spark\n", "nothing says where it is"),
        ("engine: dask\n", "engine"),
        ("spark: {}\n", "one address"),
        ("spark: {master: 'local[2]', remote: 'sc://h'}\n", "one address"),
        ("spark: {master: 'http://h'}\n", "master"),
        ("spark: {remote: 'http://h'}\n", "remote"),
        ("spark: {remote: 'sc://h', conf: {a: b}}\n", "has its settings already"),
    ],
)
def test_an_address_that_is_none_is_refused_with_its_line(
    tmp_path: Path, more: str, says: str
) -> None:
    with pytest.raises(Refusal) as refused:
        deployment(tmp_path, more)
    assert says in str(refused.value)
    assert "attribution.yaml:5" in str(refused.value)


def test_without_pyspark_the_refusal_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(Refusal) as refused, day_session(Compute(spark=Spark("local[2]"))):
        pass
    assert "pip install 'attribution-pipeline[spark]'" in str(refused.value)


def test_without_java_the_refusal_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyspark")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(cluster, "_started", {})
    with (
        pytest.raises(Refusal, match="no Java") as refused,
        day_session(Compute(spark=Spark("local[2]"))),
    ):
        pass
    assert "openjdk-17-jre-headless" in str(refused.value)


def test_a_process_is_an_application_of_one_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    running = SimpleNamespace(isStopped=lambda: False)
    session = SimpleNamespace(
        sparkContext=SimpleNamespace(_jsc=SimpleNamespace(sc=lambda: running))
    )
    monkeypatch.setattr(cluster, "_started", {Spark("spark://one:7077"): session})
    with (
        pytest.raises(Refusal, match="on spark://one:7077 already"),
        day_session(Compute(spark=Spark("spark://two:7077"))),
    ):
        pass


def test_reading_and_proving_stay_with_duckdb() -> None:
    with session(Compute(spark=Spark("spark://nowhere:7077"))) as db:
        assert db.one("select 1") == 1


@pytest.mark.parametrize(
    ("limit", "mebibytes"), [("4GB", 3814), ("512MiB", 512), ("1.5 GiB", 1536), ("2TB", 1907348)]
)
def test_a_limit_is_bytes_as_duckdb_spells_it(limit: str, mebibytes: int) -> None:
    assert Compute(memory_limit=limit).memory_bytes // 2**20 == mebibytes
