"""`make bench`: what the pipeline costs, as ratios to bare reads and to a pandas notebook.

Belongs here: rounds, ratios, the table and the file. Does not: the programs (``child``), the floors
(``scan``), the notebook (``pandas_notebook``), the data (``generate``).

    python bench/run.py --out build/bench.json [--spans 1000000] [--repetitions 3] [--quick]

Every run of a program is a process of its own. The programs of one work take turns (scan, ours,
pandas, scan, ...), and a ratio is taken within a round, so that what else the machine does weighs
on both sides. Ratios are ours over theirs: below 1 is faster. This process imports nothing heavy:
Linux counts a parent's memory against a child's peak.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

SPANS, REPETITIONS = 1_000_000, 3
QUICK_SPANS, QUICK_REPETITIONS = 50_000, 1
MEMORY_LIMIT = "4GB"
"""The engine's limit, as issue 2 sets it and as the deployment file has it by default."""

WORKS = {"landing": ("scan", "ours"), "day": ("scan", "ours", "pandas")}
"""What is measured, and who takes part in each round."""

CHILD = Path(__file__).with_name("child.py")
LIBRARIES = ("duckdb", "pyarrow", "pandas", "deltalake", "orjson")

Round = dict[str, dict[str, Any]]


def main() -> None:
    options = parse(sys.argv[1:])
    kept = nullcontext(options.data) if options.data else tempfile.TemporaryDirectory()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with kept as folder:
        items = measure(Path(folder), options)
    options.out.write_text(json.dumps(items, indent=1) + "\n", encoding="utf-8")
    print(table(items))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--spans", type=int, help=f"spans that pods emit (default {SPANS:,})")
    parser.add_argument("--repetitions", type=int, help=f"timed rounds (default {REPETITIONS})")
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_SPANS:,} spans, one round, no warm-up"
    )
    parser.add_argument("--data", type=Path, help="keep the data here, or use what is here")
    options = parser.parse_args(arguments)
    options.spans = options.spans or (QUICK_SPANS if options.quick else SPANS)
    quick, full = QUICK_REPETITIONS, REPETITIONS
    options.repetitions = options.repetitions or (quick if options.quick else full)
    return options


def measure(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One item a work, in the shape of ``build/bench.json``."""
    counts = prepare(folder, options.spans)
    out = folder / "out"
    out.mkdir(exist_ok=True)
    load_before = os.getloadavg()[0]
    rounds = {
        work: play(work, programs, folder / "company", out, options)
        for work, programs in WORKS.items()
    }
    compared = child("compare", folder / "company", out / "day")
    if any(compared["differences"].values()):
        raise SystemExit(f"ours and the notebook's amounts differ: {compared['differences']}")
    machine = {**facts(), "load_average": [round(load_before, 1), round(os.getloadavg()[0], 1)]}
    stored = {
        "day": sum(compared["bytes_at_rest"].values()) / counts["metered_spans"],
        "landing": tree_bytes(folder / "company" / "lake" / "landed" / "spans")
        / counts["landed_spans"],
    }
    return [
        item(work, counts["spans"], rounds[work], stored[work])
        | {**counts, "repetitions": options.repetitions, "machine": machine}
        for work in ("day", "landing")
    ]


def prepare(folder: Path, spans: int) -> dict[str, int]:
    """The company, written and landed, or the one that is there; its counts."""
    told = folder / "counts.json"
    if not told.exists():
        say(f"writing and landing {spans:,} spans")
        counts = child(
            "generate", folder / "company", folder, str(spans), str(cores()), MEMORY_LIMIT
        )
        told.write_text(json.dumps(counts), encoding="utf-8")
    counts = json.loads(told.read_text(encoding="utf-8"))
    if counts["spans"] != spans:
        raise SystemExit(
            f"{told}: holds {counts['spans']:,} spans, not {spans:,}; name a new folder"
        )
    return counts


def play(
    work: str, programs: Sequence[str], company: Path, out: Path, options: argparse.Namespace
) -> list[Round]:
    """Rounds of a work; the first is a warm-up and is left out, but for ``--quick``."""
    rounds = []
    for number in range(options.repetitions + (not options.quick)):
        found = {}
        for program in programs:
            found[program] = child(f"{work}.{program}", company, out / work)
            say(f"{work} round {number}: {program} {found[program]['seconds']:.2f} s")
        rounds.append(found)
    return rounds if options.quick else rounds[1:]


def child(name: str, company: Path, out: Path, *rest: str) -> dict[str, Any]:
    """The answer of one program, run in a process of its own."""
    if not name.startswith("landing"):
        out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(CHILD), name, str(company), str(out), *rest]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{name} failed with status {done.returncode}; its own words are above")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def item(work: str, spans: int, rounds: Sequence[Round], bytes_per_span: float) -> dict[str, Any]:
    """One entry of the file: the six figures that people script against, then what is behind them.

    ``bytes_per_span``. Day: committed files over metered spans. Landing: landed files over landed
    spans. ``cpu_ratio_to_*``: the same of processor time, which other work disturbs less.
    """
    wall = {other: ratios(rounds, other, "seconds") for other in ("scan", "pandas")}
    cpu = {other: ratios(rounds, other, "cpu_seconds") for other in ("scan", "pandas")}
    return {
        "work": work,
        "spans": spans,
        **{f"ratio_to_{other}": middle(found) for other, found in wall.items()},
        "peak_rss_bytes": max(found["ours"]["peak_rss_bytes"] for found in rounds),
        "bytes_per_span": round(bytes_per_span, 1),
        **{f"range_to_{o}": [round(min(f), 3), round(max(f), 3)] for o, f in wall.items() if f},
        **{f"cpu_ratio_to_{other}": middle(found) for other, found in cpu.items()},
        **{
            measure: {
                name: middle([found[name][measure] for found in rounds]) for name in rounds[0]
            }
            for measure in ("seconds", "cpu_seconds")
        },
        "peak_rss_bytes_of_others": {
            name: max(found[name]["peak_rss_bytes"] for found in rounds)
            for name in rounds[0]
            if name != "ours"
        },
    }


def ratios(rounds: Sequence[Round], other: str, measure: str) -> list[float]:
    """Ours over the other's, round by round; empty where the other takes no part."""
    return [found["ours"][measure] / found[other][measure] for found in rounds if other in found]


def middle(found: Sequence[float]) -> float | None:
    return round(median(found), 3) if found else None


def facts() -> dict[str, Any]:
    """The class of machine: what a reader needs to compare, nothing that names it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": cores(),
        "memory_gb": round(memory / 1e9),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
        "engine_memory_limit": MEMORY_LIMIT,
    }


def cores() -> int:
    return len(os.sched_getaffinity(0))


def tree_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def table(items: Sequence[dict[str, Any]]) -> str:
    """The items for people, as Markdown: medians, with the least and the most of the rounds."""
    lines = [
        "",
        "| work | spans | x scan | x pandas | cpu x scan | cpu x pandas | peak RSS | bytes a span |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for found in items:
        cells = [found["work"], f"{found['spans']:,}"]
        for other in ("scan", "pandas"):
            low, high = found.get(f"range_to_{other}", (None, None))
            value = found[f"ratio_to_{other}"]
            cells.append("-" if value is None else f"{value:.2f} ({low:.2f} to {high:.2f})")
        cells += [
            "-" if (value := found[f"cpu_ratio_to_{other}"]) is None else f"{value:.2f}"
            for other in ("scan", "pandas")
        ]
        cells += [f"{found['peak_rss_bytes'] / 1e9:.2f} GB", f"{found['bytes_per_span']:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    machine = items[0]["machine"]
    lines += [
        "",
        f"{items[0]['repetitions']} rounds, paired; {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, load average {machine['load_average'][0]} before and "
        f"{machine['load_average'][1]} after; engine limit {machine['engine_memory_limit']}",
    ]
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
