"""A standalone Spark cluster on loopback: one master and its workers, from the pyspark package.

Belongs here: starting and stopping its processes. Does not: what runs there.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
BOUND = ("--host", HOST, "--webui-port", "0")
"""Where a daemon listens."""

PATIENCE = 180
"""Seconds until a process of the cluster must have come up: a busy machine starts Java slowly."""

SUBMIT, DRIVER_MEMORY = "SparkSubmit", "700m"

SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Java that runs minutes: no second compiler, no threads for garbage."""

CONF = {
    "spark.executor.cores": "1",
    "spark.executor.memory": "640m",
    "spark.executor.extraJavaOptions": SHORT_LIVED,
    "spark.driver.extraJavaOptions": SHORT_LIVED,
}


class Cluster:
    """A running master. ``address``: what ``spark.master`` names."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("java"):
            raise FileNotFoundError("a Spark cluster needs Java: `make java` installs it")
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        port = _free_port()
        self.address = f"spark://{HOST}:{port}"
        self._java("master.Master", *BOUND, "--port", str(port))
        _wait(lambda: _answers(port), "the master does not answer")

    def add_worker(self) -> None:
        """One more worker with one core."""
        self._java("worker.Worker", *BOUND, "--cores", "1", "--memory", "900m",
                   "--work-dir", str(self.folder / "work"), self.address)  # fmt: skip

    def connect_server(self, workers: int) -> str:
        """A Spark Connect server with an executor on each worker; its address."""
        port = _free_port()
        settings = {
            **CONF,
            "spark.master": self.address,
            "spark.driver.host": HOST,
            "spark.driver.bindAddress": HOST,
            "spark.ui.enabled": "false",
            "spark.connect.grpc.binding.address": HOST,
            "spark.connect.grpc.binding.port": str(port),
            "spark.sql.shuffle.partitions": "3",
            "spark.scheduler.minRegisteredResourcesRatio": "1",
            "spark.cores.max": str(workers),
        }
        given = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        self._java(SUBMIT, "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
                   "--driver-memory", DRIVER_MEMORY, *given, "spark-internal")  # fmt: skip
        _wait(lambda: _answers(port), "the Spark Connect server does not answer")
        return f"sc://{HOST}:{port}"

    def stop(self) -> None:
        """End what was started here, workers first."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(timeout=PATIENCE)

    def _java(self, name: str, *arguments: str) -> None:
        import pyspark

        home = Path(pyspark.__file__).parent
        environment = {
            **os.environ,
            "SPARK_HOME": str(home), "SPARK_LOCAL_IP": HOST,
            # a Connect server is a driver, whose heap Spark takes from the daemons' setting
            "SPARK_DAEMON_MEMORY": DRIVER_MEMORY if name == SUBMIT else "192m",
            "SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED,
        }  # fmt: skip
        log = self.folder / f"{name}-{len(self._processes)}.log"
        with log.open("wb") as out:
            self._processes.append(
                subprocess.Popen(
                    [home / "bin" / "spark-class", f"org.apache.spark.deploy.{name}", *arguments],
                    stdout=out, stderr=subprocess.STDOUT, env=environment,
                )
            )  # fmt: skip


@contextmanager
def cluster(folder: Path, workers: int = 1) -> Iterator[Cluster]:
    """A cluster for as long as the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    found = Cluster(folder)
    try:
        for _ in range(workers):
            found.add_worker()
        yield found
    finally:
        stop_driver()
        found.stop()


def stop_driver() -> None:
    """This process is no Spark application any more."""
    from attribution_pipeline.attribution.spark import cluster as reached

    for session in reached._started.values():
        session.stop()
    reached._started.clear()


def _wait(happened: Any, otherwise: str) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError(otherwise)
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex((HOST, port)) == 0
