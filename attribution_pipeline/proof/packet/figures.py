"""Sums for the summary page, from the very records that the packet holds.

Belongs here: totals by column, what is unallocated beside the tenant. Does not: how they look
(``summary``).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """One line of a table: what it is of, both costs."""

    name: str
    billed: Decimal
    effective: Decimal
    rows: int


def records(files: Mapping[str, bytes], days: Sequence[Record], table: str) -> list[Record]:
    """All records of a table, day by day."""
    return [
        json.loads(line)
        for day in days
        for line in files[f"days/{day['day']}/{table}.jsonl.gz"].splitlines()
    ]


def by(rows: Iterable[Record], column: str, missing: str = "(none)") -> list[Line]:
    """Rows added up by a column, the largest first. Currencies are never mixed in a sum: where there
    are several, a line is of one and says so."""
    rows = list(rows)
    is_mixed = len({row["billing_currency"] for row in rows}) > 1
    sums: dict[str, list[Any]] = defaultdict(lambda: [Decimal(0), Decimal(0), 0])
    for row in rows:
        name = str(row.get(column) or missing)
        name = f"{name} ({row['billing_currency']})" if is_mixed else name
        found = sums[name]
        found[0] += Decimal(row["billed_cost"])
        found[1] += Decimal(row["effective_cost"])
        found[2] += 1
    lines = [Line(name, *found) for name, found in sums.items()]
    return sorted(lines, key=lambda line: (-abs(line.effective), line.name))


def unallocated(charges: Iterable[Record]) -> list[Line]:
    """What nobody has of the charges that the tenant takes part in, by reason."""
    found = [
        {**one, "billing_currency": charge["billing_currency"]}
        for charge in charges
        for one in charge["unallocated"]
    ]
    return by(found, "reason")


def counted(rows: Iterable[Record], column: str) -> list[tuple[str, int]]:
    """How many rows say what, the most first."""
    return Counter(str(row.get(column) or "(none)") for row in rows).most_common()
