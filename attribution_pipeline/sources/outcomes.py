"""Outcomes: what came of an operation, as applications report it.

Belongs here: the columns of a record. Does not: formats (``records``), which operation an outcome is
of and what it cost (``views.outcomes``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import BinaryIO

from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.fields import exact_amount, instant
from attribution_pipeline.sources.objects import SourceObject
from attribution_pipeline.sources.rejection import RecordRejected
from attribution_pipeline.sources.tables import Fields, other_columns, read_rows, text_of

NEEDED = ("time", "kind")
IDS = ("operation_id", "trace_id")
VALUE = "value"

_TRACE_ID = re.compile(r"^(?!0{32}$)[0-9a-f]{32}$", re.ASCII)
"""W3C Trace Context: 16 bytes in hex, not all zero."""

_SHOWN = 40


def read_outcomes(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    """Batches of ``outcomes``. Columns: time (ISO 8601, without a zone UTC), operation_id or trace_id
    (32 hex digits of any case), kind, and where it has one value (an exact decimal; zero or less:
    nothing useful came of it). Others are kept in ``x_columns``. Raises ObjectRefused naming the
    columns that are missing.
    """
    return read_rows(data, obj, object_id, "outcomes", _required, _row)


def _required(columns: Collection[str]) -> Sequence[str]:
    return NEEDED if any(column in columns for column in IDS) else (*NEEDED, "trace_id")


def _row(record: Fields) -> Fields:
    at = instant(record, "time", needed=True)
    assert at is not None  # needed
    operation_id, trace_id = text_of(record, "operation_id"), _trace_id(record)
    if operation_id is None and trace_id is None:
        raise RecordRejected("missing_value", "operation_id and trace_id are empty")
    return {
        "date": at.date(),
        "observed_at": at,
        "operation_id": operation_id,
        "trace_id": trace_id,
        "kind": text_of(record, "kind", needed=True),
        "value": exact_amount(record, VALUE),
        "x_columns": other_columns(record, (*NEEDED, *IDS, VALUE)),
    }


def _trace_id(record: Fields) -> str | None:
    said = text_of(record, "trace_id")
    if said is None:
        return None
    found = said.strip().lower()
    if not _TRACE_ID.match(found):
        raise RecordRejected(
            "unreadable_trace_id", f"trace_id is {said[:_SHOWN]!r}; write its 32 hex digits"
        )
    return found
