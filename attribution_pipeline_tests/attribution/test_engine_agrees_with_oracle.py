"""The engine against an independent oracle, on random small worlds: every row, every quantum.

``ORACLE_WORLDS``: how many worlds (default 30). ``ORACLE_SEED``: the first one.
"""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from attribution_pipeline_tests.attribution.agreement import between, differences
from attribution_pipeline_tests.attribution.engine_run import run
from attribution_pipeline_tests.worlds import World, world
from attribution_pipeline_tests.worlds.dice import Dice

WORLDS = int(os.environ.get("ORACLE_WORLDS", "30"))
FIRST_SEED = int(os.environ.get("ORACLE_SEED", "0"))
WORLDS_A_TEST = 10
SHOWN = 20
"""Differing rows that a failure prints."""


@pytest.mark.parametrize(
    "first", range(FIRST_SEED, FIRST_SEED + WORLDS, WORLDS_A_TEST), ids=lambda seed: f"from-{seed}"
)
def test_engine_agrees_with_oracle_on_every_row_and_quantum(first: int, tmp_path: Path) -> None:
    failures = []
    for seed in range(first, min(first + WORLDS_A_TEST, FIRST_SEED + WORLDS)):
        found = differences(world(seed), tmp_path / str(seed))
        if found:
            shown = "\n  ".join(found[:SHOWN])
            failures.append(f"world {seed}: {len(found)} differences\n  {shown}")
    assert not failures, "\n".join(failures)


QUANTUM = Decimal("1e-12")


def _one_quantum_more(there: World) -> World:
    """The same world, but for one quantum on one line that stands on the day."""
    lines = [dict(line) for line in there.evidence.billing]
    found = next(
        line for line in lines
        if line["delivery"] == "run-2" and line["object_id"] == "billing-of-bill"
        and line["ChargePeriodStart"].date() == there.day
    )  # fmt: skip
    found["BilledCost"] += QUANTUM
    return replace(there, evidence=replace(there.evidence, billing=lines))


def test_one_quantum_on_one_line_is_a_difference(tmp_path: Path) -> None:
    """The comparison can fail."""
    there = world(FIRST_SEED)
    engine = run(there, tmp_path / "engine")
    assert between(engine, there) == []
    assert between(engine, _one_quantum_more(there)) != []


def _shuffled(there: World, seed: int) -> World:
    dice = Dice(seed)
    tables = {
        name: dice.sample(list(getattr(there.evidence, name)), k=len(getattr(there.evidence, name)))
        for name in ("billing", "spans", "allocations", "assets", "usage", "kubernetes")
    }
    return replace(there, evidence=replace(there.evidence, **tables))


@pytest.mark.parametrize("seed", [3, 17, 29])
def test_a_world_has_one_content_digest_whatever_order_files_and_threads(
    seed: int, tmp_path: Path
) -> None:
    there = world(seed)
    digests = {
        run(_shuffled(there, threads), tmp_path / str(threads), threads=threads,
            files_per_table=files).outcome.content_digest
        for threads, files in ((1, 1), (2, 3), (4, 2))
    }  # fmt: skip
    assert len(digests) == 1
