"""Landed rows as Parquet: how they are written, which days they touch.

Belongs here: encoding choices, the column from which a row's days follow. Does not: grouping rows
into files (``writer``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution_pipeline.lake.landed.records import REJECTED_TABLE
from attribution_pipeline.model.evidence import REJECTED, SCHEMAS

ROW_GROUP_ROWS = 122_880
"""DuckDB's vector of parallel work; its own writer's default."""

_NANOS_PER_DAY = 24 * 3600 * 1_000_000_000
_EPOCH = date(1970, 1, 1)
_INSTANT = timedelta(microseconds=1)

_PERIODS = {
    "billing": ("ChargePeriodStart", "ChargePeriodEnd"),
    "opencost_allocations": ("window_start", "window_end"),
    "opencost_assets": ("window_start", "window_end"),
}
_DATES = {
    "usage": "date", "kubernetes": "date", "closes": "billing_period", "controls": "date",
    "outcomes": "date",
}  # fmt: skip
_DATE_PERIODS = {"reservations": ("period_start", "period_end")}
"""Periods of whole days; they end exclusively too."""

REJECTED_ROWS = REJECTED.insert(0, pa.field("kind", pa.string()))
"""Rejected records as they are landed; ``source`` comes in front of it, as of all tables."""
_SCHEMAS = {**SCHEMAS, REJECTED_TABLE: REJECTED_ROWS}

_NOT_DICTIONARY = frozenset({"trace_id", "span_id", "parent_span_id", "response_id", "links"})
"""Ids that hardly repeat: a dictionary of them is built, outgrown and thrown away."""


def write(rows: pa.Table, path: Path) -> None:
    """One zstd Parquet file with page checksums; the same rows give the same bytes."""
    texts = [
        field.name
        for field in rows.schema
        if pa.types.is_string(field.type) and field.name not in _NOT_DICTIONARY
    ]
    pq.write_table(
        rows,
        path,
        compression="zstd",
        use_dictionary=texts,
        row_group_size=ROW_GROUP_ROWS,
        write_page_checksum=True,
    )


def rows_of_others(path: str, table: str, objects: pa.Array) -> pa.Table | None:
    """The rows of a landed file that are of other objects, in the table's schema; None where none of
    its rows is of these."""
    ids = pq.read_table(path, columns=["object_id"], partitioning=None)["object_id"]
    theirs = pc.is_in(ids, value_set=objects)
    if not pc.any(theirs).as_py():
        return None
    rows = pq.read_table(path, partitioning=None).filter(pc.invert(theirs))
    columns = [
        # an older release may have known fewer
        rows[field.name] if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in _SCHEMAS[table]
    ]
    return pa.table(columns, schema=_SCHEMAS[table])


def days_of(table: str, rows: pa.Table) -> tuple[date, date] | None:
    """First and last UTC day that the rows touch; None where there are none.

    Periods end exclusively: a charge until midnight does not touch the day that begins there.
    """
    if not rows.num_rows:
        return None
    if table in _DATES:
        return _range(rows[_DATES[table]], rows[_DATES[table]])
    if table in _DATE_PERIODS:
        start, end = _DATE_PERIODS[table]
        first, last = _range(rows[start], rows[end]) or (None, None)
        return None if first is None or last is None else (first, last - timedelta(days=1))
    start, end = _PERIODS[table]
    first, last = _range(rows[start], rows[end]) or (None, None)
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return None
    first_day = first.astimezone(UTC).date()
    return first_day, max(first_day, (last.astimezone(UTC) - _INSTANT).date())


def _range(low: pa.ChunkedArray, high: pa.ChunkedArray) -> tuple[date, date] | None:
    first, last = pc.min(low).as_py(), pc.max(high).as_py()
    return None if first is None or last is None else (first, last)


def by_end_day(spans: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """Spans split by the UTC day in which they end, days in order, rows in theirs."""
    if not spans.num_rows:
        return
    days = pc.divide(spans["end_unix_nano"], _NANOS_PER_DAY)
    for day in sorted(pc.unique(days).to_pylist()):
        part = spans
        if pc.min(days).as_py() != pc.max(days).as_py():
            part = spans.filter(pc.equal(days, day))
        yield _EPOCH + timedelta(days=day), part
