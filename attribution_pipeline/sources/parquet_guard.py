"""Parquet that cannot be used against us: what a file would cost is known before it is decoded.

Belongs here: limits on a Parquet file, by its footer and by the headers of its pages, and on what its
batches hold. Does not: columns and their meaning (the readers), memory of a process
(``landing_worker``).

A footer is written by whoever writes the file, and its sizes bind nobody: 50 million rows can stand in
228 kB, whose footer says 198 kB (facts/reliability.md, threat 8). Arrow allocates what a page's header
says before it has read the page.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution_pipeline.sources.rejection import ObjectRefused

MEBIBYTE = 1 << 20

MAGIC = b"PAR1"
SPOOL_BYTES = 64 * MEBIBYTE
"""Streams up to this size are held in memory, larger ones in a temporary file."""
_TAIL_BYTES = 8
"""Length of the footer, and the magic again."""


@dataclass(frozen=True)
class ParquetLimits:
    """What a Parquet file may be. Each refusal names the limit."""

    footer_bytes: int = 16 * MEBIBYTE
    """Some kB for a file of 100 columns; every row group adds to it."""
    columns: int = 4_096
    row_groups: int = 100_000
    rows: int = 100_000_000
    cells_per_byte: int = 100
    """Rows times columns over the file's bytes. Real bills have about 1, and a file of one repeated
    row 20 or so; a bomb of run lengths has 219 and more."""
    cells_floor: int = 8_000_000
    """Below it no density is too high: decoded it is 64 MB at most."""
    page_bytes: int = 256 * MEBIBYTE
    """One page, decompressed: writers aim at 1 MiB."""
    page_ratio: int = 200
    """Pages decompressed over the file's bytes, as for any other compression."""
    page_floor_bytes: int = 32 * MEBIBYTE
    pages: int = 2_000_000
    batch_bytes: int = 512 * MEBIBYTE
    """What one batch holds when no value is shared."""
    plain_ratio: int = 1_000
    """All batches so counted over the file's bytes: dictionaries make repeated text cheap."""
    plain_floor_bytes: int = 256 * MEBIBYTE


PARQUET_LIMITS = ParquetLimits()


@dataclass(frozen=True)
class BoundedFile:
    """An open Parquet file that is within its limits, as far as can be said before it is decoded."""

    file: pq.ParquetFile
    size: int
    """In bytes."""
    where: str
    limits: ParquetLimits

    @property
    def names(self) -> list[str]:
        """Its columns. Raises UnicodeDecodeError where one is no UTF-8."""
        return list(self.file.schema_arrow.names)

    def batches(self, rows: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Batches of up to ``rows`` rows. Raises ObjectRefused where what they hold passes a limit,
        before any dictionary is spread out."""
        most = max(self.limits.plain_floor_bytes, self.limits.plain_ratio * self.size)
        total = 0
        for batch in self.file.iter_batches(batch_size=rows, columns=columns, use_threads=False):
            plain = sum(plain_bytes(column) for column in batch.columns)
            _require(plain, self.limits.batch_bytes, "batch_bytes", self.where)
            total += plain
            _require(total, most, "plain_ratio", self.where)
            yield batch


def open_bounded(
    stream: IO[bytes], where: str, limits: ParquetLimits = PARQUET_LIMITS
) -> BoundedFile:
    """The open file, its footer read and its pages walked. ``stream`` is seekable.

    Text is read as dictionaries, whose size is that of what is stored. Raises ObjectRefused where a
    limit is passed, and ValueError or what Arrow raises where the file is no whole Parquet file.
    """
    size = stream.seek(0, io.SEEK_END)
    if size < len(MAGIC) + _TAIL_BYTES:
        raise ValueError("too short for a Parquet file")
    stream.seek(size - _TAIL_BYTES)
    tail = stream.read(_TAIL_BYTES)
    footer = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or footer > size - len(MAGIC) - _TAIL_BYTES:
        raise ValueError("no Parquet footer")
    _require(footer, limits.footer_bytes, "footer_bytes", where)
    stream.seek(0)
    metadata = pq.read_metadata(stream)
    _require(metadata.num_columns, limits.columns, "columns", where)
    _require(metadata.num_row_groups, limits.row_groups, "row_groups", where)
    _require(metadata.num_rows, limits.rows, "rows", where)
    rows = 0
    for number in range(metadata.num_row_groups):
        rows += max(0, metadata.row_group(number).num_rows)
    cells = max(rows, metadata.num_rows) * metadata.num_columns
    most = max(limits.cells_floor, limits.cells_per_byte * size)
    _require(cells, most, "cells_per_byte", where)
    _require_pages(stream, metadata, size, where, limits)
    stream.seek(0)
    schema = metadata.schema.to_arrow_schema()
    text = [field.name for field in schema if _is_text(field.type)]
    file = pq.ParquetFile(
        stream, metadata=metadata, read_dictionary=text, page_checksum_verification=True
    )
    return BoundedFile(file, size, where, limits)


def seekable(stream: IO[bytes]) -> IO[bytes]:
    """The same bytes as something to jump in: a temporary file, where the stream is none."""
    if stream.seekable():
        return stream
    spool = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - whoever reads it closes it
    shutil.copyfileobj(stream, spool, MEBIBYTE)
    return cast("IO[bytes]", spool)


def plain_bytes(column: pa.Array) -> int:
    """Bytes of a column in which no value is shared."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary) if _is_text(column.type.value_type) else None
    if lengths is None or len(column) == 0:
        return int(column.nbytes)
    return int(pc.sum(lengths.take(column.indices).cast(pa.int64())).as_py() or 0)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    )  # fmt: skip


def _require(found: int, most: int, limit: str, where: str) -> None:
    if found > most:
        raise ObjectRefused(
            "object_too_large",
            f"would need {found:,}, where the limit {limit} is {most:,}",
            where=where,
            remedy="deliver it in smaller files, or as CSV",
        )


# -- pages ---------------------------------------------------------------------------------------


class _Page(NamedTuple):
    header_bytes: int
    compressed: int
    plain: int


_HEADER_BYTES = 4 * 1024
"""A page header is some 30 bytes, and 200 with statistics; longer ones are read again, whole."""
_LONGEST_HEADER_BYTES = 16 * MEBIBYTE
_DEEPEST = 16


def _require_pages(
    stream: IO[bytes], metadata: Any, size: int, where: str, limits: ParquetLimits
) -> None:
    """Walk the headers of all pages: what they would decompress to. Raises ValueError for a page that
    is none, or lies outside of the file."""
    most = max(limits.page_floor_bytes, limits.page_ratio * size)
    total = pages = 0
    for group in range(metadata.num_row_groups):
        described = metadata.row_group(group)
        if described.num_rows == 0:  # nothing of it is read, and its offsets may lead nowhere
            continue
        for number in range(described.num_columns):
            chunk = described.column(number)
            at = chunk.data_page_offset
            if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < at:
                at = chunk.dictionary_page_offset
            end = at + chunk.total_compressed_size
            if not 0 <= at <= end <= size:
                raise ValueError("a column chunk lies outside of the file")
            while at < end:
                page = _page(stream, at, end)
                at += page.header_bytes + page.compressed
                if at > end:
                    raise ValueError("a page lies outside of its column chunk")
                total += page.plain
                pages += 1
                _require(page.plain, limits.page_bytes, "page_bytes", where)
                _require(total, most, "page_ratio", where)
                _require(pages, limits.pages, "pages", where)


def _page(stream: IO[bytes], at: int, end: int) -> _Page:
    for length in (_HEADER_BYTES, _LONGEST_HEADER_BYTES):
        stream.seek(at)
        data = stream.read(min(length, end - at))
        try:
            reader = _Compact(data)
            sizes = reader.sizes()
        except IndexError:
            if len(data) == end - at:
                break
            continue
        compressed, plain = sizes
        if compressed < 0 or plain < 0:
            raise ValueError("a page of negative size")
        return _Page(reader.at, compressed, plain)
    raise ValueError("a page header has no end")


class _Compact:
    """Thrift's compact protocol, as far as a page header goes (parquet.thrift, PageHeader: field 2 is
    the size of the page decompressed, 3 compressed). IndexError where the bytes end too early."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def sizes(self) -> tuple[int, int]:
        found: dict[int, int] = {}
        for field, kind in self._fields():
            if kind in (4, 5, 6) and field in (2, 3):
                found[field] = self._zigzag()
            else:
                self._skip(kind, 0)
        if set(found) != {2, 3}:
            raise ValueError("a page header without sizes")
        return found[3], found[2]

    def _fields(self) -> Iterator[tuple[int, int]]:
        """(field id, type) up to the stop byte."""
        field = 0
        while byte := self._byte():
            delta, kind = byte >> 4, byte & 0x0F
            field = field + delta if delta else self._zigzag()
            yield field, kind

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("a page header is nested too deeply")
        match kind:
            case 1 | 2:  # a boolean is its own type
                pass
            case 3:
                self._byte()
            case 4 | 5 | 6:
                self._varint()
            case 7:
                self._take(8)
            case 8:
                self._take(self._varint())
            case 9 | 10:
                head = self._byte()
                count = head >> 4 if head >> 4 != 15 else self._varint()
                if count > len(self.data):
                    raise ValueError("a page header with a list that is longer than it")
                for _ in range(count):
                    # in a list a boolean takes a byte
                    self._skip(3 if head & 0x0F in (1, 2) else head & 0x0F, depth + 1)
            case 12:
                for _, inner in self._fields():
                    self._skip(inner, depth + 1)
            case _:
                raise ValueError("a page header holds what none does")

    def _byte(self) -> int:
        byte = self.data[self.at]
        self.at += 1
        return byte

    def _take(self, count: int) -> None:
        if self.at + count > len(self.data):
            raise IndexError
        self.at += count

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a page header with a number that has no end")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
