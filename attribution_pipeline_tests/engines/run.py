"""Conformance out of CI: random worlds and a demo month, digests side by side.

``python -m attribution_pipeline_tests.engines.run --worlds 20 --days 30 --spans-per-day 5000``. Exit
code 1 where anything differs. Starts a cluster of its own, or uses ``--master`` or ``--remote``.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from attribution_pipeline.attribution.day import Spark
from attribution_pipeline.attribution.spark import cluster as reached
from attribution_pipeline_tests.engines.cluster import CONF, cluster, stop_driver
from attribution_pipeline_tests.engines.compare import differences, digests, of_world

DIGITS = 16
"""Of a digest, shown."""


def main() -> int:
    """Compare and print."""
    given = _given()
    if given.large:
        reached.LARGE_BYTES = -1
    apart = 0
    with tempfile.TemporaryDirectory() as name, _address(given, Path(name)) as spark:
        folder = Path(name)
        for seed in range(given.first, given.first + given.worlds):
            apart += _world(seed, folder / f"world-{seed}", spark)
        if given.days:
            apart += _month(given.days, given.spans_per_day, folder, spark)
        stop_driver()
    print(f"{apart} differ")
    return 1 if apart else 0


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=5, help="random worlds")
    parser.add_argument("--first", type=int, default=0, help="seed of the first one")
    parser.add_argument("--days", type=int, default=0, help="days of the demo")
    parser.add_argument("--spans-per-day", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=2, help="of a cluster started here")
    parser.add_argument("--master", help="instead of a cluster started here")
    parser.add_argument("--remote", help="a Spark Connect address instead")
    parser.add_argument("--large", action="store_true", help="under the settings of much data")
    return parser.parse_args()


@contextlib.contextmanager
def _address(given: argparse.Namespace, folder: Path) -> Iterator[Spark]:
    if given.master or given.remote:
        yield Spark(given.master, given.remote)
        return
    with cluster(folder / "cluster", given.workers) as found:
        yield Spark(found.address, None, tuple(sorted(CONF.items())))


def _world(seed: int, folder: Path, spark: Spark) -> int:
    begun = time.monotonic()
    here, there = of_world(seed, folder / "duckdb"), of_world(seed, folder / "spark", spark)
    found = differences(here, there)
    content = (digests(day)["content"][:DIGITS] for day in (here, there))
    print(f"world {seed:4}  {'  '.join(content)}  {_word(found)}  {time.monotonic() - begun:.0f} s")
    for line in found:
        print(f"    {line}")
    shutil.rmtree(folder)
    sys.stdout.flush()
    return bool(found)


def _month(days: int, spans_per_day: int, folder: Path, spark: Spark) -> int:
    """The demo's days, landed once, then recorded by each engine."""
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.run import run_days

    apart = 0
    subprocess.run(
        [sys.executable, "-m", "attribution_pipeline", "demo", folder / "duckdb",
         "--days", str(days), "--spans-per-day", str(spans_per_day)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    first = load_deployment(folder / "duckdb" / "attribution.yaml").first_day
    shutil.copytree(folder / "duckdb", folder / "spark")
    with (folder / "spark" / "attribution.yaml").open("a") as file:
        file.write("engine: spark\nspark:\n")
        file.write(f"  {'remote' if spark.remote else 'master'}: {spark.remote or spark.master}\n")
        if spark.conf:
            file.write("  conf:\n")
            file.writelines(f"    {name}: {value!r}\n" for name, value in spark.conf)
    lakes = []
    for name in ("duckdb", "spark"):
        begun = time.monotonic()
        deployment = load_deployment(folder / name / "attribution.yaml")
        run_days(deployment, first, first + timedelta(days=days - 1))
        print(f"{days} days on {name}: {time.monotonic() - begun:.0f} s", flush=True)
        lakes.append(House(deployment).lake)
    for number in range(days):
        day = first + timedelta(days=number)
        said = [
            {"content": lake.manifest(day)["output"]["content_digest"], **lake.head(day).inputs}
            for lake in lakes
        ]
        different = [name for name in said[0] if said[0][name] != said[1].get(name)]
        apart += bool(different)
        shown = "  ".join(found["content"][:DIGITS] for found in said)
        print(f"{day}  {shown}  {_word(different)}  {' '.join(different)}")
    return apart


def _word(found: list[str]) -> str:
    return "DIFFERS" if found else "same"


if __name__ == "__main__":
    sys.exit(main())
