"""`make bench`: what the pipeline costs, against floors, baselines and itself.

Belongs here: the command line, the file of results, the machine that they were measured on. Does
not: works (``works``), rounds (``rounds``), the table and the plot (``page``, ``plot``).

    python bench/run.py --out build/bench.json                      # everything; hours
    python bench/run.py day --sizes 10000000 --rounds 2 --out ...   # one work, one size
    python bench/run.py --quick --out build/quick.json              # that it works
    python bench/run.py --list

The file grows by one item as soon as each is measured; an item of the same work and size is
replaced. So runs can be cut off, made piece by piece, and made again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from dataclasses import replace

from rounds import Match, play, say, summary
from works import WORKS

ROUNDS = 3
LIBRARIES = ("duckdb", "pyarrow", "pandas", "deltalake", "dagster", "orjson", "pysimdjson")

QUICK = (
    "landing-otlp-json", "landing-otlp-protobuf", "landing-focus", "landing-opencost", "day",
    "late-outside", "backfill", "view-by", "start-help",
)  # fmt: skip
"""Of works that differ in their data alone, one."""


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    if options.list:
        for name, work in WORKS.items():
            print(f"{name:24} {work.unit}: {', '.join(f'{size:,}' for size in work.sizes)}")
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    kept = nullcontext(options.data) if options.data else tempfile.TemporaryDirectory()
    with kept as folder:
        for name in options.works or (QUICK if options.quick else WORKS):
            work = WORKS[name]
            for size in options.sizes or ((work.quick,) if options.quick else work.sizes):
                say(f"{name}, {size:,} {work.unit}")
                load = os.getloadavg()[0]
                match = without(work.match(Path(folder), size, options.quick), options.without)
                rounds = play(match, options.rounds, warm_up=options.warm_up)
                keep(
                    options.out,
                    {
                        "work": name,
                        "size": size,
                        "unit": work.unit,
                        **summary(match, rounds),
                        "command": command(name, size, options),
                        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
                        "load_average": [round(load, 1), round(os.getloadavg()[0], 1)],
                        "machine": machine(),
                    },
                )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("works", nargs="*", metavar="WORK", help="default: all; see --list")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"), help="the JSON file")
    parser.add_argument("--sizes", type=int, nargs="+", help="instead of the work's own")
    parser.add_argument("--rounds", type=int, help=f"timed rounds (default {ROUNDS})")
    parser.add_argument("--no-warm-up", dest="warm_up", action="store_false")
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="PROGRAM", help="as in day.pandas"
    )
    parser.add_argument("--quick", action="store_true", help="small, one round: that it works")
    parser.add_argument("--data", type=Path, help="keep the data here, or use what is here")
    parser.add_argument("--list", action="store_true", help="works and their sizes")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.works if name not in WORKS]:
        parser.error(f"no work is called {', '.join(unknown)}; see --list")
    options.rounds = options.rounds or (1 if options.quick else ROUNDS)
    options.warm_up = options.warm_up and not options.quick
    return options


def without(match: Match, names: Sequence[str]) -> Match:
    """The match with fewer opponents."""
    return replace(match, others=tuple(name for name in match.others if name not in names))


def command(name: str, size: int, options: argparse.Namespace) -> str:
    """What measures this item again, wherever it was kept."""
    said = f"python bench/run.py {name} --sizes {size} --rounds {options.rounds}"
    said += "" if options.warm_up else " --no-warm-up"
    return said + (f" --without {' '.join(options.without)}" if options.without else "")


def keep(path: Path, item: dict[str, Any]) -> None:
    """The item in the file of results, in the catalogue's order."""
    items = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    key = (item["work"], item["size"])
    items = [found for found in items if (found["work"], found["size"]) != key] + [item]
    order = {name: number for number, name in enumerate(WORKS)}
    items.sort(key=lambda found: (order.get(found["work"], len(order)), found["size"]))
    new = path.with_suffix(".new")
    new.write_text(json.dumps(items, indent=1) + "\n", encoding="utf-8")
    new.replace(path)


def machine() -> dict[str, Any]:
    """The class of machine: what a reader needs to compare, nothing that names it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }


if __name__ == "__main__":
    main(sys.argv[1:])
