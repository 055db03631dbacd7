"""The floors that `make bench` measures against: bare reads of the same bytes.

Belongs here: what is the least that any program with these inputs must do. Does not: timing
(``child``), or the pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

TABLES = ("spans", "billing", "opencost_allocations", "opencost_assets", "usage")

UNREAD = ("object_id", "position", "span_name", "error_type", "operation_id")
"""Columns of landed spans that a day needs at most to tell two deliveries of one span apart."""


def scan_queries(landed: Path) -> list[str]:
    """SQL that decodes every column that a day is computed from, once; one query a table.

    One aggregate a column (a sum of numbers, else the smallest), no filter, no grouping: the least
    work that touches every value.
    """
    queries = []
    for table in TABLES:
        files = sorted((landed / table).rglob("*.parquet"))
        queries.append(scan_query(files, unread=UNREAD if table == "spans" else ()))
    return queries


def scan_query(
    files: Sequence[Path], columns: Sequence[str] = (), *, unread: Sequence[str] = ()
) -> str:
    """SQL that decodes these columns of files of one schema, once; all but ``unread`` where none are
    named."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(files[0])
    wanted = columns or [name for name in schema.names if name not in unread]
    aggregates = ", ".join(
        f"{_aggregate(schema.field(name).type)}({_quoted(name, chr(34))})" for name in wanted
    )
    listed = ", ".join(_quoted(str(path), "'") for path in files)
    return f"select count(*), {aggregates} from read_parquet([{listed}], hive_partitioning = false)"


def scan_landed(queries: Sequence[str], *, threads: int) -> int:
    """Run the queries in DuckDB; the rows that were read."""
    import duckdb

    with duckdb.connect(":memory:", config={"threads": threads}) as connection:
        return sum(connection.execute(query).fetchall()[0][0] for query in queries)


def _aggregate(kind: object) -> str:
    import pyarrow as pa

    return "sum" if pa.types.is_integer(kind) or pa.types.is_decimal(kind) else "min"


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark
