"""The floors that `make bench` measures against: bare reads of the same bytes.

Belongs here: what is the least that any program with these inputs must do. Does not: timing
(``child``), or the pipeline.
"""

from __future__ import annotations

import gc
import gzip
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
    import pyarrow.parquet as pq

    queries = []
    for table in TABLES:
        files = sorted((landed / table).rglob("*.parquet"))
        schema = pq.read_schema(files[0])
        aggregates = ", ".join(
            f"{_aggregate(schema.field(name).type)}({_quoted(name, chr(34))})"
            for name in _needed(table, schema.names)
        )
        listed = ", ".join(_quoted(str(path), "'") for path in files)
        queries.append(
            f"select count(*), {aggregates} "
            f"from read_parquet([{listed}], hive_partitioning = false)"
        )
    return queries


def scan_landed(queries: Sequence[str], *, threads: int) -> int:
    """Run the queries in DuckDB; the rows that were read."""
    import duckdb

    with duckdb.connect(":memory:", config={"threads": threads}) as connection:
        return sum(connection.execute(query).fetchall()[0][0] for query in queries)


def _needed(table: str, columns: Sequence[str]) -> Sequence[str]:
    if table != "spans":
        return columns
    return [name for name in columns if name not in UNREAD]


def _aggregate(kind: object) -> str:
    import pyarrow as pa

    return "sum" if pa.types.is_integer(kind) or pa.types.is_decimal(kind) else "min"


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark


def parse_lines(objects: Path) -> int:
    """Every span object's text parsed line by line by orjson, nothing kept; the bytes of text.

    Reading and gunzipping are in it, as they are in landing. One thread, as landing has. Without
    the cyclic collector, which finds nothing here and takes time: a floor should be low.
    """
    import orjson

    gc.disable()
    size = 0
    for path in sorted(objects.rglob("*.json*")):
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        size += len(content)
        for line in content.splitlines():
            orjson.loads(line)
    return size
