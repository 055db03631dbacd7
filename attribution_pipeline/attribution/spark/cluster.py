"""How Spark is reached: a master or a Spark Connect address, and the settings results rest on.

Belongs here: sessions of this process, what is missing on this machine. Does not: tables or SQL.
"""

from __future__ import annotations

import os
import shutil
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute, Spark

INSTALL = "pip install 'attribution-pipeline[spark]'"

EXACT = {
    # an overflow, a lossy cast, a division by zero is an error, as in DuckDB
    "spark.sql.ansi.enabled": "true",
    # (38,12) - (38,12) stays (38,12); else Spark drops the last digit to make room for a carry
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.session.timeZone": "UTC",
    # identifiers, as in DuckDB; texts are compared by their bytes in both
    "spark.sql.caseSensitive": "false",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.useLargeVarTypes": "false",
    # a union of checkpoints fails to plan with it: "key not found" in UnionBase.rewriteConstraints
    "spark.sql.constraintPropagation.enabled": "false",
}
"""Settings that a result would depend on, or a plan: set in every session, whatever the cluster's
defaults."""

SMALL = {
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.files.openCostInBytes": "65536",
}
"""A small day is some 200 short statements: compiling Java for each costs more than running it."""

LARGE_BYTES = 256 * 2**20
"""Parquet that a session reads, from which on it runs with the cluster's own settings."""

MIB = 2**20

SHOWN = 200
"""Characters of what Spark says, in a refusal."""

_started: dict[Spark, Any] = {}
_starting = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """PySpark says of pandas 3 that it may not work, wherever it looks for it; nothing here needs it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def new_session(compute: Compute) -> Reached:
    """A session with names of its own. Raises Refusal where Spark is not installed or not reached."""
    spark = compute.spark
    assert spark is not None  # ``engine.day_session`` asks only then
    _require_pyspark()
    if spark.remote:
        session = _connected(spark.remote)
    else:
        session = _driver(spark, compute).newSession()
    own = {name: session.conf.get(name) for name in SMALL}
    for name, value in {**EXACT, **SMALL}.items():
        session.conf.set(name, value)
    return Reached(session, own, is_remote=spark.remote is not None)


@dataclass(frozen=True)
class Reached:
    """A Spark session, and what its cluster says instead of ``SMALL``."""

    session: Any
    own: Mapping[str, str]
    is_remote: bool

    def for_much_data(self) -> None:
        """The cluster's own settings from here on."""
        for name, value in self.own.items():
            self.session.conf.set(name, value)

    def close(self) -> None:
        """A server is told that nobody uses the session any more."""
        if self.is_remote:
            self.session.stop()


def _require_pyspark() -> None:
    try:
        with quiet():
            import pyspark  # noqa: F401
    except ImportError as error:
        raise Refusal(
            "the engine is spark, and pyspark is not installed", where="engine", remedy=INSTALL
        ) from error


def _driver(spark: Spark, compute: Compute) -> Any:
    """This process as a Spark application: it can be only one at a time."""
    with _starting:
        for other, session in list(_started.items()):
            if _is_stopped(session):
                del _started[other]
            elif other != spark:
                raise Refusal(
                    f"this process computes on {other.master} already",
                    where="spark",
                    remedy="run deployments of different clusters in processes of their own",
                )
        if spark not in _started:
            _require_java()
            _started[spark] = _application(spark, compute)
        return _started[spark]


def _is_stopped(session: Any) -> bool:
    context = session.sparkContext._jsc
    return context is None or bool(context.sc().isStopped())


def _application(spark: Spark, compute: Compute) -> Any:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        with quiet():
            session = _builder(spark, compute).getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
    except (Py4JError, PySparkException) as error:
        raise _unreached(f"master {spark.master}", "spark.master", error) from error
    return session


def _unreached(what: str, where: str, error: Exception) -> Refusal:
    return Refusal(
        f"Spark's {what} cannot be used: {' '.join(str(error).split())[:SHOWN]}",
        where=where,
        remedy="see that it runs, that this machine reaches it, and that its release is 4.x",
    )


def _builder(spark: Spark, compute: Compute) -> Any:
    from pyspark.sql import SparkSession

    master = str(spark.master)
    builder = SparkSession.builder.master(master).appName("attribution")
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": f"{max(1, compute.memory_bytes // MIB)}m",
        **_loopback(master),
        **dict(spark.conf),
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder


def _loopback(master: str) -> dict[str, str]:
    """On one machine nothing needs to be reached from outside."""
    if master.startswith("local") or urlsplit(master).hostname in ("127.0.0.1", "localhost"):
        return {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return {}


def _connected(remote: str) -> Any:
    with quiet():
        try:
            from pyspark.errors import PySparkException
            from pyspark.sql.connect.session import SparkSession
        except ImportError as error:  # its own message names the package that lacks
            raise Refusal(
                f"Spark Connect cannot be used: {' '.join(str(error).split())[:SHOWN]}",
                where="spark.remote",
                remedy=INSTALL,
            ) from error
        try:
            return SparkSession.builder.remote(remote).create()
        except PySparkException as error:
            raise _unreached(f"server {remote}", "spark.remote", error) from error


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if not (home and os.path.exists(os.path.join(home, "bin", "java"))) and not shutil.which(
        "java"
    ):
        raise Refusal(
            "the engine is spark with a master, and there is no Java on this machine",
            where="spark.master",
            remedy="install a Java 17 runtime (Debian: openjdk-17-jre-headless), or name a Spark "
            "Connect server by `remote`",
        )
