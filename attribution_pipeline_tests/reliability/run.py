"""``python -m attribution_pipeline_tests.reliability.run``: measure it all, write the table.

Belongs here: the command. Does not: the trials (``measure``), the table (``report``).

``make reliability`` runs it in full, about an hour on two cores. Exit status 1 where anything was
broken; each line then says what, and with which seed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.reliability import disk_full, measure, report
from attribution_pipeline_tests.reliability.measure import FULL, SHORT, Portion, Size
from attribution_pipeline_tests.reliability.tally import Tally

PAGE = REPOSITORY / "docs" / "reliability.md"
OUT = REPOSITORY / "build" / "reliability.json"
SHOWN = 20
"""Violations that are printed of one kind of trouble; all are counted."""

KINDS = ("kills", "points", "faults", "disks", "flips", "crowds")
NAMES = {
    "kills": "killed at random",
    "points": "killed at named points",
    "faults": "faulty storage",
    "disks": "a full disk",
    "flips": "flipped bits",
    "crowds": "many writers",
}


def main() -> int:
    options = _options()
    size = SHORT if options.short else FULL
    broken = 0
    for kind in options.only or KINDS:
        if kind == "disks" and not disk_full.can_mount():
            print("disks: left out, only root may mount one", flush=True)
            continue
        began = time.monotonic()
        tally = _measured(kind, size, options)
        broken += len(tally.violations)
        for line in tally.violations[:SHOWN]:
            print(f"{kind}: {line}", file=sys.stderr)
        _keep(options.out, kind, tally, options.seed, time.monotonic() - began)
    text = _page(json.loads(options.out.read_text(encoding="utf-8")))
    print(f"\n{text}")
    if options.docs:
        report.write(PAGE, text)
    return 1 if broken else 0


def _keep(out: Path, kind: str, tally: Tally, seed: int, seconds: float) -> None:
    """Each kind's row is kept as soon as it is known, so that a run may be done in parts."""
    out.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    kept[kind] = {
        "row": report.row(NAMES[kind], tally),
        "seed": seed,
        "minutes": round(seconds / 60, 1),
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "violations": tally.violations,
    }
    out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _page(kept: Mapping[str, Mapping[str, Any]]) -> str:
    found = [kept[kind] for kind in KINDS if kind in kept]
    minutes = sum(one["minutes"] for one in found)
    days = " to ".join(sorted({one["measured"] for one in found}))
    seeds = ", ".join(sorted({str(one["seed"]) for one in found}))
    where = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return (
        f"`make reliability`, {days}, seed {seeds}, {minutes:.0f} minutes on {where}.\n\n"
        + report.table(one["row"] for one in found)
    )


def _measured(kind: str, size: Size, options: argparse.Namespace) -> Tally:
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        portions = _portions(kind, size, options.seed, Path(folder))
    began, done = time.monotonic(), 0

    def tell(_: str) -> None:
        nonlocal done
        done += 1
        seconds = time.monotonic() - began
        print(f"{kind}: {done} of {len(portions)} portions, {seconds:,.0f} s", flush=True)

    processes = 1 if kind in ("crowds", "disks") else options.processes
    return measure.add_up(portions, processes, tell, options.out.with_suffix(""))


def _portions(kind: str, size: Size, seed: int, folder: Path) -> list[Portion]:
    match kind:
        case "kills":
            return list(measure.kill_portions(size, seed))
        case "points":
            return list(measure.point_portions(size, folder))
        case "faults":
            return list(measure.fault_portions(size, folder))
        case "flips":
            return list(measure.flip_portions(size, seed))
        case "crowds":
            return list(measure.crowd_portions(size))
    return list(measure.disk_portions(size))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="the slice that CI runs")
    parser.add_argument("--only", action="append", choices=KINDS, help="this kind of trouble")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=OUT, help="where rows are kept")
    parser.add_argument("--docs", action="store_true", help="write the table of the docs page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
