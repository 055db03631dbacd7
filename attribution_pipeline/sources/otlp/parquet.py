"""Spans that somebody else already put into Parquet: columns by mapping.

Belongs here: which column of which layout is which field of a span, and the forms in which
attributes, times and ids are kept. Does not: what an attribute means.

Layouts: snake_case (otlp2parquet as documented up to 2026, and the generic set below) and the
collector ClickHouse exporter's ``otel_traces`` (PascalCase, which otlp2parquet's newer releases
use too). Generic set: ``trace_id, span_id, parent_span_id, trace_state, name, kind,
start_time_unix_nano, end_time_unix_nano, status_code, scope_name, scope_version,
resource_attributes, span_attributes``, attributes as a map or as a JSON object in text.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.otlp import rows as columns
from attribution_pipeline.sources.otlp.aliases import INDEX, unset_ranks
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
    any_id,
    kind_number,
    label,
    nanoseconds,
    parent_id,
    sampling_threshold,
)
from attribution_pipeline.sources.otlp.rows import (
    SpanRows,
    Template,
    collector_paused,
    kept_json,
    settle,
    take,
)
from attribution_pipeline.sources.parquet_guard import open_bounded, seekable
from attribution_pipeline.sources.rejection import ObjectRefused, RecordRejected

ROWS_AT_A_TIME = 4_096
"""Spans with prompts in their attributes may be 100 kB each."""

SERVICE = INDEX["service_name"]

FIELDS: dict[str, tuple[str, ...]] = {
    "trace_id": ("trace_id", "TraceId", "traceId"),
    "span_id": ("span_id", "SpanId", "spanId"),
    "parent_span_id": ("parent_span_id", "ParentSpanId", "parentSpanId"),
    "trace_state": ("trace_state", "TraceState", "traceState"),
    "name": ("span_name", "SpanName", "name"),
    "kind": ("span_kind", "SpanKind", "kind"),
    "start": ("start_time_unix_nano", "start_unix_nano", "startTimeUnixNano", "start_time",
              "timestamp", "Timestamp"),
    "end": ("end_time_unix_nano", "end_unix_nano", "endTimeUnixNano", "end_time",
            "end_timestamp", "EndTimestamp"),
    "duration": ("duration_nano", "duration_ns", "duration", "Duration"),
    "status_code": ("status_code", "StatusCode"),
    "service_name": ("service_name", "ServiceName"),
    "scope_name": ("scope_name", "ScopeName"),
    "scope_version": ("scope_version", "ScopeVersion"),
    "resource_attributes": ("resource_attributes", "ResourceAttributes"),
    "span_attributes": ("span_attributes", "SpanAttributes", "attributes"),
    "link_trace_ids": ("Links.TraceId", "Links_TraceId", "LinksTraceId", "links_trace_id"),
    "link_span_ids": ("Links.SpanId", "Links_SpanId", "LinksSpanId", "links_span_id"),
}  # fmt: skip
"""Field to column names, the first that the file has. Times are nanoseconds or timestamps."""

REQUIRED = ("trace_id", "span_id", "start", "span_attributes")


def parquet_batches(stream: io.BufferedReader, rows: SpanRows, where: str) -> Iterator[Batch]:
    """Batches of one Parquet file of spans; position is its row, from 1.

    Raises ObjectRefused: ``unreadable_parquet``, ``missing_columns``.
    """
    try:
        file = open_bounded(seekable(stream), where)
        mapping = _mapping(file.names, where)
        for group in file.batches(ROWS_AT_A_TIME, list(mapping.values())):
            with collector_paused():
                _land(group, mapping, rows)
            yield from rows.batches(last=False)
    except ObjectRefused:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # a disk's error; Arrow's own has no number
        raise ObjectRefused(
            "unreadable_parquet",
            f"no readable Parquet, after row {rows.position}",
            where=where,
            remedy="deliver the object again, whole",
        ) from error


def _mapping(names: list[str], where: str) -> dict[str, str]:
    present = set(names)
    mapping = {
        field: next(name for name in candidates if name in present)
        for field, candidates in FIELDS.items()
        if present.intersection(candidates)
    }
    missing = [field for field in REQUIRED if field not in mapping]
    if "end" not in mapping and "duration" not in mapping:
        missing.append("end or duration")
    if missing:
        raise ObjectRefused(
            "missing_columns",
            f"no table of spans: no column for {', '.join(missing)}",
            where=where,
            remedy="name them as OpenTelemetry does: trace_id, span_id, start_time_unix_nano, ...",
        )
    return mapping


def _land(group: pa.RecordBatch, mapping: dict[str, str], rows: SpanRows) -> None:
    values = {field: _values(group.column(name)) for field, name in mapping.items()}
    nothing = [None] * group.num_rows
    slot_of = rows.span_slots.get
    templates: dict[Any, Template] = {}

    def column(field: str) -> list[Any]:
        return values.get(field, nothing)

    starts, ends, durations = column("start"), column("end"), column("duration")
    for at in range(group.num_rows):
        rows.position += 1
        try:
            resource = column("resource_attributes")[at]
            origin = (
                resource if isinstance(resource, str) else repr(resource),
                column("service_name")[at],
                column("scope_name")[at],
                column("scope_version")[at],
            )
            template = templates.get(origin)
            if template is None:
                template = templates[origin] = _template(resource, origin, rows)
            row, ranks = template.row[:], unset_ranks()
            kept: dict[str, Any] = {}
            row[columns.POSITION] = rows.position
            row[TRACE_ID] = any_id(column("trace_id")[at], TRACE_ID_BYTES, "trace_id")
            row[SPAN_ID] = any_id(column("span_id")[at], SPAN_ID_BYTES, "span_id")
            row[PARENT] = parent_id(column("parent_span_id")[at])
            row[NAME], row[KIND] = label(column("name")[at]), kind_number(column("kind")[at])
            row[START] = nanoseconds(starts[at], "start")
            end = ends[at]
            if end is None and durations[at] is not None:
                end = row[START] + durations[at]
            row[END] = nanoseconds(end, "end")
            if row[END] < row[START]:
                raise RecordRejected("end_before_start", "the end is before the start")
            for key, value in _pairs(column("span_attributes")[at]):
                slot = slot_of(key)
                if slot is not None:
                    take(row, ranks, kept, key, _scalar(value), slot)
            state = column("trace_state")[at]
            if state:
                row[THRESHOLD] = sampling_threshold(state)
            row[LINKS] = _links(column("link_trace_ids")[at], column("link_span_ids")[at], rows)
            if kept:
                row[columns.KEPT] = kept_json({**template.kept, **kept})
            settle(row, ranks, template, _folded(column("status_code")[at]) in STATUS_ERROR)
        except RecordRejected as wrong:
            rows.reject(rows.position, wrong.reason, f"row {rows.position}: {wrong.detail}")
        except (TypeError, ValueError, AttributeError) as error:
            rows.reject(
                rows.position,
                "malformed_span",
                f"row {rows.position}: columns of other types than spans have "
                f"({type(error).__name__})",
            )
        else:
            rows.rows.append(row)


def _template(resource: Any, origin: tuple[Any, ...], rows: SpanRows) -> Template:
    template = rows.template((key, _scalar(value)) for key, value in _pairs(resource))
    _, service, scope_name, scope_version = origin
    if service and template.row[SERVICE] is None:
        template.row[SERVICE] = label(service)
    return template.scope(scope_name, scope_version)


def _values(column: pa.Array) -> list[Any]:
    """Python values; timestamps and durations as nanoseconds, whatever their unit."""
    if pa.types.is_timestamp(column.type):
        column = pc.cast(column, pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64())
    elif pa.types.is_duration(column.type):
        column = pc.cast(column, pa.duration("ns")).cast(pa.int64())
    elif pa.types.is_map(column.type):
        return _maps(column)
    return list(column.to_pylist())


def _maps(column: pa.MapArray) -> list[Any]:
    """Key-value tuples a row, keys and items converted in one go: three times as fast."""
    keys, items = column.keys.to_pylist(), column.items.to_pylist()
    offsets = column.offsets.to_pylist()
    return [
        list(zip(keys[start:end], items[start:end], strict=True))
        for start, end in itertools.pairwise(offsets)
    ]


def _pairs(attributes: Any) -> Iterable[tuple[str, Any]]:
    """Attributes kept as a map, a struct, key-value structs, or a JSON object in text."""
    if not attributes:
        return ()
    if isinstance(attributes, str | bytes):
        try:
            attributes = orjson.loads(attributes)
        except orjson.JSONDecodeError:
            raise RecordRejected("unreadable_attributes", "attributes are no JSON object") from None
    if isinstance(attributes, dict):
        return attributes.items()
    if isinstance(attributes, list) and all(isinstance(pair, tuple) for pair in attributes):
        return attributes
    if isinstance(attributes, list) and all(
        isinstance(pair, dict) and "key" in pair for pair in attributes
    ):
        return [(pair["key"], pair.get("value")) for pair in attributes]
    raise RecordRejected("unreadable_attributes", "attributes are neither a map nor a JSON object")


def _scalar(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else None


def _folded(status: Any) -> Any:
    return status.lower().removeprefix("status_code_") if isinstance(status, str) else status


def _links(traces: Any, spans: Any, rows: SpanRows) -> str | None:
    found = []
    for trace, span in zip(traces or (), spans or (), strict=False):
        try:
            found.append(
                f"{any_id(trace, TRACE_ID_BYTES, 'trace id of a link')}:"
                f"{any_id(span, SPAN_ID_BYTES, 'span id of a link')}"
            )
        except RecordRejected as bad:
            rows.reject(
                rows.position, "bad_link", f"row {rows.position} landed without it: {bad.detail}"
            )
    return " ".join(found) or None
