"""The floors that `make bench` measures against: bare reads of the same bytes.

Belongs here: what is the least that any program with these inputs must do. Does not: timing
(``child``), or the pipeline.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

SPAN_KEYS = ("trace_id", "span_id", "is_call", "attributes")
"""Columns of landed spans that the day needs besides those that tell two deliveries apart."""

SUMMED = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DECIMAL")
"""Types that are summed; of the others the smallest is taken, so that every value is decoded."""


def scan_landed(landed: Path, *, threads: int) -> int:
    """Every column that a day is computed from, decoded once by DuckDB; the rows that were read.

    One aggregate a column (sum or min), no filter, no grouping: the least work that touches it all.
    """
    import duckdb

    rows = 0
    with duckdb.connect(":memory:", config={"threads": threads}) as connection:
        for table in ("spans", "billing", "opencost_allocations", "opencost_assets", "usage"):
            files = sorted(str(path) for path in (landed / table).rglob("*.parquet"))
            source = f"read_parquet([{', '.join(map(_quoted, files))}], hive_partitioning = false)"
            described = connection.execute(f"describe select * from {source}").fetchall()
            kinds = {name: kind for name, kind, *_ in described}
            wanted = _needed(table, list(kinds))
            aggregates = ", ".join(_aggregate(name, kinds[name]) for name in wanted)
            found = connection.execute(f"select count(*), {aggregates} from {source}").fetchall()
            rows += found[0][0]
    return rows


def _needed(table: str, columns: Sequence[str]) -> Sequence[str]:
    if table != "spans":
        return columns
    from attribution_pipeline.attribution.operations import CONTENT

    return [*SPAN_KEYS, *CONTENT]


def _aggregate(name: str, kind: str) -> str:
    return f'sum("{name}")' if kind.startswith(SUMMED) else f'min("{name}")'


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "''") + "'"


def parse_lines(objects: Path) -> int:
    """Every span object's text parsed line by line by orjson, nothing kept; the bytes of text.

    Reading and gunzipping are in it, as they are in landing. One thread, as landing has.
    """
    import orjson

    size = 0
    for path in sorted(objects.rglob("*.json*")):
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        size += len(content)
        for line in content.splitlines():
            orjson.loads(line)
    return size
