"""What the company's control plane keeps on record: a hard-block list, shadow mode, overrides.

Belongs here: these records, for ``attribution triage``. Does not: what the company's agents do
(``traffic``), what is asked of the records (``proof.triage``).

The control plane was there before the days that are billed: a week of shadow mode precedes them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

FOLDER = "controls"

STREAM = 101
"""Of random numbers, apart from those of ``write`` and ``business``."""

HARD_BLOCKS = (
    ("no-payout-twice", "payments.refund"),
    ("no-mail-to-all", "mailing.send_to_all"),
    ("no-tenant-drop", "tenants.delete"),
)
"""Rule and operation: what nobody can take back."""

WATCHED = ("budget-per-run", "tool-call-depth", "model-tier")
"""Rules that still only watch."""

DAYS_BEFORE = 7
HITS_A_DAY = 6
OVERRIDES_A_DAY = 2
LEAST_WAIT_S, MOST_WAIT_S = 20, 240
"""From asking for an override to its grant."""

ON_CALL = ("sre-1", "sre-2", "finance-1")

SECONDS_A_DAY = 86_400


def write_controls(directory: Path, days: Sequence[date], rng: np.random.Generator) -> None:
    """``controls/``: a table of each kind, over the company's days and the week before them."""
    folder = directory / FOLDER
    folder.mkdir()
    _table(
        folder / "hard-blocks.csv",
        ("rule", "operation", "reversible", "mode"),
        ((rule, operation, "false", "enforce") for rule, operation in HARD_BLOCKS),
    )
    week = [days[0] - timedelta(days=back) for back in range(DAYS_BEFORE, 0, -1)]
    hits, overrides = [], []
    for day in (*week, *days):
        for at in _instants(day, HITS_A_DAY, rng):
            hits.append((_text(at), rng.choice(WATCHED), "true" if rng.random() < 0.2 else "false"))
        for at in _instants(day, OVERRIDES_A_DAY, rng):
            granted = at + timedelta(seconds=int(rng.integers(LEAST_WAIT_S, MOST_WAIT_S)))
            overrides.append((_text(at), _text(granted), rng.choice(WATCHED), rng.choice(ON_CALL)))
    _table(folder / "shadow-hits.csv", ("time", "rule", "would_block"), hits)
    _table(folder / "overrides.csv", ("requested_at", "granted_at", "rule", "by"), overrides)


def _instants(day: date, count: int, rng: np.random.Generator) -> list[datetime]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    seconds = sorted(rng.integers(0, SECONDS_A_DAY, count).tolist())
    return [midnight + timedelta(seconds=second) for second in seconds]


def _text(at: datetime) -> str:
    return at.isoformat()


def _table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
