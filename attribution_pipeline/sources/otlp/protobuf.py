"""OTLP protobuf: spans of one TracesData or ExportTraceServiceRequest message.

Belongs here: the walk through a parsed message, the twin of ``documents``. Does not: framing, what
an attribute means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from attribution_pipeline.sources.otlp import rows as columns
from attribution_pipeline.sources.otlp.aliases import unset_ranks
from attribution_pipeline.sources.otlp.documents import (
    END,
    KIND,
    LINKS,
    NAME,
    PARENT,
    SPAN_ID,
    START,
    THRESHOLD,
    TRACE_ID,
)
from attribution_pipeline.sources.otlp.fields import (
    SPAN_ID_BYTES,
    STATUS_ERROR,
    TRACE_ID_BYTES,
    kind_number,
    nanoseconds,
    parent_id,
    raw_id,
    sampling_threshold,
)
from attribution_pipeline.sources.otlp.rows import SpanRows, Template, kept_json, settle, take
from attribution_pipeline.sources.rejection import RecordRejected

SCALARS = frozenset({"string_value", "int_value", "double_value", "bool_value"})


def land_message(payload: bytes, number: int, rows: SpanRows) -> None:
    """Every span of one message. ``number``: its frame, where a whole message is rejected."""
    try:
        message = TracesData.FromString(payload)
    except DecodeError:
        rows.reject(
            number, "unreadable_protobuf", f"message {number} ({len(payload)} bytes) is damaged"
        )
        return
    if payload and not message.resource_spans:
        rows.reject(
            number, "not_traces", f"message {number} has no resource_spans; is it another signal?"
        )
        return
    for resource_spans in message.resource_spans:
        template = rows.template(pairs(resource_spans.resource.attributes))
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope
            land_spans(scope_spans.spans, template.scope(scope.name, scope.version), rows)


def land_spans(spans: Iterable[Span], template: Template, rows: SpanRows) -> None:
    """Every span of one scope, as a row or as a reject."""
    slot_of = rows.span_slots.get
    unset = unset_ranks()
    for span in spans:
        rows.position += 1
        try:
            row, ranks = template.row[:], unset[:]
            kept: dict[str, Any] = {}
            row[columns.POSITION] = rows.position
            row[TRACE_ID] = raw_id(span.trace_id, TRACE_ID_BYTES, "trace_id")
            row[SPAN_ID] = raw_id(span.span_id, SPAN_ID_BYTES, "span_id")
            row[PARENT] = parent_id(span.parent_span_id)
            row[NAME], row[KIND] = span.name or None, kind_number(span.kind)
            row[START] = nanoseconds(span.start_time_unix_nano, "start_time_unix_nano")
            row[END] = nanoseconds(span.end_time_unix_nano, "end_time_unix_nano")
            if row[END] < row[START]:
                raise RecordRejected("end_before_start", "end_time_unix_nano is before its start")
            for attribute in span.attributes:
                key = attribute.key
                slot = slot_of(key)
                if slot is not None:
                    take(row, ranks, kept, key, _scalar(attribute.value), slot)
            if span.trace_state:
                row[THRESHOLD] = sampling_threshold(span.trace_state)
            if span.links:
                row[LINKS] = _links(span.links, rows)
            if kept:
                row[columns.KEPT] = kept_json({**template.kept, **kept})
            settle(row, ranks, template, span.status.code in STATUS_ERROR)
        except RecordRejected as wrong:
            rows.reject(rows.position, wrong.reason, f"span {rows.position}: {wrong.detail}")
        else:
            rows.rows.append(row)


def _scalar(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind in SCALARS else None


def pairs(attributes: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Keys and scalars of a resource's attributes."""
    return ((attribute.key, _scalar(attribute.value)) for attribute in attributes)


def _links(links: Iterable[Span.Link], rows: SpanRows) -> str | None:
    found = []
    for link in links:
        try:
            trace = raw_id(link.trace_id, TRACE_ID_BYTES, "trace_id of a link")
            found.append(f"{trace}:{raw_id(link.span_id, SPAN_ID_BYTES, 'span_id of a link')}")
        except RecordRejected as bad:
            rows.reject(
                rows.position, "bad_link", f"span {rows.position} landed without it: {bad.detail}"
            )
    return " ".join(found) or None
