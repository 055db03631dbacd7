"""A FOCUS Parquet file: whole or refused, then in stretches of columns as they are typed.

Belongs here: what makes a Parquet file broken. Does not: values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.focus.plain import HALF_WRITTEN

MAGIC = b"PAR1"

ROWS_AT_A_TIME = 65_536

_FAULTS = (pa.ArrowException, OSError, ValueError)


def open_file(stream: IO[bytes], where: str) -> pq.ParquetFile:
    """The open file, its footer read. Refuses a file without one: it was not written to its end."""
    try:
        return pq.ParquetFile(stream, page_checksum_verification=True)
    except _FAULTS as error:
        raise Refusal(
            "is no whole Parquet file: its footer is missing or damaged",
            where=where,
            remedy=HALF_WRITTEN,
        ) from error


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
        raise Refusal(
            "is damaged Parquet: a page does not decode", where=where, remedy=HALF_WRITTEN
        ) from error
