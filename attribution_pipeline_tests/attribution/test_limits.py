"""Threads and memory decide how long a day takes, and nothing else: one content digest for all of them.

Two sizes: a random world, which fits any memory, and a simulated day that does not fit and spills.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.simulator import write_company
from attribution_pipeline.simulator.write import FIRST_DAY
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.attribution.engine_run import run
from attribution_pipeline_tests.worlds import world

pytestmark = pytest.mark.heavy

SPANS = 40_000
ROOMY = "4GB"
TIGHT = ("48MB", "64MB", "80MB", "104MB", "136MB")
"""The first of these that is enough at all is where this day spills."""

LOOK_SECONDS = 0.01


def test_a_world_has_one_digest_with_1_2_4_threads_and_2_4_8_gigabytes(tmp_path: Path) -> None:
    there = world(11)
    digests = {
        (threads, memory): run(
            there, tmp_path / f"{threads}-{memory}", threads=threads, memory_limit=memory
        ).outcome.content_digest
        for threads in (1, 2, 4)
        for memory in ("2GB", "4GB", "8GB")
    }
    assert len(digests) == 9
    assert len(set(digests.values())) == 1, digests


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A landed day, nothing recorded."""
    folder = tmp_path_factory.mktemp("limits") / "company"
    write_company(folder, days=1, spans_per_day=SPANS, faults=["duplicates"])
    house = House(load_deployment(folder / "attribution.yaml"))
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    return folder


def recorded(company: Path, place: Path, threads: int, memory: str) -> tuple[dict[str, str], int]:
    """Digests of the day under these limits, and the most that it had spilled at any look."""
    shutil.copytree(company / "lake", place / "lake", copy_function=os.link)
    shutil.copytree(company / "policies", place / "policies")
    shutil.copy(company / "keys.yaml", place)
    limits = f"\ncompute: {{threads: {threads}, memory_limit: {memory}}}\n"
    config = (company / "attribution.yaml").read_text(encoding="utf-8")
    (place / "attribution.yaml").write_text(config + limits, encoding="utf-8")
    house = House(load_deployment(place / "attribution.yaml"))
    with spill_of(place / "lake") as most:
        record_day(house, FIRST_DAY)
    manifest = house.lake.manifest(FIRST_DAY)
    digests = {name: plane["digest"] for name, plane in manifest["inputs"].items()}
    return digests | {"content": manifest["output"]["content_digest"]}, most[0]


class spill_of:
    """Watches DuckDB's spill under a lake."""

    def __init__(self, lake: Path) -> None:
        self.lake, self.most, self.done = lake, [0], threading.Event()
        self.watcher = threading.Thread(target=self.look)

    def look(self) -> None:
        while not self.done.wait(LOOK_SECONDS):
            self.most[0] = max(self.most[0], sum(self.sizes()))

    def sizes(self) -> Iterator[int]:
        for path in self.lake.glob(".staging/spill*/*"):
            try:
                yield path.stat().st_size
            except FileNotFoundError:  # removed as soon as it is not needed
                continue

    def __enter__(self) -> list[int]:
        self.watcher.start()
        return self.most

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.watcher.join()


def test_a_day_that_spills_has_the_digests_of_one_that_does_not(
    company: Path, tmp_path: Path
) -> None:
    roomy, spilled = recorded(company, tmp_path / "roomy", 2, ROOMY)
    assert spilled == 0
    spills = []
    for threads in (1, 2, 4):
        tight, spilled = tightest(company, tmp_path, threads)
        assert tight == roomy
        spills.append(spilled)
    # what each thread holds for itself may leave no room between not enough and no need to spill
    assert any(spills), "nothing was spilled, so nothing was tested: add a tighter limit"


def tightest(company: Path, place: Path, threads: int) -> tuple[dict[str, str], int]:
    """The day under the least memory with which DuckDB gets to its end."""
    for memory in TIGHT:
        with contextlib.suppress(duckdb.OutOfMemoryException):
            return recorded(company, place / f"{threads}-{memory}", threads, memory)
    pytest.fail(f"{threads} threads: {TIGHT[-1]} is not enough for {SPANS:,} spans any more")
