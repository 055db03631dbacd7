"""The ledger, selected, summed and written as people and programs take it.

Belongs here: grouping with exact sums, order of rows and columns, the four output formats. Does
not: where rows come from (``lake``) and what they mean (``attribution``).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.strict import nearest
from attribution_pipeline.views.cells import csv_cell, json_value, terminal_cell
from attribution_pipeline.views.text_table import text_table

if TYPE_CHECKING:
    import pyarrow as pa

COSTS = ("billed_cost", "effective_cost")
CURRENCY = "billing_currency"
FORMATS = ("table", "csv", "json", "parquet")

SHOWN = (
    "charge_date", "service", "component", "tenant_id", "workflow_id", "model", "token_kind",
    "confidence", "unallocated_reason", *COSTS, CURRENCY,
)  # fmt: skip
"""Columns of the table on a terminal; the other formats carry all of them."""

MOST_SHOWN = 200
"""Rows of the table on a terminal: more is scrolled past, not read."""


def grouping(text: str) -> list[str]:
    """Column names of ``--by a,b``. Raises Refusal for one that rows cannot be grouped by."""
    from attribution_pipeline.model.ledger import LEDGER

    possible = [name for name in LEDGER.names if name not in (*COSTS, CURRENCY)]
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
                f"`{name}` is no column to group by", where="--by", remedy=nearest(name, possible)
            )
        if names.count(name) > 1:
            raise Refusal(f"`{name}` is named twice", where="--by", remedy="name it once")
    return names


def in_order(rows: pa.Table) -> pa.Table:
    """All columns in the order of the ledger's schema, rows by charge date and attribution id."""
    from attribution_pipeline.model.ledger import LEDGER

    return rows.select(LEDGER.names).sort_by(
        [("charge_date", "ascending"), ("attribution_id", "ascending")]
    )


def summed(rows: pa.Table, by: Sequence[str]) -> pa.Table:
    """Both costs per group and currency, exactly; groups in order, the unknown (null) last.

    Currencies are never mixed in a sum, so the currency is always a column.
    """
    import pyarrow as pa

    keys = [*by, CURRENCY]
    groups = rows.group_by(keys, use_threads=False).aggregate([(cost, "sum") for cost in COSTS])
    groups = groups.select([*keys, *(f"{cost}_sum" for cost in COSTS)])
    money = rows.schema.field(COSTS[0]).type
    fields = [*(rows.schema.field(key) for key in keys), *(pa.field(cost, money) for cost in COSTS)]
    groups = groups.rename_columns([*keys, *COSTS]).cast(pa.schema(fields))
    return groups.sort_by([(key, "ascending") for key in keys])


def write(rows: pa.Table, format_: str, out: Path | None, echo: Callable[[str], None]) -> None:
    """Rows in one of FORMATS, to the file ``out`` (whole or not at all) or to ``echo``."""
    require_target(format_, out)
    if format_ == "parquet" and out is not None:
        _whole(out, lambda path: _parquet(rows, path))
        return
    lines = {"csv": csv_lines, "json": json_lines, "table": table_lines}[format_](rows)
    if out is None:
        for line in lines:
            echo(line)
        return

    def fill(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(f"{line}\n" for line in lines)

    _whole(out, fill)


def require_target(format_: str, out: Path | None) -> None:
    """Raises Refusal where the format needs a file and none is named."""
    if format_ == "parquet" and out is None:
        raise Refusal("parquet is not text", where="--format", remedy="name a file: --out F")


def csv_lines(rows: pa.Table) -> Iterator[str]:
    """RFC 4180 with a header; amounts with 12 decimals, null as empty, no cell a formula."""
    yield ",".join(rows.column_names)
    for record in _records(rows):
        yield ",".join(map(csv_cell, record))


def json_lines(rows: pa.Table) -> Iterator[str]:
    """One JSON array, a record a line; amounts are text."""
    names = rows.column_names
    before = "["
    for record in _records(rows):
        values = {name: json_value(value) for name, value in zip(names, record, strict=True)}
        yield before + json.dumps(values, ensure_ascii=False)
        before = ","
    yield "]" if before == "," else "[]"


def table_lines(rows: pa.Table) -> Iterator[str]:
    """Aligned text with a total per currency: of the whole ledger, the columns SHOWN only."""
    whole = "attribution_id" in rows.column_names
    shown = rows.select(SHOWN) if whole else rows
    if whole:  # for the eye: what belongs together stands together, the unknown (null) last
        shown = shown.sort_by([(name, "ascending") for name in SHOWN if name not in COSTS])
    records = [[terminal_cell(value) for value in row] for row in _records(shown[:MOST_SHOWN])]
    yield from text_table(shown.column_names, records, right=COSTS).splitlines()
    yield ""
    for currency, billed, effective in totals(rows):
        yield f"total {currency}: billed {billed:f}, effective {effective:f}"
    if shown.num_rows > MOST_SHOWN:
        yield f"{shown.num_rows:,} rows, of which the first {MOST_SHOWN} are shown"
    if whole:
        yield "sum with --by COLS; every row and column with --format csv, json or parquet"


def totals(rows: pa.Table) -> list[tuple[str, Decimal, Decimal]]:
    """(currency, billed, effective) over all rows, exactly."""
    records = summed(rows, []).to_pylist()
    return [(row[CURRENCY] or "", row[COSTS[0]], row[COSTS[1]]) for row in records]


def _records(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in rows.to_batches(max_chunksize=10_000):
        columns = [column.to_pylist() for column in batch.columns]
        yield from zip(*columns, strict=True)


def _parquet(rows: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(rows, path, compression="zstd")


def _whole(out: Path, fill: Callable[[Path], None]) -> None:
    """``out`` appears complete or not at all."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        raise _unwritable(out, error) from None
    os.close(handle)
    try:
        fill(Path(name))
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(out)
    except OSError as error:
        raise _unwritable(out, error) from None
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _unwritable(out: Path, error: OSError) -> Refusal:
    return Refusal(
        f"cannot be written ({error.strerror or error})",
        where=str(out),
        remedy="name a file in a folder that exists and that this user may write",
    )
