"""An export against the oracle, on random worlds.

``EXPORT_WORLDS``: how many worlds (default 2).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attribution_pipeline_tests.export.exports import exported, priced_world, rows_of
from attribution_pipeline_tests.export.oracle import found_wrong
from attribution_pipeline_tests.proof.packet_worlds import recorded_world

WORLDS = int(os.environ.get("EXPORT_WORLDS", "2"))


@pytest.mark.parametrize("seed", range(100, 100 + WORLDS))
def test_rows_sum_to_their_line_and_to_their_ledger_row_in_every_metric(seed: int, tmp_path: Path):
    there = priced_world(seed)
    lake, state = recorded_world(there, tmp_path)
    out, tally = exported(lake, [state], tmp_path)
    ledger = lake.read("ledger", there.day, there.day).to_pylist()
    for version in ("1.3", "1.4"):
        rows = list(rows_of(out / f"focus-{version}"))
        wrong = found_wrong(rows, ledger, there.evidence, there.day, there.first_day)
        assert not wrong, f"world {seed}, {version}: {wrong[:5]}"
        assert tally.rows == len(rows)
        assert tally.ledger_rows + tally.ledger_rows_at_zero == len(ledger)
        assert tally.ledger_rows_without_a_line == 0
