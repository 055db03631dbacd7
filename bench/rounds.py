"""Programs against each other: paired rounds that take turns, ratios with their spread, what each held.

Belongs here: running a program in a process of its own and watching it, the order of turns, ratios.
Does not: which programs (``works``), what they do (``child``), tables and plots (``page``, ``plot``).

A ratio is taken within a round, ours over theirs, so that what else the machine does weighs on both
sides: more than 1 is slower. Who begins changes from round to round. This process imports nothing
heavy: Linux counts a parent's memory against a child's peak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

CHILD = Path(__file__).with_name("child.py")

LOOK_SECONDS = 0.05
"""Between two looks at a child's memory and at what it spilled."""

MOST_MEMORY_GB = 20
"""A program that holds more is ended: beyond it the machine, not the program, is measured."""

SPILL = "spill*"
"""Folders that engines spill into, by name: our own beside its staging, a baseline's in its output."""

Found = dict[str, Any]
Round = dict[str, Found]


@dataclass(frozen=True)
class Match:
    """Programs on the same input. ``ours`` is what ratios are of."""

    ours: str
    others: tuple[str, ...]
    arguments: tuple[str, ...]
    """Of every program: where its input is, where its output goes."""
    spills_under: tuple[Path, ...] = ()
    before: Callable[[str], None] = lambda program: None
    """Called before each program's turn."""
    after: Callable[[Round], None] = lambda found: None
    """Called with each round: raises SystemExit where the programs did not do the same."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Counts of the input, for the file."""


def play(match: Match, rounds: int, *, warm_up: bool) -> list[Round]:
    """Rounds of a match, a warm-up left out."""
    played: list[Round] = []
    turns = [*match.others, match.ours]
    gone: set[str] = set()
    for number in range(rounds + warm_up):
        found: Round = {}
        first = number % len(turns)
        for program in (*turns[first:], *turns[:first]):
            if program in gone:
                continue
            match.before(program)
            found[program] = run(program, *match.arguments, watched=match.spills_under)
            if failed := found[program].get("failed"):
                if program == match.ours:
                    raise SystemExit(f"{program}: {failed}")
                gone.add(program)  # it would fail again
            say(f"  round {number}: {program} {failed or _said(found[program])}")
        match.after(found)
        played.append(found)
    return played[warm_up:]


def run(program: str, *arguments: str, watched: Sequence[Path] = ()) -> Found:
    """One program in a process of its own: its answer, with the peak of its memory and of its spill.

    A program that ends badly, or holds too much memory, answers ``failed`` alone.
    """
    command = [sys.executable, str(CHILD), program, *arguments]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, text=True)
        held = spilled = 0
        while process.poll() is None:
            held = max(held, _memory(process.pid))
            spilled = max(spilled, sum(_spilled(place) for place in watched))
            if held > MOST_MEMORY_GB * 10**9:
                process.kill()
                process.wait()
                return {"failed": f"ended at {MOST_MEMORY_GB} GB of memory"}
            time.sleep(LOOK_SECONDS)
        out.seek(0)
        lines = out.read().splitlines()
    if process.returncode:
        return {"failed": f"ended with status {process.returncode}"}
    answer: Found = json.loads(lines[-1])
    if "peak_rss_bytes" in answer:  # the kernel's figure is of one process and misses nothing of it
        answer["peak_rss_bytes"] = max(answer["peak_rss_bytes"], held)
        answer["spill_bytes"] = spilled
    return answer


def must(program: str, *arguments: str) -> Found:
    """A program that is not timed: its answer. Raises SystemExit where it fails."""
    answer = run(program, *arguments)
    if "failed" in answer:
        raise SystemExit(f"{program}: {answer['failed']}; its own words are above")
    return answer


def summary(match: Match, rounds: Sequence[Round]) -> dict[str, Any]:
    """What the rounds came to: programs' medians and peaks, ours over each other, wall and cpu."""
    programs = {}
    for name in (match.ours, *match.others):
        of_name = [found[name] for found in rounds if name in found]
        good = [found for found in of_name if "failed" not in found]
        programs[name] = (
            {
                "seconds": [round(found["seconds"], 3) for found in good],
                "cpu_seconds": [round(found["cpu_seconds"], 3) for found in good],
                "peak_rss_bytes": max(found["peak_rss_bytes"] for found in good),
                "spill_bytes": max(found["spill_bytes"] for found in good),
            }
            if good
            else {"failed": of_name[0]["failed"] if of_name else "it failed in the warm-up"}
        )
    return {
        **match.facts,
        "ours": match.ours,
        "rounds": len(rounds),
        "ratios": {
            other: {
                measure: spread(
                    found[match.ours][measure] / found[other][measure]
                    for found in rounds
                    if "failed" not in found.get(other, {"failed": ""})
                )
                for measure in ("seconds", "cpu_seconds")
            }
            for other in match.others
            if "failed" not in programs[other]
        },
        "programs": programs,
    }


def spread(ratios: Any) -> list[float]:
    """Median, least, most."""
    found = list(ratios)
    return [round(value, 3) for value in (median(found), min(found), max(found))]


def _memory(pid: int) -> int:
    """Resident bytes of a process and what it started. A process that ended meanwhile counts 0."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_memory(int(one)) for one in children)


def _spilled(place: Path) -> int:
    size = 0
    for folder in place.glob(SPILL):
        for path in folder.rglob("*"):
            try:
                size += path.stat().st_size
            except FileNotFoundError:  # DuckDB removes what it does not need any more
                continue
    return size


def _said(found: Found) -> str:
    return f"{found['seconds']:.2f} s, {found['cpu_seconds']:.2f} s of cpu"


def say(text: str) -> None:
    """Progress, for who waits."""
    print(text, file=sys.stderr, flush=True)
