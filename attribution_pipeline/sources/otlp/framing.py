"""Which layout bytes have, by looking at them, and one message after another out of each.

Belongs here: JSON lines, one JSON document, one protobuf message, the collector file exporter's
length-prefixed frames, recognised by content; names and suffixes are not asked. Does not: what is
in a message.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from enum import Enum
from typing import BinaryIO, NamedTuple

import orjson

from attribution_pipeline.sources.compression import (
    LIMITS,
    ZSTD_MAGIC,
    plain_stream,
    zstd_frame_end,
)
from attribution_pipeline.sources.otlp.rows import SpanRows
from attribution_pipeline.sources.rejection import ObjectRefused

BUFFER_BYTES = 1 << 20
PEEK_BYTES = 4096

PARQUET_MAGIC = b"PAR1"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

FRAME_PREFIX_BYTES = 4
"""Collector fileexporter: big-endian uint32 length in front of each message, where the format is
proto or anything is compressed; each payload is compressed by itself."""

DOCUMENT_BYTES_MAX = 1 << 30
"""One document, message or frame, plain. A collector batch is some MB; this is a bomb or no OTLP."""

TRACES_TAG = 0x0A
"""First byte of a protobuf TracesData: field 1 (resource_spans), length-delimited. A frame that
starts with it would be 160 MiB or longer; frames start with a smaller byte."""

_JSON_START = re.compile(rb"\s*(?:\{\s*[\"}]|\{\s*$|\[)")
_JSON_LINE = re.compile(rb"^\s*\{", re.MULTILINE)
_OPEN_ENDED = (b"{", b"[", b",", b":")
"""How the first line of a document ends that is printed over several lines."""


class Layout(Enum):
    """What an object holds."""

    EMPTY = "empty"
    JSON = "JSON"
    PROTOBUF = "protobuf"
    FRAMES = "length-prefixed frames"
    PARQUET = "Parquet"
    UNKNOWN = "unknown"


class Message(NamedTuple):
    """One export request. ``number``: its line or frame, from 1."""

    number: int
    payload: bytes
    is_json: bool


def buffered(data: bytes | BinaryIO) -> io.BufferedReader:
    """Any binary input as a stream that can be looked into before it is read."""
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    if isinstance(stream, io.BufferedReader):
        return stream
    return io.BufferedReader(stream, BUFFER_BYTES)  # type: ignore[arg-type]


def layout_of(head: bytes) -> Layout:
    """By the first bytes of decompressed content."""
    if not head:
        return Layout.EMPTY
    if head.startswith(PARQUET_MAGIC):
        return Layout.PARQUET
    if is_json(head):
        return Layout.JSON
    if head[0] == TRACES_TAG:
        return Layout.PROTOBUF
    if head[0] < TRACES_TAG:
        return Layout.FRAMES
    # a broken first line must not hide the lines after it
    return Layout.JSON if _JSON_LINE.search(head) else Layout.UNKNOWN


def is_json(head: bytes) -> bool:
    """Whether these bytes start a JSON object or array; a leading newline is also protobuf's tag."""
    return _JSON_START.match(head.removeprefix(BYTE_ORDER_MARK)[:PEEK_BYTES]) is not None


def messages(
    stream: io.BufferedReader, layout: Layout, rows: SpanRows, where: str
) -> Iterator[Message]:
    """Every message of a stream that is not Parquet; frames that cannot be read are rejected.

    Raises ObjectRefused: ``unknown_layout``, ``document_too_large``.
    """
    if layout is Layout.JSON:
        yield from _json_messages(stream, where)
    elif layout is Layout.PROTOBUF:
        yield Message(1, _bounded(stream.read(DOCUMENT_BYTES_MAX + 1), where), False)
    elif layout is Layout.FRAMES:
        yield from _frames(stream, rows)
    elif layout is Layout.UNKNOWN:
        raise ObjectRefused(
            "unknown_layout",
            "not OTLP in JSON, JSON lines, protobuf, length-prefixed frames or Parquet",
            where=where,
            remedy="keep other files out of the folder of this source",
        )


def _bounded(payload: bytes, where: str) -> bytes:
    if len(payload) > DOCUMENT_BYTES_MAX:
        raise ObjectRefused(
            "document_too_large",
            f"holds one document of more than {DOCUMENT_BYTES_MAX} bytes",
            where=where,
            remedy="export in batches, one document a line",
        )
    return payload


def _json_messages(stream: io.BufferedReader, where: str) -> Iterator[Message]:
    """One message a line, or one in all when the first line only opens a printed document.

    Lines are read one at a time: memory does not grow with the object.
    """
    number = 0
    while line := _bounded(stream.readline(DOCUMENT_BYTES_MAX + 1), where):
        number += 1
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        payload = line.strip()
        if not payload:
            continue
        if payload.endswith(_OPEN_ENDED):
            whole = _bounded(line + stream.read(DOCUMENT_BYTES_MAX + 1), where)
            if _parses(whole):
                yield Message(number, whole, True)
            else:
                yield from (
                    Message(number + offset, part, True)
                    for offset, part in enumerate(whole.split(b"\n"))
                    if part.strip()
                )
            return
        yield Message(number, payload, True)


def _parses(payload: bytes) -> bool:
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError:
        return False
    return True


def _frames(stream: io.BufferedReader, rows: SpanRows) -> Iterator[Message]:
    """The file exporter's frames. After a frame that is cut off nothing can be found again."""
    number = 0
    while prefix := stream.read(FRAME_PREFIX_BYTES):
        number += 1
        size = int.from_bytes(prefix, "big")
        whole_prefix = len(prefix) == FRAME_PREFIX_BYTES and size <= DOCUMENT_BYTES_MAX
        payload = stream.read(size) if whole_prefix else b""
        if not whole_prefix or len(payload) < size:
            rows.reject(
                number,
                "truncated_frame",
                f"frame {number} announces {size} bytes, {len(payload)} are there: "
                "the file was still being written, or is damaged here",
            )
            return
        if payload.startswith(ZSTD_MAGIC):
            plain = _decompressed(payload)
            if plain is None:
                rows.reject(number, "damaged_compression", f"frame {number} is not a zstd frame")
                continue
            payload = plain
        if payload:
            yield Message(number, payload, is_json(payload))


def _decompressed(payload: bytes) -> bytes | None:
    """The whole of one zstd frame; None when it is damaged, cut short or beyond the limits."""
    compressed = io.BytesIO(payload)
    # the streaming decoder ends a frame that is cut short without a word
    if zstd_frame_end(compressed, 0) != len(payload):
        return None
    compressed.seek(0)
    plain: list[bytes] = []
    grown = 0
    try:
        stream = plain_stream(compressed, len(payload), "zstd", LIMITS, "frame")
        while part := stream.read(BUFFER_BYTES):
            plain.append(part)
            grown += len(part)
            if grown > DOCUMENT_BYTES_MAX:
                return None
    except ObjectRefused:
        return None
    return b"".join(plain)
