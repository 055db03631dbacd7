"""The ledger, selected and summed as people and programs take it.

Belongs here: grouping with exact sums, order of rows and columns, the table on a terminal. Does
not: files and the other formats (``output``), where rows come from (``lake``), what they mean
(``attribution``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.strict import nearest
from attribution_pipeline.views import output
from attribution_pipeline.views.cells import terminal_cell
from attribution_pipeline.views.text_table import text_table

if TYPE_CHECKING:
    import pyarrow as pa

COSTS = ("billed_cost", "effective_cost")
CURRENCY = "billing_currency"

SHOWN = (
    "charge_date", "service", "component", "tenant_id", "workflow_id", "model", "token_kind",
    "confidence", "unallocated_reason", *COSTS, CURRENCY,
)  # fmt: skip
"""Columns of the table on a terminal; the other formats carry all of them."""

MOST_SHOWN = 200
"""Rows of the table on a terminal: more is scrolled past, not read."""


def grouping(text: str, never: Collection[str] = ()) -> list[str]:
    """Column names of ``--by a,b``. Raises Refusal for one that rows cannot be grouped by.

    ``never``: further columns that make no groups here.
    """
    from attribution_pipeline.model.ledger import LEDGER

    possible = [name for name in LEDGER.names if name not in (*COSTS, CURRENCY, *never)]
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise Refusal("names no column", where="--by", remedy="as in --by tenant_id,component")
    for name in names:
        if name == CURRENCY:
            raise Refusal(f"`{name}` is always a group", where="--by", remedy="leave it out")
        if name in COSTS:
            raise Refusal(f"`{name}` is what is summed", where="--by", remedy="leave it out")
        if name not in possible:
            raise Refusal(
                f"`{name}` is no column to group by", where="--by", remedy=_instead(name, possible)
            )
        if names.count(name) > 1:
            raise Refusal(f"`{name}` is named twice", where="--by", remedy="name it once")
    return names


def _instead(name: str, possible: list[str]) -> str:
    """What to group by instead of ``name``, or where it is to be had."""
    from attribution_pipeline.model.ledger import OPERATIONS

    if name in OPERATIONS.names:
        return (
            "it is of `operations`, a row a call, and rows of the ledger are sums of calls: "
            "`attribution call ID` shows one call's, a reader of Delta tables all, in the folder "
            "`operations` of the storage"
        )
    close = nearest(name, possible)
    # people and programs ask for the list: all of it, where no name is near
    return close if close.startswith("did you mean") else f"use one of: {', '.join(possible)}"


def in_order(rows: pa.Table) -> pa.Table:
    """All columns in the order of the ledger's schema, rows by charge date and attribution id."""
    from attribution_pipeline.model.ledger import LEDGER

    return rows.select(LEDGER.names).sort_by(
        [("charge_date", "ascending"), ("attribution_id", "ascending")]
    )


def summed(rows: pa.Table, by: Sequence[str], amounts: Sequence[str] = COSTS) -> pa.Table:
    """Both costs per group and currency, exactly; groups in order, the unknown (null) last.

    Currencies are never mixed in a sum, so the currency is always a column. ``amounts``: other
    columns of money to sum.
    """
    import pyarrow as pa

    keys = [*by, CURRENCY]
    groups = rows.group_by(keys, use_threads=False).aggregate([(cost, "sum") for cost in amounts])
    groups = groups.select([*keys, *(f"{cost}_sum" for cost in amounts)])
    money = rows.schema.field(amounts[0]).type
    fields = [
        *(rows.schema.field(key) for key in keys),
        *(pa.field(cost, money) for cost in amounts),
    ]
    groups = groups.rename_columns([*keys, *amounts]).cast(pa.schema(fields))
    return groups.sort_by([(key, "ascending") for key in keys])


def summed_at_some_cost(rows: pa.Table, by: Sequence[str]) -> pa.Table:
    """``summed`` without the groups of which every row is at zero in both costs: their rows lost
    their support. A group whose costs cancel out stays."""
    return summed(_at_some_cost(rows), by)


def write(
    rows: pa.Table,
    format_: str,
    out: Path | None,
    echo: Callable[[str], None],
    shown: pa.Table | None = None,
) -> None:
    """Rows in one of ``output.FORMATS``, to a file or to ``echo``. ``shown``: see ``table_lines``."""
    output.write(rows, format_, out, echo, lambda every: table_lines(every, shown))


def table_lines(rows: pa.Table, shown: pa.Table | None = None) -> Iterator[str]:
    """Aligned text with a total per currency: of the whole ledger, the columns SHOWN only.

    Of the whole ledger, rows whose costs are both zero are counted and not shown: such a row lost
    its support and stays on record, but nobody pays it. ``shown``: of sums, the groups to show; the
    others are at zero, and counted.
    """
    whole = "attribution_id" in rows.column_names
    if shown is None:
        shown = _at_some_cost(rows.select(SHOWN)) if whole else rows
    if whole:  # for the eye: what belongs together stands together, the unknown (null) last
        shown = shown.sort_by([(name, "ascending") for name in SHOWN if name not in COSTS])
    lines = [[terminal_cell(value) for value in row] for row in output.records(shown[:MOST_SHOWN])]
    yield from text_table(shown.column_names, lines, right=COSTS).splitlines()
    yield ""
    for currency, billed, effective in totals(rows):
        yield f"total {currency}: billed {billed:f}, effective {effective:f}"
    if shown.num_rows > MOST_SHOWN:
        yield f"{shown.num_rows:,} rows, of which the first {MOST_SHOWN} are shown"
    zero = rows.num_rows - shown.num_rows
    if zero and whole:
        yield f"{zero:,} {'row' if zero == 1 else 'rows'} at zero in both costs not shown"
    elif zero:
        yield f"{zero:,} {'group at zero is' if zero == 1 else 'groups at zero are'} left out"
    if whole:
        yield "sum with --by COLS; every row and column with --format csv, json or parquet"


def _at_some_cost(rows: pa.Table) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    zero = pa.scalar(Decimal(0), rows.schema.field(COSTS[0]).type)
    billed, effective = (pc.not_equal(rows[cost], zero) for cost in COSTS)
    return rows.filter(pc.or_(billed, effective))


def totals(rows: pa.Table) -> list[tuple[str, Decimal, Decimal]]:
    """(currency, billed, effective) over all rows, exactly."""
    records = summed(rows, []).to_pylist()
    return [(row[CURRENCY] or "", row[COSTS[0]], row[COSTS[1]]) for row in records]
