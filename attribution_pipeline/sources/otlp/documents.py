"""OTLP/JSON: spans of one TracesData or ExportTraceServiceRequest document.

Belongs here: the walk through a parsed document, the hot loop of landing. Does not: finding
documents in bytes (``framing``), what an attribute means (``aliases``, ``rows``).

Rules of opentelemetry-proto, docs/specification.md: lowerCamelCase keys, ids in hex of any case,
int64 as number or decimal text, unknown fields ignored. Of two attributes with one key the first
wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from attribution_pipeline.sources.otlp import rows as columns
from attribution_pipeline.sources.otlp.aliases import INDEX, Slot, unset_ranks
from attribution_pipeline.sources.otlp.cutting import parse
from attribution_pipeline.sources.otlp.fields import (
    SPAN_ID_BYTES,
    STATUS_ERROR,
    TRACE_ID_BYTES,
    hex_id,
    kind_number,
    label,
    nanoseconds,
    parent_id,
    sampling_threshold,
)
from attribution_pipeline.sources.otlp.rows import Row, SpanRows, Template, kept_json, settle, text
from attribution_pipeline.sources.rejection import RecordRejected

TRACE_ID, SPAN_ID, PARENT = INDEX["trace_id"], INDEX["span_id"], INDEX["parent_span_id"]
LINKS, NAME, KIND = INDEX["links"], INDEX["span_name"], INDEX["kind"]
START, END = INDEX["start_unix_nano"], INDEX["end_unix_nano"]
THRESHOLD = INDEX["sampling_threshold"]

_EMPTY: dict[str, Any] = {}
"""A message that proto3 JSON left out because it is empty: a status, an attribute's value."""

SHAPE_ERRORS = (KeyError, TypeError, AttributeError, ValueError)
"""What walking a document of another shape raises."""


def land_document(payload: bytes, number: int, rows: SpanRows) -> None:
    """Every span of one document. ``number``: line or frame, where a whole document is rejected."""
    try:
        document = parse(payload)
    except orjson.JSONDecodeError as error:
        rows.reject(number, "unreadable_json", f"document {number}: {error.msg} at {error.pos}")
        return
    if not isinstance(document, dict) or (document and "resourceSpans" not in document):
        rows.reject(
            number, "not_traces", f"document {number} has no resourceSpans; is it another signal?"
        )
        return
    try:
        for resource_spans in document.get("resourceSpans") or ():
            _land_resource(resource_spans, rows)
    except orjson.JSONDecodeError as error:
        # a long document is parsed in pieces: what came before the damage has landed
        rows.reject(
            number, "unreadable_json", f"document {number}, after span {rows.position}: {error.msg}"
        )
    except SHAPE_ERRORS as error:
        rows.reject(
            number,
            "malformed_document",
            f"document {number}, after span {rows.position}: not the shape of OTLP/JSON "
            f"({type(error).__name__})",
        )


def _land_resource(resource_spans: dict[str, Any], rows: SpanRows) -> None:
    resource = resource_spans.get("resource") or {}
    template = rows.template(pairs(resource.get("attributes") or ()))
    if "instrumentationLibrarySpans" in resource_spans:
        rows.reject(
            rows.position,
            "instrumentation_library_spans",
            "spans in the shape of OTLP before 0.15 are not read; upgrade the exporter",
        )
    for scope_spans in resource_spans.get("scopeSpans") or ():
        scope = scope_spans.get("scope") or {}
        land_spans(
            scope_spans.get("spans") or (),
            template.scope(scope.get("name"), scope.get("version")),
            rows,
        )


def land_spans(spans: Iterable[dict[str, Any]], template: Template, rows: SpanRows) -> None:
    """The hot loop: a list copy per span, one dict look-up per attribute, and little more.

    ``native`` has its twin for spans without anything unusual (see ``scanning``); this one decides.
    """
    slots = rows.span_slots
    inherited, unset = template.row, unset_ranks()
    # the spans of a trace come together: its id is checked once
    last_read, last_id = None, ""
    for span in spans:
        rows.position = position = rows.position + 1
        row, ranks = inherited[:], unset[:]
        try:
            trace_id = span.get("traceId")
            if trace_id != last_read or last_read is None:
                last_id = hex_id(trace_id, TRACE_ID_BYTES, "traceId")
                last_read = trace_id
            row[columns.POSITION], row[TRACE_ID] = position, last_id
            row[SPAN_ID] = hex_id(span.get("spanId"), SPAN_ID_BYTES, "spanId")
            parent = span.get("parentSpanId")
            if parent:
                row[PARENT] = parent_id(parent)
            row[NAME], row[KIND] = label(span.get("name")), kind_number(span.get("kind"))
            start = nanoseconds(span.get("startTimeUnixNano"), "startTimeUnixNano")
            end = nanoseconds(span.get("endTimeUnixNano"), "endTimeUnixNano")
            if end < start:
                raise RecordRejected(
                    "end_before_start", "endTimeUnixNano is before startTimeUnixNano"
                )
            row[START], row[END] = start, end
            kept = _take_attributes(span.get("attributes") or (), row, ranks, slots)
            if kept:
                row[columns.KEPT] = kept_json({**template.kept, **kept})
            state = span.get("traceState")
            if state:
                row[THRESHOLD] = sampling_threshold(state)
            links = span.get("links")
            if links:
                row[LINKS] = _links(links, rows)
            status = span.get("status") or _EMPTY
            settle(row, ranks, template, status.get("code") in STATUS_ERROR)
        except RecordRejected as wrong:
            rows.reject(position, wrong.reason, f"span {position}: {wrong.detail}")
        except SHAPE_ERRORS as error:
            rows.reject(
                position,
                "malformed_span",
                f"span {position}: not the shape of OTLP/JSON ({type(error).__name__})",
            )
        else:
            rows.rows.append(row)


def _take_attributes(
    attributes: Iterable[dict[str, Any]], row: Row, ranks: list[int], slots: dict[str, Slot]
) -> dict[str, Any] | None:
    """``rows.take`` for JSON, unrolled: it runs some twenty times a span. The kept ones, if any."""
    kept: dict[str, Any] | None = None
    slot_of = slots.get
    for attribute in attributes:
        slot = slot_of(attribute["key"])
        if slot is None:
            continue
        column, rank, is_text, keep = slot
        if rank >= ranks[column] and not keep:
            continue
        value = attribute.get("value") or _EMPTY
        scalar = value.get("stringValue")
        if type(scalar) is not str:
            # an int64 stays text: identifiers need it so, counts are read where they are added up
            scalar = value.get("intValue")
            if type(scalar) is not str or keep:
                scalar = _scalar(value)
                if scalar is None:
                    continue
        elif not scalar:
            continue
        if keep:
            kept = kept or {}
            kept.setdefault(attribute["key"], scalar)
        if rank < ranks[column]:
            ranks[column] = rank
            row[column] = text(scalar) if is_text and type(scalar) is not str else scalar
    return kept


def _scalar(value: dict[str, Any]) -> Any:
    """The number or truth of an AnyValue; None for an empty one, an array, a map or bytes.

    Text that is no int64 stays as it is: its count becomes an anomaly, not a lost span.
    """
    for kind in ("intValue", "doubleValue", "boolValue"):
        found = value.get(kind)
        if isinstance(found, int | float):
            return found
        if isinstance(found, str):
            return int(found) if found.isdecimal() else found
    return None


def pairs(attributes: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Keys and scalars of a resource's attributes. Raises one of ``SHAPE_ERRORS``."""
    for attribute in attributes:
        value = attribute.get("value") or _EMPTY
        found = value.get("stringValue")
        yield attribute["key"], found if type(found) is str else _scalar(value)


def _links(links: Iterable[dict[str, Any]], rows: SpanRows) -> str | None:
    """``trace:span trace:span``. A link with a bad id is counted; its span lands without it."""
    found = []
    for link in links:
        try:
            trace = hex_id(link.get("traceId"), TRACE_ID_BYTES, "traceId of a link")
            found.append(f"{trace}:{hex_id(link.get('spanId'), SPAN_ID_BYTES, 'spanId of a link')}")
        except RecordRejected as bad:
            rows.reject(
                rows.position, "bad_link", f"span {rows.position} landed without it: {bad.detail}"
            )
    return " ".join(found) or None
