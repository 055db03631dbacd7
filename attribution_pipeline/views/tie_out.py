"""The tie-out of a run: what was billed, where it stands, and that nothing is missing.

Belongs here: the table that a run ends with. Does not: the sums themselves (``attribution``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from attribution_pipeline.views.text_table import text_table

PARTS = (
    "direct", "workload", "shared", "idle", "overhead", "unallocated", "not_yet_due",
)  # fmt: skip
LINES = ("billed", *PARTS, "difference")


def summed(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Decimal]]:
    """Per-day rows added up by currency and cost. Each row: ``billing_currency``, ``cost`` and LINES."""
    total: dict[tuple[str, str], dict[str, Decimal]] = {}
    for row in rows:
        key = (row["billing_currency"], row["cost"])
        column = total.setdefault(key, dict.fromkeys(LINES, Decimal(0)))
        for line in LINES:
            column[line] += row[line]
    return dict(sorted(total.items()))


def lines(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line per part, one column per currency and cost; amounts with all their decimals."""
    columns = summed(rows)
    head = ["", *(f"{cost} {currency}" for currency, cost in columns)]
    table = [
        [line.replace("_", " "), *(f"{column[line]:f}" for column in columns.values())]
        for line in LINES
    ]
    return text_table(head, table, right=head[1:], last_is_total=True).splitlines()
