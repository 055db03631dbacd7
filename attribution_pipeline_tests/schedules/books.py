"""The books of a deployment: every kept day's rows, and digests of them computed here.

Belongs here: reading the lake, the content digest from rows alone (independent of the engine's),
where two books differ. Does not: what must be equal (``judge``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from attribution_pipeline.lake import Lake
from attribution_pipeline.model.ledger import LEDGER, NOT_CONTENT
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.simulator.month import Month, on_time
from attribution_pipeline.simulator.month.steps import all_over
from attribution_pipeline_tests.schedules.deployment import Place, land_all

Row = Mapping[str, Any]

CONTENT = tuple(name for name in LEDGER.names if name not in (*NOT_CONTENT, "charge_date"))
SEPARATOR, NULL = "\x1f", "\x1e"


@dataclass(frozen=True)
class Day:
    """One day of the on-time books."""

    content_digest: str
    rows: Sequence[Row]


def on_time_books(month: Month, folder: Path) -> dict[date, Day]:
    """Run A: all there at once, every kept day recorded once."""
    return recorded_at_once(on_time(month), month.books, folder, all_over(month))


def recorded_at_once(
    files: Mapping[str, bytes], days: Sequence[date], folder: Path, now: datetime
) -> dict[date, Day]:
    """These files landed in one go, each of these days recorded once."""
    place = Place(folder, files, now)
    house = place.open()
    land_all(house)
    for day in days:
        assert record_day(house, day).state == 1
    return {day: _day(house.lake, day) for day in days}


def _day(lake: Lake, day: date) -> Day:
    said, rows = lake.manifest(day)["output"], lake.read("ledger", day, day).to_pylist()
    assert digest(rows) == said["content_digest"] == said["unheld_digest"], day
    return Day(said["content_digest"], rows)


def digest(rows: Iterable[Row]) -> str:
    """Invariant 4: sha256 of the sorted sha256s of canonical rows with a cost."""
    hashes = sorted(
        hashlib.sha256(SEPARATOR.join(_text(row[name]) for name in CONTENT).encode()).hexdigest()
        for row in rows
        if has_cost(row)
    )
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def has_cost(row: Row) -> bool:
    """Rows of zero are history, not content."""
    return bool(row["billed_cost"] or row["effective_cost"])


def _text(value: Any) -> str:
    if value is None:
        return NULL
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def unheld(ledger: Iterable[Row], variances: Iterable[Row]) -> list[Row]:
    """What the ledger would be if nothing were held: rows of variance in place of their own."""
    rows = {r["attribution_id"]: r for r in ledger if r["unallocated_reason"] != "held"}
    return list((rows | {row["attribution_id"]: row for row in variances}).values())


def differences(expected: Iterable[Row], found: Iterable[Row], most: int = 4) -> str:
    """The first rows of content that differ, and in what."""
    wanted = {row["attribution_id"]: row for row in expected if has_cost(row)}
    there = {row["attribution_id"]: row for row in found if has_cost(row)}
    lines = []
    for key in sorted(wanted.keys() | there.keys()):
        a, b = wanted.get(key), there.get(key)
        if a is None or b is None:
            row = b if a is None else a
            assert row is not None
            who = {n: row[n] for n in ("service", "component", "leg", "tenant_id", "effective_cost",
                                       "unallocated_reason")}  # fmt: skip
            lines.append(f"{key[:8]} {'too much' if a is None else 'missing'}: {who}")
        else:
            cells = {n: (_text(a[n]), _text(b[n])) for n in CONTENT if a[n] != b[n]}
            if cells:
                lines.append(f"{key[:8]} {a['service']} {a['component']} {a['leg']}: {cells}")
    return f"{len(lines)} rows differ: " + "; ".join(lines[:most])
