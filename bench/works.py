"""What the bench can measure: each work by name, its data, its programs, what they must agree on.

Belongs here: the catalogue. Does not: programs (their own files), rounds (``rounds``), the command
line (``run``).

Data of a work stays in a folder of its own and is made once; a folder that says what it holds is
used again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rounds import Match, Round, must, say

BASE_SPANS = 1_000_000
"""Days above are landed copies of a day of this size (``copies``): text of 30 M spans is 45 GB."""

MOST_OF_PANDAS = 10_000_000
"""Spans: above, the notebook does not fit into a machine of our class."""

DAY_SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000)
"""Of the growth plot; the three that issues ask for are among them."""

LATE_KINDS = ("outside", "exporter", "spread")
QUESTIONS = ("whole", "by", "as_of", "revisions", "completeness", "tie_out")
SPANS_OF_A_BACKFILL_DAY, QUICK_SPANS_OF_A_DAY = 20_000, 2_000

Prepared = tuple[Path, dict[str, Any]]
"""A folder, and the counts of what is in it."""


@dataclass(frozen=True)
class Work:
    """One thing to measure. ``sizes``: as issues ask for; ``quick``: that it works."""

    unit: str
    sizes: tuple[int, ...]
    quick: int
    match: Callable[[Path, int, bool], Match]
    """Of the folder for data, a size, and whether it is a quick run."""


def prepared(data: Path, name: str, *program: str) -> Prepared:
    """A company made by a program of ``child``, or the one that is there; its counts."""
    place, told = data / name, data / f"{name}.json"
    if not told.exists():
        say(f"  making {name}")
        shutil.rmtree(place, ignore_errors=True)
        data.mkdir(parents=True, exist_ok=True)
        kind, *arguments = program
        counts = must(kind, str(place), *arguments)
        told.write_text(json.dumps(counts), encoding="utf-8")
    return place, json.loads(told.read_text(encoding="utf-8"))


def landed_day(data: Path, spans: int) -> Prepared:
    """A landed day of so many emitted spans: written as text up to a size, copied above."""
    copies, rest = divmod(spans, BASE_SPANS)
    if copies <= 1:
        return prepared(data, f"day-{spans}", "generate.landed", str(spans))
    if rest:
        raise SystemExit(f"a day of more than {BASE_SPANS:,} spans is a multiple of it")
    base, _ = landed_day(data, BASE_SPANS)
    place, facts = prepared(
        data, f"day-{spans}", "generate.landed", str(spans), str(base), str(copies)
    )
    return place, {**facts, "copies_of": BASE_SPANS}


def _day(data: Path, spans: int, quick: bool) -> Match:
    place, facts = landed_day(data, spans)
    out = data / f"day-{spans}-out"
    by_hand = ("duckdb", "pandas") if spans <= MOST_OF_PANDAS else ("duckdb",)
    stored: dict[str, Any] = {}

    def same(found: Round) -> None:
        done = [name for name in by_hand if "failed" not in found.get(f"day.{name}", {"failed": 1})]
        compared = must("day.compare", str(place), str(out), *done)
        if any(any(grains.values()) for grains in compared["differences"].values()):
            raise SystemExit(f"ours and what was made by hand differ: {compared['differences']}")
        stored.update(compared["bytes_at_rest"])

    facts["bytes_at_rest"] = stored
    return Match(
        "day.ours",
        ("day.scan", *(f"day.{name}" for name in by_hand)),
        (str(place), str(out)),
        (place / "lake" / ".staging", out / "duckdb"),
        after=same,
        facts=facts,
    )


def _landing(kind: str, ours: str, *floors: str) -> Callable[[Path, int, bool], Match]:
    def match(data: Path, size: int, quick: bool) -> Match:
        place, facts = prepared(data, f"{kind}-{size}", "landing.prepare", kind, str(size))
        stored: dict[str, Any] = {}

        def keep(found: Round) -> None:
            stored.update(landed=found[f"landing.{ours}"]["bytes_at_rest"])

        return Match(
            f"landing.{ours}",
            tuple(f"landing.{name}" for name in floors),
            (str(place), str(data / f"{kind}-{size}-out")),
            after=keep,
            facts={**facts, "bytes_at_rest": stored},
        )

    return match


def _late(kind: str) -> Callable[[Path, int, bool], Match]:
    def match(data: Path, spans: int, quick: bool) -> Match:
        place, facts = prepared(data, f"late-{kind}-{spans}", "late.prepare", kind, str(spans))
        came_to: dict[str, Any] = {}

        def same(found: Round) -> None:
            late, whole = (found[f"late.{name}"]["came_to"] for name in ("late", "whole"))
            if late["content_digest"] != whole["content_digest"]:
                raise SystemExit(f"{kind}: the ledgers differ, so their times mean nothing")
            came_to.update(late)

        return Match(
            "late.late", ("late.whole",), (str(place),),
            tuple(place.with_name(f"{place.name}-{name}") / "lake" / ".staging"
                  for name in ("late", "whole")),
            after=same, facts={**facts, "came_to": came_to},
        )  # fmt: skip

    return match


def _backfill(ours: str) -> Callable[[Path, int, bool], Match]:
    def match(data: Path, days: int, quick: bool) -> Match:
        spans = QUICK_SPANS_OF_A_DAY if quick else SPANS_OF_A_BACKFILL_DAY
        name = f"backfill-{days}-{spans}"
        place, facts = prepared(data, name, "backfill.prepare", str(days), str(spans))
        revised: dict[str, Any] = {}

        def publish(program: str) -> None:
            must("backfill.publish", str(place))

        def keep(found: Round) -> None:
            good = {program: one for program, one in found.items() if "failed" not in one}
            revised.update({program: one["revised"] for program, one in good.items()})

        return Match(
            f"backfill.{ours}", ("backfill.engine",), (str(place), str(days)),
            (place / "lake" / ".staging",),
            before=publish, after=keep, facts={**facts, "revised_rows": revised},
        )  # fmt: skip

    return match


def _view(question: str) -> Callable[[Path, int, bool], Match]:
    def match(data: Path, days: int, quick: bool) -> Match:
        spans = QUICK_SPANS_OF_A_DAY if quick else SPANS_OF_A_BACKFILL_DAY
        name = f"views-{days}-{spans}"
        place, facts = prepared(data, name, "views.prepare", str(days), str(spans))
        return Match("views.ours", ("views.scan",), (str(place), question), facts=facts)

    return match


def _start(ours: str, floor: str) -> Callable[[Path, int, bool], Match]:
    def match(data: Path, size: int, quick: bool) -> Match:
        place, _ = prepared(data, "start", "generate.landed", "2000")
        return Match(f"start.{ours}", (f"start.{floor}",), (str(place),))

    return match


WORKS: dict[str, Work] = {
    "landing-otlp-json": Work("spans", (1_000_000,), 5_000, _landing("otlp", "ours", "simdjson", "orjson")),
    "landing-otlp-protobuf": Work("spans", (1_000_000,), 5_000, _landing("otlp", "otlp_pb", "simdjson", "upb")),
    "landing-focus": Work("rows", (200_000,), 2_000, _landing("focus", "focus", "csv_scan")),
    "landing-opencost": Work("pods", (50_000,), 500, _landing("opencost", "opencost", "opencost_json")),
    "day": Work("spans", DAY_SIZES, 5_000, _day),
    **{f"late-{kind}": Work("spans", (1_000_000,), 8_000, _late(kind)) for kind in LATE_KINDS},
    "backfill": Work("days", (90, 365), 2, _backfill("dagster")),
    "backfill-at-once": Work("days", (90, 365), 2, _backfill("at_once")),
    **{f"view-{name}": Work("days", (90,), 1, _view(name)) for name in QUESTIONS},
    "start-definitions": Work("processes", (3,), 3, _start("definitions", "dagster")),
    "start-help": Work("processes", (3,), 3, _start("help", "python")),
}  # fmt: skip
"""By name, in the order of the table."""
