"""A FOCUS CSV file: whole or refused, then in stretches of text columns.

Belongs here: what makes a CSV file broken. Does not: values; every column is text here, so that
an account id keeps its zeros and an amount its digits.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.csv as pa_csv

from attribution_pipeline.sources.focus.plain import HALF_WRITTEN
from attribution_pipeline.sources.focus.text import NULL_TEXTS
from attribution_pipeline.sources.rejection import ObjectRefused

BLOCK_BYTES = 8 * 1024 * 1024
"""A row must fit in one block; the widest real rows (tags, Azure details) have some 10 kB."""

_WRONG_WIDTH = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_TOO_LONG = "straddl"


def names(stream: IO[bytes], where: str) -> list[str]:
    """The header's column names. Refuses an empty file."""
    stream.seek(0)
    head = io.BytesIO(_first_record(stream))
    stream.seek(0)
    try:
        reader = pa_csv.open_csv(
            head,
            read_options=pa_csv.ReadOptions(use_threads=False),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        )
    except pa.ArrowInvalid as error:
        raise _refusal(error, where) from error
    try:
        return list(reader.schema.names)
    except UnicodeDecodeError as error:
        raise _not_utf8(where) from error


def require_whole(stream: IO[bytes], header: list[str], where: str) -> None:
    """Read the file once for its structure: UTF-8, rows of one width, no quote left open.

    Arrow takes a file that ends inside a quoted value for a whole one; an odd number of quotes
    gives it away, and then the rows are walked again by a strict reader.
    """
    stream.seek(0)
    checked = _Checked(stream)
    try:
        for _ in _open(checked, header, header[:1]):
            pass
        checked.end()
    except UnicodeDecodeError as error:
        raise _not_utf8(where) from error
    except pa.ArrowInvalid as error:
        raise _refusal(error, where) from error
    if checked.quotes % 2:
        _require_closed_quotes(stream, where)


def stretches(stream: IO[bytes], header: list[str], where: str) -> Iterator[list[pa.Array]]:
    """The file's columns as text, some ten thousand rows at a time. After ``require_whole``."""
    stream.seek(0)
    try:
        for batch in _open(stream, header, None):
            yield batch.columns
    except pa.ArrowInvalid as error:
        raise _refusal(error, where) from error


def _open(
    stream: IO[bytes] | _Checked, header: list[str], only: list[str] | None
) -> pa_csv.CSVStreamingReader:
    return pa_csv.open_csv(
        stream,
        read_options=pa_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            null_values=list(NULL_TEXTS),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            include_columns=only,
        ),
    )


def _first_record(stream: IO[bytes]) -> bytes:
    head = stream.read(BLOCK_BYTES)
    quoted = False
    for index, byte in enumerate(head):
        if byte == 0x22:
            quoted = not quoted
        elif byte in (0x0A, 0x0D) and not quoted:
            return head[: index + 1]
    return head


class _Checked(io.RawIOBase):
    """Passes a file through to Arrow, looking at its bytes on the way."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.quotes = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self._decoder.decode(chunk)
        self.quotes += chunk.count(b'"')
        return chunk

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def seekable(self) -> bool:
        return True

    def end(self) -> None:
        """Raises UnicodeDecodeError when the file ends inside a character."""
        self._decoder.decode(b"", final=True)


def _require_closed_quotes(stream: IO[bytes], where: str) -> None:
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    rows = csv.reader(text, strict=True)
    try:
        for _ in rows:
            pass
    except csv.Error as error:
        raise _broken(str(error), f"{where}:{rows.line_num}") from error
    finally:
        text.detach()


def _refusal(error: Exception, where: str) -> ObjectRefused:
    """Arrow's message without the row's content."""
    width = _WRONG_WIDTH.search(str(error))
    if width:
        row, expected, got = width.groups()
        return _broken(f"{got} columns where the header has {expected}", f"{where}:{row}")
    if "Empty CSV" in str(error):
        return ObjectRefused("empty_object", "is empty", where=where, remedy=HALF_WRITTEN)
    if _TOO_LONG in str(error):
        return _broken(f"a row of more than {BLOCK_BYTES} bytes, perhaps an open quote", where)
    return _broken("it does not parse", where)


def _broken(what: str, where: str) -> ObjectRefused:
    return ObjectRefused("broken_csv", f"is broken CSV: {what}", where=where, remedy=HALF_WRITTEN)


def _not_utf8(where: str) -> ObjectRefused:
    return ObjectRefused(
        "not_utf8",
        "is not UTF-8 text",
        where=where,
        remedy="export it as CSV in UTF-8, or as Parquet",
    )
