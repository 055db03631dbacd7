"""``python -m attribution_pipeline_tests.explain.run``: six causes, ten companies each.

Belongs here: the command, its processes, what it prints and keeps. Does not: playing a company
(``companies``). Every day draws its own traffic, so the cause has to be found among what else moved.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.explain.companies import PART_OF, days_of, play, told

OUT = REPOSITORY / "build" / "explain.txt"
SEEDS = 10
SPANS_PER_DAY = 50_000
"""At fewer, machines that are paid for whether they are used or not drown what tokens cost."""

Job = tuple[int, int, bool, tuple[str, ...]]
"""Seed, spans a day, steady, causes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every cause came out as the largest part, and every part sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--spans-per-day", type=int, default=SPANS_PER_DAY)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--cause", choices=list(PART_OF), action="append", help="default: all six")
    parser.add_argument("--steady", action="store_true", help="every day with the same traffic")
    parser.add_argument("--out", type=Path, default=OUT, help="where every line is kept")
    chosen = parser.parse_args(arguments)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    began, right, wrong = time.monotonic(), Counter[str](), 0
    jobs = [
        (seed, chosen.spans_per_day, chosen.steady, tuple(chosen.cause or PART_OF))
        for seed in range(chosen.first, chosen.first + chosen.seeds)
    ]
    with chosen.out.open("w") as kept:
        for lines in _played(jobs, chosen.processes):
            for cause, is_right, line in lines:
                right[cause] += is_right
                wrong += not is_right
                print(line, flush=True)
                print(line, file=kept, flush=True)
        minutes = (time.monotonic() - began) / 60
        for cause in chosen.cause or PART_OF:
            print(f"{cause}: {right[cause]} of {chosen.seeds} the largest part", file=kept)
            print(f"{cause}: {right[cause]} of {chosen.seeds} the largest part")
    print(
        f"{len(jobs) * len(chosen.cause or PART_OF)} explanations in {minutes:.0f} minutes, wrong: {wrong}"
    )
    return 1 if wrong else 0


def _played(jobs: Sequence[Job], processes: int) -> Iterator[list[tuple[str, bool, str]]]:
    if processes == 1:
        yield from map(_company, jobs)
        return
    # spawned: neither DuckDB nor Arrow survive a fork
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=2) as pool:
        yield from pool.imap(_company, jobs)


def _company(job: Job) -> list[tuple[str, bool, str]]:
    seed, spans, steady, causes = job
    days = days_of(causes)
    with tempfile.TemporaryDirectory(prefix="explain-") as folder:
        house = play(Path(folder) / "company", seed, spans, steady=steady, days=days)
        return [
            (one.cause, one.is_right and one.sums, one.line()) for one in told(house, seed, days)
        ]


if __name__ == "__main__":
    sys.exit(main())
