"""`make bench` works: its file has its shape and its comparison is of equal work.

No test asserts a time. That ours and the notebook's amounts agree to the quantum is asserted by the
harness itself, which fails where they do not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
KEYS = ["work", "spans", "ratio_to_scan", "ratio_to_pandas", "peak_rss_bytes", "bytes_per_span"]

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The items of a short run, by work."""
    out = tmp_path_factory.mktemp("bench") / "build" / "bench.json"
    command = [sys.executable, str(ROOT / "bench" / "run.py"), "--quick", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "| day | 50,000 |" in done.stdout
    found = json.loads(out.read_text(encoding="utf-8"))
    assert isinstance(found, list)
    return {item["work"]: item for item in found}


def test_file_lists_the_day_and_landing_with_six_figures_each(
    items: dict[str, dict[str, Any]],
) -> None:
    assert list(items) == ["day", "landing"]
    for item in items.values():
        assert list(item)[: len(KEYS)] == KEYS
        assert item["spans"] == 50_000


def test_ratios_sizes_and_memory_are_positive(items: dict[str, dict[str, Any]]) -> None:
    for item in items.values():
        assert item["ratio_to_scan"] > 0
        assert item["peak_rss_bytes"] > 10_000_000  # an interpreter with DuckDB is more than that
        assert item["bytes_per_span"] > 0
    assert items["day"]["ratio_to_pandas"] > 0
    assert items["landing"]["ratio_to_pandas"] is None


def test_day_has_spans_that_came_twice_and_calls_among_other_spans(
    items: dict[str, dict[str, Any]],
) -> None:
    day = items["day"]
    assert day["landed_spans"] > day["spans"] > day["metered_spans"] > 0


def test_nothing_in_the_file_names_the_machine(items: dict[str, dict[str, Any]]) -> None:
    assert "/" not in json.dumps(items)
    machine = items["day"]["machine"]
    assert machine["cores"] > 0
    assert "hostname" not in machine
