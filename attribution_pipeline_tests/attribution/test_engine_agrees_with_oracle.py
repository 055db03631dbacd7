"""The engine against an independent oracle, on random small worlds: every row, every quantum.

``ORACLE_WORLDS``: how many worlds (default 60). ``ORACLE_SEED``: the first one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attribution_pipeline_tests.attribution.agreement import differences
from attribution_pipeline_tests.worlds import world

WORLDS = int(os.environ.get("ORACLE_WORLDS", "60"))
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
