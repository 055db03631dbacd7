"""Plain records out of CSV, JSON lines or Parquet: the formats of everything that is just a table.

Belongs here: telling the three apart by content, one record at a time with its position, files and
lines that cannot be read. Does not: which columns a table needs (``tables``), FOCUS (``focus``).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO, cast

import pyarrow as pa

from attribution_pipeline.sources.batch import Rejected
from attribution_pipeline.sources.parquet_guard import MAGIC, BoundedFile, open_bounded
from attribution_pipeline.sources.rejection import ObjectRefused

PARQUET_MAGIC = MAGIC
FIELD_BYTES_MAX = 4 << 20
"""One CSV field: etcd refuses objects beyond 1.5 MiB, so no label or annotation is longer."""
LINE_BYTES_MAX = 16 << 20
"""One JSON line."""
_PARQUET_BATCH_ROWS = 8_192
_PEEK_BYTES = 64

_DELIVER_AGAIN = "deliver the object again, whole"

Record = tuple[int, dict[str, Any] | Rejected]
"""Position from 1, and the record or why it is none."""


@dataclass(frozen=True)
class Records:
    """The records of one object. ``columns`` is null where each record names its own."""

    format: str
    columns: tuple[str, ...] | None
    rows: Iterator[Record]


def records(data: bytes | BinaryIO, where: str) -> Records:
    """Open ``data`` by content: Parquet by magic, JSON lines by a first brace, else CSV.

    CSV values are text; JSON numbers are int or Decimal, exactly as written; Parquet values are
    Python's. Raises ObjectRefused, also while rows are read, where the file itself is broken.
    """
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    buffered = (
        stream
        if isinstance(stream, io.BufferedReader)
        else io.BufferedReader(cast(io.RawIOBase, stream))
    )
    head = buffered.peek(_PEEK_BYTES)
    if head.startswith(PARQUET_MAGIC):
        return _parquet(data, where)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise ObjectRefused("empty_object", "is empty", where=where, remedy=_DELIVER_AGAIN)
    text = io.TextIOWrapper(buffered, encoding="utf-8-sig", newline="")
    if start.startswith(b"{"):
        return Records("json lines", None, _json_lines(text, where))
    if start.startswith(b"["):
        raise ObjectRefused(
            "json_array",
            "is one JSON array",
            where=where,
            remedy="write one object a line, without the brackets",
        )
    return _csv(text, where)


def _csv(text: io.TextIOWrapper, where: str) -> Records:
    csv.field_size_limit(max(csv.field_size_limit(), FIELD_BYTES_MAX))
    reader = csv.reader(text, strict=True)
    header = next(_csv_rows(reader, where), None)
    if header is None:
        raise ObjectRefused("empty_object", "is empty", where=where, remedy=_DELIVER_AGAIN)
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise ObjectRefused(
            "repeated_column",
            f"names the column {repeated[0]!r} twice",
            where=f"{where}:1",
            remedy="name every column once",
        )
    return Records("csv", tuple(header), _csv_records(_csv_rows(reader, where), tuple(header)))


def _csv_rows(reader: Any, where: str) -> Iterator[list[str]]:
    try:
        for row in reader:
            if row:  # a blank line is no record
                yield row
    except UnicodeDecodeError as error:
        raise ObjectRefused(
            "not_utf8",
            f"is not UTF-8: {error.reason} after line {reader.line_num}",
            where=where,
            remedy="write it in UTF-8",
        ) from None
    except csv.Error as error:
        raise ObjectRefused(
            "broken_csv",
            f"is not CSV: {error}",
            where=f"{where}:{reader.line_num}",
            remedy=_DELIVER_AGAIN,
        ) from None


def _csv_records(rows: Iterator[list[str]], columns: tuple[str, ...]) -> Iterator[Record]:
    for position, row in enumerate(rows, start=1):
        if len(row) == len(columns):
            yield position, dict(zip(columns, row, strict=True))
        else:
            detail = f"the record has {len(row)} cells, the header {len(columns)}"
            yield position, Rejected(position, "wrong_cell_count", detail)


def _json_lines(text: io.TextIOWrapper, where: str) -> Iterator[Record]:
    position = 0
    while True:
        try:
            line = text.readline(LINE_BYTES_MAX)
        except UnicodeDecodeError as error:
            raise ObjectRefused(
                "not_utf8",
                f"is not UTF-8: {error.reason} after record {position}",
                where=where,
                remedy="write it in UTF-8",
            ) from None
        if not line:
            return
        if len(line) >= LINE_BYTES_MAX:
            raise ObjectRefused(
                "line_too_long",
                f"has a line of more than {LINE_BYTES_MAX} characters",
                where=where,
                remedy="write one object a line",
            )
        if line.isspace():
            continue
        position += 1
        yield position, _json_record(position, line)


def _json_record(position: int, line: str) -> dict[str, Any] | Rejected:
    try:
        record = json.loads(line, parse_float=Decimal, object_pairs_hook=_unique)
    except (ValueError, InvalidOperation, RecursionError) as error:
        # the decoder's own message names a column; it never repeats content
        return Rejected(position, "broken_json", f"the line is not JSON: {error}")
    if not isinstance(record, dict):
        return Rejected(position, "broken_json", "the line is JSON, but no object")
    return record


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object names one of its keys twice")
    return members


def _parquet(data: bytes | BinaryIO, where: str) -> Records:
    if not isinstance(data, bytes) and not data.seekable():
        raise ObjectRefused(
            "compressed_parquet",
            "is Parquet inside another compression",
            where=where,
            remedy="deliver the Parquet file as it is",
        )
    try:
        file = open_bounded(io.BytesIO(data) if isinstance(data, bytes) else data, where)
        columns = tuple(file.names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _broken_parquet(error, where) from None
    return Records("parquet", columns, _parquet_rows(file, where))


def _parquet_rows(file: BoundedFile, where: str) -> Iterator[Record]:
    position = 0
    batches = file.batches(_PARQUET_BATCH_ROWS)
    while True:
        try:
            batch = next(batches, None)
            rows = [] if batch is None else batch.to_pylist()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _broken_parquet(error, where) from None
        if batch is None:
            return
        for row in rows:
            position += 1
            yield position, row


def _broken_parquet(error: Exception, where: str) -> ObjectRefused:
    said = " ".join(str(error).split())[:200]
    return ObjectRefused(
        "broken_parquet", f"is not readable Parquet: {said}", where=where, remedy=_DELIVER_AGAIN
    )
