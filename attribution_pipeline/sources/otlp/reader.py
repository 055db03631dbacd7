"""One object of spans to batches of ``model.evidence.SPANS``.

Belongs here: the order of things: decompress, recognise, walk, hand out. Does not: how any layout
is walked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.compression import (
    LIMITS,
    compression_of,
    plain_stream,
)
from attribution_pipeline.sources.otlp.documents import land_document
from attribution_pipeline.sources.otlp.framing import (
    PEEK_BYTES,
    Layout,
    Message,
    buffered,
    layout_of,
    messages,
)
from attribution_pipeline.sources.otlp.parquet import parquet_batches
from attribution_pipeline.sources.otlp.protobuf import land_message
from attribution_pipeline.sources.otlp.rows import SpanRows, collector_paused
from attribution_pipeline.sources.otlp.scanning import Scanning, borrow

if TYPE_CHECKING:
    import io

    from attribution_pipeline.sources.objects import SourceObject


def read(
    data: bytes | BinaryIO,
    obj: SourceObject,
    object_id: str,
    *,
    keep_attributes: frozenset[str] = frozenset(),
) -> Iterator[Batch]:
    """Batches of table ``spans``: one row per span as delivered, duplicates included.

    ``data``: the object's bytes or a binary stream of them, compressed or not; a compressed stream
    must be seekable. ``keep_attributes``: names that a policy's ``join.attributes`` asks for, which
    land in ``attributes``; nothing else of a span's own attributes does.

    Positions count spans from 1 through the whole object; a line, frame or document that cannot
    be read is rejected under its own number. Raises ObjectRefused where the object itself is
    broken: ``unknown_layout``, ``damaged_compression``, ``decompression_limit``,
    ``document_too_large``, ``unreadable_parquet``, ``missing_columns``. Memory stays flat for JSON
    lines and frames; one document is held whole, its objects are not.
    """
    stream = _plain(data, obj)
    layout = layout_of(stream.peek(PEEK_BYTES)[:PEEK_BYTES])
    if layout is Layout.PARQUET:
        rows = SpanRows(object_id, keep_attributes)
        yield from parquet_batches(stream, rows, obj.uri)
        yield from rows.batches(last=True)
        return
    scanning = borrow(keep_attributes)
    rows = SpanRows(object_id, keep_attributes, scanning)
    try:
        yield from _message_batches(messages(stream, layout, rows, obj.uri), rows, scanning)
        yield from rows.batches(last=True)
    finally:
        if scanning is not None:
            scanning.give_back()


def _plain(data: bytes | BinaryIO, obj: SourceObject) -> io.BufferedReader:
    stream = buffered(data)
    compression = compression_of(stream.peek(PEEK_BYTES)[:PEEK_BYTES])
    if compression is None:
        return stream
    size = len(data) if isinstance(data, bytes) else obj.size
    return plain_stream(stream, size, compression, LIMITS, obj.uri)


def _message_batches(
    found: Iterator[Message], rows: SpanRows, scanning: Scanning | None
) -> Iterator[Batch]:
    while True:
        with collector_paused():
            more = _fill(found, rows, scanning)
        yield from rows.batches(last=not more)
        if not more:
            return


def _fill(found: Iterator[Message], rows: SpanRows, scanning: Scanning | None) -> bool:
    """Land messages until a batch is full; whether there may be more."""
    for message in found:
        if scanning is not None and scanning.land(message.payload, message.is_json, rows):
            pass
        elif message.is_json:
            land_document(message.payload, message.number, rows)
        else:
            land_message(message.payload, message.number, rows)
        if rows.is_full:
            return True
    return False
