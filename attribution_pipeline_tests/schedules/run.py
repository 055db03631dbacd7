"""``python -m attribution_pipeline_tests.schedules.run``: play many schedules, tell of each.

Belongs here: the command, its processes, the table in the docs. Does not: what a schedule must come
to (``judge``).
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.schedules.books import on_time_books
from attribution_pipeline_tests.schedules.numbered import (
    PER_MONTH,
    Verdict,
    month_of,
    played,
    schedule_of,
)
from attribution_pipeline_tests.schedules.shrink import shrunk, told
from attribution_pipeline_tests.schedules.table import keep, kept, write_table

DOCS = REPOSITORY / "docs" / "reliability.md"
OUT = REPOSITORY / "build" / "schedules.jsonl"
SHOWN = 3
"""Lines that are told of one schedule that went wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every schedule ended as on time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="number of the first schedule")
    parser.add_argument("--number", type=int, help="play this one alone, and shrink it if wrong")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--docs", action="store_true", help="write the table of docs/reliability.md"
    )
    parser.add_argument(
        "--out", type=Path, default=OUT, help="where what each came to is kept, a line each"
    )
    chosen = parser.parse_args(arguments)
    if chosen.number is not None:
        return _one(chosen.number)
    began = time.monotonic()
    numbers = range(chosen.first, chosen.first + chosen.schedules)
    verdicts = []
    for verdict in play_all(numbers, chosen.processes):
        verdicts.append(verdict)
        keep(chosen.out, verdict)
        print(verdict.line(), flush=True)
        for line in verdict.wrong[:SHOWN]:
            print(f"    {line}", flush=True)
    wrong = [verdict.number for verdict in verdicts if verdict.wrong]
    minutes = (time.monotonic() - began) / 60
    print(f"{len(verdicts)} schedules in {minutes:.0f} minutes, wrong: {wrong or 'none'}")
    if chosen.docs:
        write_table(DOCS, kept(chosen.out))
        print(f"wrote the table in {DOCS.relative_to(REPOSITORY)}")
    return 1 if wrong else 0


def play_all(numbers: Sequence[int], processes: int) -> Iterator[Verdict]:
    """Every schedule, months beside each other."""
    months: dict[int, list[int]] = {}
    for number in numbers:
        months.setdefault(number // PER_MONTH, []).append(number)
    if processes == 1:
        for group in months.values():
            yield from _month(group)
        return
    # spawned: neither DuckDB nor Arrow survive a fork
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, maxtasksperchild=4) as pool:
        for verdicts in pool.imap_unordered(_whole_month, months.values()):
            yield from verdicts


def _whole_month(numbers: list[int]) -> list[Verdict]:
    return list(_month(numbers))


def _month(numbers: list[int]) -> Iterator[Verdict]:
    known = month_of(numbers[0])
    with tempfile.TemporaryDirectory(prefix="schedules-") as folder:
        on_time = on_time_books(known, Path(folder) / "on-time")
        for number in numbers:
            place = Path(folder) / str(number)
            yield played(number, known, on_time, place)
            shutil.rmtree(place, ignore_errors=True)


def _one(number: int) -> int:
    (verdict,) = _month([number])
    print(verdict.line())
    for name, count in sorted(verdict.facts.items()):
        print(f"    {name}: {count}")
    for line in (*verdict.interruptions, *verdict.wrong):
        print(f"    {line}")
    if verdict.wrong:
        known = month_of(number)
        small, books, wrong = shrunk(known, schedule_of(number, known))
        print(
            "smallest:", *told(small), "days: " + ", ".join(map(str, books)), *wrong, sep="\n    "
        )
    return 1 if verdict.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
