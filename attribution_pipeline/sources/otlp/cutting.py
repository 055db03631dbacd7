"""Long JSON documents, a few dozen spans at a time.

Belongs here: finding the span arrays of a compact OTLP/JSON document in its bytes, so that they
can be parsed in pieces. Does not: what a span is.

A collector batch is 8,192 spans in one document. Parsed whole, its objects take some fifteen times
its bytes and no cache holds them: measured, twice the time per span and 2 GB for 190 MB of JSON.

Why bytes can be trusted here: a quote inside a JSON string is escaped, so ``{"traceId":`` never
occurs in one. Everything that does not look as expected (spaces, another key order, spans inside
spans) is left to the plain parser, which decides alone whether a document is readable.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

LONG_BYTES = 128 * 1024
"""Documents from this size are cut."""

PIECE_BYTES = 48 * 1024
"""About 32 spans: their objects stay in a core's own cache."""

_ARRAY = b'"spans":[{"traceId":'
_ARRAY_START = len(b'"spans":[')
_NEXT_SPAN = b'},{"traceId":'
_NEXT_SPAN_START = len(b"},")
_ARRAY_END = b"}]"
_SPAN_ONLY_KEY = "startTimeUnixNano"
"""A link starts like a span and never has this."""


class Spans:
    """One array of spans inside a document, parsed piece by piece as it is walked."""

    def __init__(self, payload: bytes, start: int, end: int) -> None:
        self._payload = payload
        self._start = start
        self._end = end

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Every span. Raises orjson.JSONDecodeError where the bytes are no JSON."""
        payload, start = self._payload, self._start
        while start < self._end:
            piece, start = self._piece(payload, start)
            yield from piece

    def _piece(self, payload: bytes, start: int) -> tuple[list[dict[str, Any]], int]:
        reach = start + PIECE_BYTES
        while True:
            found = payload.find(_NEXT_SPAN, reach, self._end)
            if found < 0:
                return orjson.loads(b"[%b]" % payload[start : self._end]), self._end
            try:
                # between two links of one span this does not parse: it is cut at the next place
                piece = orjson.loads(b"[%b]" % payload[start : found + 1])
            except orjson.JSONDecodeError:
                reach = found + 1
                continue
            return piece, found + _NEXT_SPAN_START


def parse(payload: bytes) -> Any:
    """The document, its long span arrays as ``Spans``. Raises orjson.JSONDecodeError."""
    if len(payload) >= LONG_BYTES:
        document = _cut(payload)
        if document is not None:
            return document
    return orjson.loads(payload)


def _cut(payload: bytes) -> dict[str, Any] | None:
    """The document with every span array cut out; None where that is not safe."""
    skeleton: list[bytes] = []
    arrays: list[Spans] = []
    at = 0
    marker = payload.find(_ARRAY)
    while marker >= 0:
        following = payload.find(_ARRAY, marker + len(_ARRAY))
        start = marker + _ARRAY_START
        end = _end_of_array(payload, start, following if following >= 0 else len(payload))
        if end is None:
            return None
        skeleton += (payload[at:start], b"%d" % len(arrays))
        arrays.append(Spans(payload, start, end))
        at, marker = end, following
    try:
        document = orjson.loads(b"".join((*skeleton, payload[at:])))
        for resource_spans in document["resourceSpans"]:
            for scope_spans in resource_spans["scopeSpans"]:
                place = scope_spans.get("spans")
                if place:
                    scope_spans["spans"] = arrays[place[0]]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError, AttributeError):
        return None
    return document if isinstance(document, dict) else None


def _end_of_array(payload: bytes, start: int, limit: int) -> int | None:
    """Where the array's last span ends, before ``limit``; None where it cannot be told.

    From the start of the last span on, the first ``}]`` up to which the bytes parse closes it. What
    looks like the last span may be the last link of it: then the one before is tried.
    """
    last = limit
    while last > start:
        last = max(payload.rfind(_NEXT_SPAN, start, last), start - _NEXT_SPAN_START)
        begin = last + _NEXT_SPAN_START
        end = payload.find(_ARRAY_END, begin, limit)
        while end >= 0:
            try:
                found = orjson.loads(b"[%b]" % payload[begin : end + 1])
            except orjson.JSONDecodeError:
                end = payload.find(_ARRAY_END, end + 1, limit)
                continue
            if all(isinstance(item, dict) and _SPAN_ONLY_KEY in item for item in found):
                return end + 1
            break
        else:
            return None
    return None
