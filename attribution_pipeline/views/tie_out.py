"""The tie-out of a run: what was billed, where it stands, and that nothing is missing.

Belongs here: the table that a run ends with. Does not: the sums themselves (``attribution``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from attribution_pipeline.model.money import parse_decimal, to_decimal, to_quanta
from attribution_pipeline.views.text_table import text_table

BEFORE_FIRST_DAY = "before_first_day"
"""Charges of earlier days, booked on the ledger's first one: a line where there are any. What a manifest
records has them under ``unallocated``."""

PARTS = (
    "direct", "workload", "shared", "idle", "overhead", "unallocated", BEFORE_FIRST_DAY,
    "not_yet_due",
)  # fmt: skip
LINES = ("billed", *PARTS, "difference")


def summed(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Decimal]]:
    """Per-day rows added up by currency and cost, in whole quanta: Decimal sums would round.

    Each row has ``billing_currency``, ``cost`` and LINES, as Decimal or as a manifest's text; a
    line that a row lacks is zero.
    """
    quanta: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        column = quanta.setdefault((row["billing_currency"], row["cost"]), dict.fromkeys(LINES, 0))
        for line in LINES:
            value = row.get(line)
            if value is not None:
                exact = value if isinstance(value, Decimal) else parse_decimal(value)
                column[line] += to_quanta(exact)[0]
    return {
        key: {line: to_decimal(amount) for line, amount in column.items()}
        for key, column in sorted(quanta.items())
    }


def lines_of(columns: Iterable[Mapping[str, Decimal]]) -> list[str]:
    """The lines that are shown of some columns."""
    has_earlier = any(column[BEFORE_FIRST_DAY] for column in columns)
    return [line for line in LINES if line != BEFORE_FIRST_DAY or has_earlier]


def lines(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line per part, one column per currency and cost; amounts with all their decimals."""
    columns = summed(rows)
    head = ["", *(f"{cost} {currency}" for currency, cost in columns)]
    table = [
        [line.replace("_", " "), *(f"{column[line]:f}" for column in columns.values())]
        for line in lines_of(columns.values())
    ]
    return text_table(head, table, right=head[1:], last_is_total=True).splitlines()
