"""A FOCUS Parquet file: whole or refused, then in stretches of columns as they are typed.

Belongs here: what makes a Parquet file broken. Does not: values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.sources.focus.plain import HALF_WRITTEN
from attribution_pipeline.sources.rejection import ObjectRefused

MAGIC = b"PAR1"

ROWS_AT_A_TIME = 65_536

ROWS_MAX = 100_000_000
"""A small file can claim as many rows as it likes (facts/reliability.md, threat 8)."""

_FAULTS = (pa.ArrowException, OSError, ValueError)


def open_file(stream: IO[bytes], where: str) -> pq.ParquetFile:
    """The open file, its footer read. Refuses a file without one: it was not written to its end."""
    try:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
    except _FAULTS as error:
        raise ObjectRefused(
            "broken_parquet",
            "is no whole Parquet file: its footer is missing or damaged",
            where=where,
            remedy=HALF_WRITTEN,
        ) from error
    if file.metadata.num_rows > ROWS_MAX:
        raise ObjectRefused(
            "object_too_large",
            f"claims {file.metadata.num_rows} rows, more than the limit {ROWS_MAX}",
            where=where,
            remedy="deliver it in smaller files",
        )
    return file


def require_whole(file: pq.ParquetFile, where: str) -> None:
    """Decode every page once, so that damage shows before the first row lands."""
    for _ in stretches(file, where):
        pass


def stretches(file: pq.ParquetFile, where: str) -> Iterator[list[pa.Array]]:
    """The file's columns, row group by row group, in stretches that fit in memory."""
    try:
        for batch in file.iter_batches(batch_size=ROWS_AT_A_TIME, use_threads=False):
            yield batch.columns
    except _FAULTS as error:
        raise ObjectRefused(
            "broken_parquet",
            "is damaged Parquet: a page does not decode",
            where=where,
            remedy=HALF_WRITTEN,
        ) from error
