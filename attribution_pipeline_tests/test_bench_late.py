"""`bench/late.py` works: its file has its shape, and both ways end in one ledger.

No test asserts a time. That the ledgers agree, and that each program took its way, is asserted by
the harness itself, which fails where it is not so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KEYS = ["work", "spans", "late_spans", "ratio_to_whole", "range_to_whole", "cpu_ratio_to_whole"]


@pytest.mark.heavy
def test_a_short_run_says_what_late_work_costs(tmp_path: Path) -> None:
    out = tmp_path / "late.json"
    command = [sys.executable, str(ROOT / "bench" / "late.py"), "--quick", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    assert [item["work"] for item in found] == ["late, outside", "late, exporter", "late, spread"]
    for item in found:
        assert list(item)[: len(KEYS)] == KEYS
        assert 0 < item["late_spans"] < item["spans"] // 100
        assert item["revised_rows"] > 0
        assert item["ratio_to_whole"] > 0
        assert f"| {item['work']} |" in done.stdout
