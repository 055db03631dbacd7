"""Fields of a span that must be right before anything else is believed: ids, times, kind.

Belongs here: their checks, and the words for what is wrong with them. Does not: attributes.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from typing import Any

from attribution_pipeline.sources.rejection import RecordRejected

INT64_MAX = 2**63 - 1

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8

BASE64_LENGTH = {TRACE_ID_BYTES: 24, SPAN_ID_BYTES: 12}
"""Characters of an id that plain protobuf JSON wrote: 24 for a trace, 12 for a span."""

STATUS_ERROR = frozenset({2, "STATUS_CODE_ERROR", "error"})
OTHER_ERROR = "_OTHER"
"""error.type of a failure that the instrumentation did not classify (OpenTelemetry, error.type)."""

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
_KIND_NUMBERS = {name: number for number, name in enumerate(KINDS)}

_THRESHOLD = re.compile(r"(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;,\s]|$)")
"""W3C tracestate, member ``ot``, sub-key ``th`` (OpenTelemetry, tracestate handling)."""


def hex_id(text: Any, size: int, name: str) -> str:
    """An id in lower-case hex. Raises RecordRejected: missing, base64, wrong length, not hex, zero."""
    if not text:
        raise RecordRejected("id_missing", f"{name} is empty")
    if not isinstance(text, str):
        raise RecordRejected("id_not_hex", f"{name} is not a string")
    try:
        raw = unhexlify(text)
    except ValueError:
        raise _not_hex(text, size, name) from None
    if len(raw) != size:
        raise RecordRejected(
            "id_length", f"{name} has {len(text)} hex digits; OTLP ids have {2 * size}"
        )
    if not any(raw):
        raise RecordRejected("id_zero", f"{name} is all zeros, which OpenTelemetry calls invalid")
    return text.lower()


def raw_id(raw: bytes, size: int, name: str) -> str:
    """The same for an id in bytes (protobuf, Parquet)."""
    if not raw:
        raise RecordRejected("id_missing", f"{name} is empty")
    return hex_id(raw.hex(), size, name)


def any_id(value: Any, size: int, name: str) -> str:
    """The same for an id in whichever of the two forms a column holds."""
    return raw_id(value, size, name) if isinstance(value, bytes) else hex_id(value, size, name)


def parent_id(value: Any) -> str | None:
    """A parent's span id; null for a root. All zeros is how some exporters write a root."""
    if not value:
        return None
    try:
        return any_id(value, SPAN_ID_BYTES, "parentSpanId")
    except RecordRejected as wrong:
        if wrong.reason == "id_zero":
            return None
        raise


def _not_hex(text: str, size: int, name: str) -> RecordRejected:
    if (
        len(text) == BASE64_LENGTH[size]
        and text.rstrip("=").replace("+", "").replace("/", "").isalnum()
    ):
        return RecordRejected(
            "id_base64",
            f"{name} is base64; OTLP/JSON ids are hex: encode with an OTLP exporter, "
            "not with plain protobuf JSON",
        )
    return RecordRejected("id_not_hex", f"{name} is not hex ({len(text)} characters)")


def nanoseconds(value: Any, name: str) -> int:
    """Unix nanoseconds: int64 as a number or as decimal text. Raises RecordRejected."""
    if value is None or value == "":
        raise RecordRejected("time_missing", f"{name} is missing")
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    elif type(value) is not int:
        raise RecordRejected("time_unreadable", f"{name} is not a whole number of nanoseconds")
    if value == 0:
        raise RecordRejected("time_missing", f"{name} is zero")
    if not 0 < value <= INT64_MAX:
        raise RecordRejected("time_unreadable", f"{name} is out of range")
    return int(value)


def kind_number(value: Any) -> int | None:
    """OTLP span kind, 0 to 5; null where it is none of them.

    OTLP/JSON says integers only. Names (``SPAN_KIND_CLIENT``, ClickHouse's ``Client``) are read
    too: they can mean one thing only, and rejecting the span would lose what the call cost.
    """
    if type(value) is int:
        return value if 0 <= value < len(KINDS) else None
    if value is None:
        return 0  # proto3 leaves the default out
    if isinstance(value, str):
        return _KIND_NUMBERS.get(value.lower().removeprefix("span_kind_"))
    return None


def label(value: Any) -> str | None:
    """A name that OTLP types as text. Raises TypeError for anything else; empty is null."""
    if value is not None and type(value) is not str:
        raise TypeError("a name that is no text")
    return value or None


def sampling_threshold(trace_state: str) -> str | None:
    """``th`` of the ``ot`` member, as written. Null where it is absent, which is not "1 of 1"."""
    found = _THRESHOLD.search(trace_state)
    return found.group(1) if found else None
