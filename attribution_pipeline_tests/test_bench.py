"""`make bench QUICK=1` works: its file, its table and its plot have their shape, its comparisons hold.

No test asserts a time. That programs of one work agree (ours and what was made by hand to the
quantum, the late path and the whole one in their digest) is asserted by the harness itself, which
fails where they do not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BENCH = ROOT / "bench"
KEYS = ["work", "size", "unit"]

Items = dict[str, dict[str, Any]]


def bench(program: str, *arguments: object) -> str:
    """A program of bench, run to its end; what it printed."""
    command = [sys.executable, str(BENCH / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=290)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a short run."""
    out = tmp_path_factory.mktemp("bench") / "build" / "bench.json"
    bench("run.py", "--quick", "--out", out)
    return out


@pytest.fixture(scope="module")
def items(results: Path) -> Items:
    """Its items, by work."""
    return {item["work"]: item for item in json.loads(results.read_text(encoding="utf-8"))}


@pytest.mark.heavy
def test_every_kind_of_work_is_measured_against_another_program(items: Items) -> None:
    assert list(items) == [
        "landing-otlp-json", "landing-otlp-protobuf", "landing-focus", "landing-opencost", "day",
        "late-outside", "backfill", "view-by", "start-help",
    ]  # fmt: skip
    for item in items.values():
        assert list(item)[: len(KEYS)] == KEYS
        assert item["ratios"]
        for found in item["ratios"].values():
            for middle, least, most in found.values():
                assert 0 < least <= middle <= most
        for program in item["programs"].values():
            assert program["peak_rss_bytes"] > 5_000_000  # an interpreter is more than that


@pytest.mark.heavy
def test_day_has_spans_that_came_twice_and_two_equals_made_by_hand(items: Items) -> None:
    day = items["day"]
    assert day["landed_spans"] > day["spans"] > day["metered_spans"] > 0
    assert set(day["ratios"]) == {"day.scan", "day.duckdb", "day.pandas"}
    assert day["bytes_at_rest"]["operation_costs"] > 0


@pytest.mark.heavy
def test_late_spans_are_few_and_move_rows(items: Items) -> None:
    late = items["late-outside"]
    assert 0 < late["late_spans"] < late["spans"] // 100
    assert late["came_to"]["revised_rows"] > 0


@pytest.mark.heavy
def test_nothing_in_the_file_names_the_machine(items: Items) -> None:
    said = json.dumps(items)
    assert str(ROOT) not in said
    assert "/tmp" not in said
    assert "hostname" not in items["day"]["machine"]


@pytest.mark.heavy
def test_the_table_stands_between_its_markers_and_the_plot_is_drawn(
    results: Path, items: Items, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n", encoding="utf-8")
    bench("page.py", results, page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- bench -->\n|")
    assert text.endswith("<!-- /bench -->\nafter\n")
    assert "old" not in text
    for work in items:
        assert f"| `{work}` | {items[work]['size']:,} {items[work]['unit']} |" in text
    first, again = tmp_path / "one.svg", tmp_path / "two.svg"
    bench("plot.py", results, first)
    bench("plot.py", results, again)
    assert first.read_bytes() == again.read_bytes()
    assert "pandas notebook" in first.read_text(encoding="utf-8")


@pytest.mark.heavy
def test_copies_of_a_landed_day_are_its_rows_again_under_ids_of_their_own(tmp_path: Path) -> None:
    """One copy is the day itself; of three, ours and what was made by hand agree to the quantum."""
    base, one, three = (tmp_path / name for name in ("base", "one", "three"))
    child = BENCH / "child.py"
    bench(child.name, "generate.landed", base, 3000)
    counts = [
        json.loads(bench(child.name, "generate.landed", place, 3000 * copies, base, copies))
        for place, copies in ((one, 1), (three, 3))
    ]
    assert counts[1]["landed_spans"] == 3 * counts[0]["landed_spans"]
    assert spans_of(one) == spans_of(base)
    copied = spans_of(three)
    assert set(spans_of(base)) < set(copied)
    ids = {(row[0], row[1]) for row in copied}
    assert len(ids) == 3 * len({(row[0], row[1]) for row in spans_of(base)})
    for program in ("ours", "duckdb"):
        bench(child.name, f"day.{program}", three, tmp_path / "out")
    compared = json.loads(bench(child.name, "day.compare", three, tmp_path / "out", "duckdb"))
    assert set(compared["differences"]["duckdb"].values()) == {0}


def spans_of(company: Path) -> list[tuple[Any, ...]]:
    """Landed spans with every column, in one order."""
    import duckdb

    files = f"{company}/lake/landed/spans/**/*.parquet"
    with duckdb.connect() as connection:
        return connection.execute(
            "select trace_id, span_id, * exclude (trace_id, span_id) "
            f"from read_parquet('{files}', hive_partitioning = false) order by all"
        ).fetchall()
