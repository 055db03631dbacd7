"""What a person sees beside an asset: counts, money as text, small tables.

Belongs here: turning results into Dagster metadata values. Does not: computing them.

Money is text with all its decimals: Dagster's numbers are floats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg

from attribution_pipeline.model.policy.history import SHORT_DIGEST

Metadata = dict[str, Any]

MOST_ROWS = 50
"""Rows of a metadata table: the event log keeps each of them for ever."""


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Any:
    """Rows as a metadata table, every cell as text; more than ``MOST_ROWS`` are counted.

    Columns that say nothing in any row are left out: the page is narrow and cuts what is wide.
    """
    said = [name for name in columns if any(row.get(name) is not None for row in rows)]
    names = said or list(columns)
    shown = [{name: cell(row.get(name)) for name in names} for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        shown.append(dict.fromkeys(names, ""))
        shown[-1][names[0]] = f"and {len(rows) - MOST_ROWS:,} more"
    schema = dg.TableSchema(columns=[dg.TableColumn(name=name, type="string") for name in names])
    return dg.MetadataValue.table([dg.TableRecord(row) for row in shown], schema=schema)


def cell(value: Any) -> str:
    """A value as people read it: nothing for null, thousands apart, amounts with all decimals so
    that points stand below each other."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def money(value: Decimal) -> str:
    """An amount in a sentence: every digit that says something, two after the point at least."""
    text = f"{value:f}"
    whole, _, rest = text.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,}.{rest.rstrip('0').ljust(2, '0')}"


def share(part: Decimal, whole: Decimal) -> Decimal | None:
    """Part of a whole, for reading; None where the whole is zero."""
    return part / whole if whole else None


def percent(value: Decimal | None) -> str:
    """A share as people read it."""
    return "no cost" if value is None else f"{value * 100:.2f} %"


def digest(value: str) -> str:
    """A digest short enough to compare by eye."""
    return value[:SHORT_DIGEST]


def markdown_list(lines: Iterable[str]) -> Any:
    """Lines as a Markdown list."""
    return dg.MetadataValue.md("\n".join(f"- {line}" for line in lines))
