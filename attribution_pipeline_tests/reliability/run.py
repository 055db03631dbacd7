"""``python -m attribution_pipeline_tests.reliability.run``: measure it all, write the table.

Belongs here: the command. Does not: the trials (``measure``), the table (``report``).

``make reliability`` runs it in full, about an hour on two cores. Exit status 1 where anything was
broken; each line then says what, and with which seed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.reliability import disk_full, measure, report
from attribution_pipeline_tests.reliability.measure import FULL, SHORT, Portion, Size
from attribution_pipeline_tests.reliability.tally import Tally

PAGE = REPOSITORY / "docs" / "reliability.md"
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
    measured: dict[str, Tally] = {}
    began = time.monotonic()
    for kind in options.only or KINDS:
        if kind == "disks" and not disk_full.can_mount():
            print("disks: left out, only root may mount one", flush=True)
            continue
        measured[NAMES[kind]] = _measured(kind, size, options)
    table = report.table(measured)
    print(f"\n{table}\n\nseed {options.seed}")
    if options.docs:
        report.write(PAGE, f"{_circumstances(options.seed, began)}\n\n{table}")
    return 1 if _show(measured) else 0


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
    return measure.add_up(portions, processes, tell)


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


def _show(measured: Mapping[str, Tally]) -> int:
    for name, tally in measured.items():
        for line in tally.violations[:SHOWN]:
            print(f"{name}: {line}", file=sys.stderr)
    return sum(len(tally.violations) for tally in measured.values())


def _circumstances(seed: int, began: float) -> str:
    minutes = (time.monotonic() - began) / 60
    return (
        f"`make reliability`, {datetime.now(UTC):%Y-%m-%d}, seed {seed}, {minutes:.0f} minutes on "
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="the slice that CI runs")
    parser.add_argument("--only", action="append", choices=KINDS, help="this kind of trouble")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--docs", action="store_true", help="write the table of the docs page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
