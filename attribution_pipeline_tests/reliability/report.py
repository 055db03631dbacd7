"""What was measured, as the table of ``docs/reliability.md``.

Belongs here: the rows of the table, putting it between its markers. Does not: the rest of that page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attribution_pipeline_tests.reliability.crash_points import PointTally
from attribution_pipeline_tests.reliability.crowds import CrowdTally
from attribution_pipeline_tests.reliability.disk_full import DiskTally
from attribution_pipeline_tests.reliability.faults import FaultTally
from attribution_pipeline_tests.reliability.flips import FlipTally
from attribution_pipeline_tests.reliability.kills import KillTally
from attribution_pipeline_tests.reliability.tally import Tally

BEGIN, END = "<!-- crashes -->", "<!-- /crashes -->"
HEAD = (
    "| trouble | what was done | what the writer got done meanwhile | broken |",
    "|---|---|---|---|",
)


def row(name: str, tally: Tally) -> str:
    """What one kind of trouble came to."""
    done, progress = _cells(tally)
    return f"| {name} | {done} | {progress} | **{len(tally.violations)}** |"


def table(rows: Iterable[str]) -> str:
    """Markdown."""
    return "\n".join([*HEAD, *rows])


def write(page: Path, text: str) -> None:
    """Replace what stands between the markers."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} has no markers {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def _cells(tally: Any) -> tuple[str, str]:
    match tally:
        case KillTally():
            inside = tally.inside.total()
            return (
                f"{tally.kills:,} SIGKILLs at random times, {inside:,} inside a task "
                f"({_counts(tally.inside)})",
                f"{tally.acknowledged['record']:,} states and {tally.acknowledged['land']:,} "
                f"landings acknowledged; {tally.unacknowledged:,} states that stood unacknowledged, "
                f"recognised by the rerun; {tally.reads:,} reads of all days meanwhile, "
                f"{tally.states_read:,} states seen",
            )
        case PointTally():
            return (
                f"{tally.kills.total():,} SIGKILLs at {len(tally.kills)} named points, each at its "
                "first and at later calls",
                f"{tally.old:,} left the state before, {tally.new:,} the state after, the rest a "
                "landing in between; every rerun ended at the golden digests",
            )
        case FaultTally():
            return (
                f"{tally.faults.total():,} faults ({_counts(tally.faults)}) at "
                f"{len(tally.met)} kinds of calls, {tally.lasting:,} of them lasting",
                f"{tally.refused:,} told to the caller in one line, {tally.survived:,} borne; "
                "every rerun ended at the golden digests",
            )
        case FlipTally():
            return (
                f"{tally.flips.total():,} flipped bits in {len(tally.met)} files "
                f"({_counts(tally.flips)})",
                f"refused by name: {tally.verify:,} by verification, {tally.readers:,} by readers, "
                f"{tally.replays:,} by replay, {tally.landed:,} by readers of landed evidence; "
                f"{tally.ignored:,} hints taken for none; {tally.harmless:,} in what nobody reads of an "
                "entry without a seal",
            )
        case CrowdTally():
            return (
                f"{tally.crowds} crowds of 2 to 30 writers at once",
                f"{tally.acknowledged:,} states acknowledged, all in the lake once; "
                f"{tally.moved:,} times a writer was told that the day moved, and tried again",
            )
        case DiskTally():
            return (
                f"{tally.refused + tally.fitted:,} disks of 8 to 400 kB",
                f"{tally.refused:,} too small, and said so; {tally.fitted:,} large enough",
            )
    raise TypeError(f"no row for {type(tally).__name__}")


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in _falling(counted))


def _falling(counted: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    yield from sorted(counted.items(), key=lambda item: (-item[1], item[0]))
