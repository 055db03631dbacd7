"""Reading one file of a FOCUS export into charge lines.

Belongs here: the order of steps, and that a broken file gives nothing. Does not: any step.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import IO, BinaryIO

import pyarrow as pa

from attribution_pipeline.model.evidence import CHARGE_LINES
from attribution_pipeline.sources.batch import Batch, Rejected
from attribution_pipeline.sources.focus import columns, csv_file, parquet_file
from attribution_pipeline.sources.focus.lines import to_lines
from attribution_pipeline.sources.focus.plain import opened
from attribution_pipeline.sources.focus.split import SplitOrigins
from attribution_pipeline.sources.objects import SourceObject

TABLE = "billing"


def read(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    """Charge lines of one FOCUS 1.0 to 1.4 file, CSV or Parquet (by content), gzip tolerated.

    Grain of ``rows``: one row of the file, in model.evidence.CHARGE_LINES; positions are row
    numbers from 1, blank CSV lines not counted. Every row lands or is in ``rejected``, once.
    Raises ObjectRefused before the first batch when the file is broken, cut short, or no FOCUS bill:
    nothing of such a file lands. At least one batch comes out, of no rows if need be.
    """
    with opened(data, obj.uri) as stream:
        yield from _batches(stream, obj, object_id)


def _batches(stream: IO[bytes], obj: SourceObject, object_id: str) -> Iterator[Batch]:
    found, stretches = _understood(stream, obj.uri)
    origins = SplitOrigins()
    position = 1
    for raw in stretches:
        if len(raw[0]) == 0:
            continue
        lines = to_lines(raw, found, obj, object_id, position)
        position += len(raw[0])
        yield Batch(TABLE, origins.pass_through(lines.rows), lines.rejected, lines.rounding_moved)
    held, rejected = origins.finish()
    if held or rejected or position == 1:
        yield _last(held, rejected)


def _understood(stream: IO[bytes], where: str) -> tuple[columns.Columns, Iterator[list[pa.Array]]]:
    """The file's columns and its stretches, once it is known to be whole and a bill."""
    start = stream.read(len(parquet_file.MAGIC))
    stream.seek(0)
    if start == parquet_file.MAGIC:
        file = parquet_file.open_file(stream, where)
        found = columns.match(file.names, where)
        parquet_file.require_whole(file, where)
        return found, parquet_file.stretches(file, where)
    names = csv_file.names(stream, where)
    found = columns.match(names, where)
    csv_file.require_whole(stream, names, where)
    return found, csv_file.stretches(stream, names, where)


def _last(held: list[pa.Table], rejected: list[Rejected]) -> Batch:
    rows = pa.concat_tables(held) if held else CHARGE_LINES.empty_table()
    return Batch(TABLE, rows, rejected, Decimal(0))
