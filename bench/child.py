"""One program of the bench, run once, in this process and no other.

Belongs here: the table of programs, what is read off one. Does not: what a program does (its own
file), which programs are compared, or in which order (``works``, ``rounds``).

    python bench/child.py PROGRAM ARGUMENT ...

Prints one JSON object, last. A timed program is made first, which imports its libraries and makes
its place, and then called: the clock runs from inputs at rest to outputs at rest, for all alike.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

Program = Callable[[], dict[str, Any]]

TIMED = {
    "day": ("scan", "ours", "duckdb", "pandas"),
    "landing": (
        "ours", "otlp_pb", "simdjson", "orjson", "upb", "focus", "csv_scan", "opencost",
        "opencost_json",
    ),
    "late": ("late", "whole"),
    "backfill": ("dagster", "at_once", "engine"),
    "views": ("ours", "scan"),
    "start": ("definitions", "dagster", "help", "python"),
}  # fmt: skip
"""Module of bench -> its programs that are timed: functions that make what is called."""

UNTIMED = {
    "generate": ("landed",),
    "day": ("compare",),
    "late": ("prepare",),
    "backfill": ("prepare", "publish"),
    "landing": ("prepare",),
    "views": ("prepare",),
}
"""Module -> programs that make or compare data."""


def timed(program: Program) -> dict[str, Any]:
    """Seconds of wall and cpu that ``program`` took, its own answer, and the process's peak RSS.

    Processes that it started and waited for are in all three. What it answers as a function is asked
    after the clock stopped.
    """
    before, started = _cpu(), time.perf_counter()
    answer = program()
    seconds = time.perf_counter() - started
    own, others = (
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    told = {
        "seconds": seconds,
        "cpu_seconds": _cpu() - before,
        "peak_rss_bytes": max(own, others) * 1024,  # Linux counts it in kibibytes
    }
    return {name: said() if callable(said) else said for name, said in answer.items()} | told


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(found.ru_utime + found.ru_stime for found in used)


def main(name: str, *arguments: str) -> dict[str, Any]:
    """``MODULE.PROGRAM``; see the two tables."""
    module, _, program = name.partition(".")
    if program in TIMED.get(module, ()):
        return timed(getattr(importlib.import_module(module), program)(*arguments))
    if program in UNTIMED.get(module, ()):
        answer: dict[str, Any] = getattr(importlib.import_module(module), program)(*arguments)
        return answer
    raise SystemExit(f"{name} is no program of the bench")


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
