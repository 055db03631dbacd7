"""Rows that leave Spark: one Parquet file in order, or the digest of sorted hashes.

Belongs here: small answers by way of Arrow, large ones by way of files that the executors write.
Does not: which rows, or their order.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa


class Shape(NamedTuple):
    """How a file is written: rows of a group at most, and zstd's level, else its own default."""

    rows_per_group: int
    level: int | None


def location(path: str | Path) -> str:
    """A path as Hadoop reads it: with its scheme, and no character of it escaped (``day=...``)."""
    return f"file://{Path(path).absolute()}"


def write_at_once(table: pa.Table, path: Path, shape: Shape) -> int:
    """An answer that fits into memory: zstd, every column may be null, as DuckDB writes them."""
    import pyarrow.parquet as pq

    pq.write_table(
        table.cast(_nullable(table.schema)), path, row_group_size=shape.rows_per_group,
        **_compressed(shape),
    )  # fmt: skip
    return int(table.num_rows)


def write_in_parts(frame: Any, path: Path, shape: Shape) -> int:
    """The executors write sorted parts beside ``path``, on storage that they share with this process;
    here they are put together, a row group at a time."""
    import pyarrow.parquet as pq

    parts = path.with_name(f".{path.name}.parts")
    shutil.rmtree(parts, ignore_errors=True)
    try:
        frame.write.option("compression", "zstd").parquet(location(parts))
        found = sorted(parts.glob("part-*.parquet"))
        schema = _nullable(pq.read_schema(found[0]).remove_metadata())
        rows = 0
        with pq.ParquetWriter(path, schema, **_compressed(shape)) as writer:
            for part in found:
                for batch in pq.ParquetFile(part).iter_batches(batch_size=shape.rows_per_group):
                    writer.write_batch(batch.cast(schema), row_group_size=shape.rows_per_group)
                    rows += batch.num_rows
        return rows
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _compressed(shape: Shape) -> dict[str, Any]:
    return {"compression": "zstd", "compression_level": shape.level}


def _nullable(schema: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(found.name, found.type, nullable=True) for found in schema])


def digest_of(hashes: Iterable[str]) -> str:
    """sha256 over sorted hashes: as ``engine.Session.digest`` promises."""
    digest = hashlib.sha256()
    for found in hashes:
        digest.update(found.encode())
    return digest.hexdigest()
