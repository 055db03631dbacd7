"""Rows of recorded files: verified, with their day, in their table's order.

Belongs here: from files that a manifest names to rows. Does not: which manifest (``states``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from attribution_pipeline.lake.files import StoredFile, read_verified
from attribution_pipeline.lake.shapes import ROW_ORDER, schema_of
from attribution_pipeline.lake.store import Store

if TYPE_CHECKING:
    import pyarrow as pa


def no_rows(table: str, wanted: Sequence[str]) -> pa.Table:
    """The columns of a table, empty."""
    return schema_of(table).empty_table().select(list(wanted))


def rows_of_day(
    store: Store, table: str, day: date, found: Sequence[StoredFile], wanted: Sequence[str]
) -> pa.Table:
    """One day's rows. A file is in the table's order; several are brought into it."""
    import pyarrow as pa

    order = ROW_ORDER[table] if len(found) > 1 else ()
    names = [*wanted, *(name for name in order if name not in wanted)]
    parts = [no_rows(table, names)]
    for stored in found:
        inside = [name for name in names if name != "charge_date"]
        rows = read_verified(store, stored, inside)
        parts.append(_with_day(table, rows, day, stored.rows, names))
    rows = pa.concat_tables(parts)
    if order:
        rows = rows.sort_by([(name, "ascending") for name in order])
    return rows.select(list(wanted))


def _with_day(table: str, rows: pa.Table, day: date, count: int, names: Sequence[str]) -> pa.Table:
    """With the partition's column, which the file lacks."""
    import pyarrow as pa

    schema = schema_of(table)
    arrays = [
        pa.repeat(pa.scalar(day, pa.date32()), count)
        if name == "charge_date"
        # a file may hold amounts in fewer digits
        else rows.column(name).cast(schema.field(name).type)
        for name in names
    ]
    return pa.table(arrays, schema=pa.schema([schema.field(name) for name in names]))
