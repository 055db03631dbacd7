"""A FOCUS Parquet file: whole or refused, then in stretches of columns as they are typed.

Belongs here: what makes a Parquet file broken. Does not: values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from attribution_pipeline.sources.focus.plain import HALF_WRITTEN
from attribution_pipeline.sources.parquet_guard import MAGIC, BoundedFile, open_bounded
from attribution_pipeline.sources.rejection import ObjectRefused

__all__ = ["MAGIC", "open_file", "require_whole", "stretches"]

ROWS_AT_A_TIME = 65_536

_FAULTS = (pa.ArrowException, OSError, ValueError)


def open_file(stream: IO[bytes], where: str) -> BoundedFile:
    """The open file, its footer read. Refuses a file without one: it was not written to its end."""
    try:
        file = open_bounded(stream, where)
        file.names  # noqa: B018 - names that are no UTF-8 raise here
    except _FAULTS as error:
        raise ObjectRefused(
            "broken_parquet",
            "is no whole Parquet file: its footer is missing or damaged",
            where=where,
            remedy=HALF_WRITTEN,
        ) from error
    return file


def require_whole(file: BoundedFile, where: str) -> None:
    """Decode every page once, so that damage shows before the first row lands.

    Decoding takes any bytes for text; only a full validation finds what is not UTF-8.
    """
    for batch in _batches(file, where):
        try:
            batch.validate(full=True)
        except pa.ArrowException as error:
            raise _damaged(where) from error


def stretches(file: BoundedFile, where: str) -> Iterator[list[pa.Array]]:
    """The file's columns, row group by row group, in stretches that fit in memory."""
    for batch in _batches(file, where):
        yield batch.columns


def _batches(file: BoundedFile, where: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.batches(ROWS_AT_A_TIME)
    except _FAULTS as error:
        raise _damaged(where) from error


def _damaged(where: str) -> ObjectRefused:
    return ObjectRefused(
        "broken_parquet",
        "is damaged Parquet: a page does not decode",
        where=where,
        remedy=HALF_WRITTEN,
    )
