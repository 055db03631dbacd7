"""Small OTLP documents for tests, and what the reader makes of them.

Belongs here: builders of well-formed spans and the one call that lands them. Does not: statements.
"""

from __future__ import annotations

import base64
import copy
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from attribution_pipeline.model.evidence import SPANS
from attribution_pipeline.sources.batch import Rejected
from attribution_pipeline.sources.objects import SourceObject
from attribution_pipeline.sources.otlp import read

CASES = Path(__file__).resolve().parents[1] / "otel"
OBJECT_ID = "0" * 64
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
START_NS = 1_795_295_041_635_453_645
SECOND_NS = 1_000_000_000


def source_object(size: int = 0) -> SourceObject:
    return SourceObject("traces", "file:///traces", "traces", size, "", "", "")


def land(
    data: Any, *, keep: frozenset[str] = frozenset()
) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """Rows and rejects of one object. Every batch has the schema exactly."""
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    size = len(data) if isinstance(data, bytes) else 0
    for batch in read(data, source_object(size), OBJECT_ID, keep_attributes=keep):
        assert batch.table == "spans"
        assert batch.rows.schema.equals(SPANS)
        rows += batch.rows.to_pylist()
        rejected += batch.rejected
    return rows, rejected


def land_table(data: bytes, *, keep: frozenset[str] = frozenset()) -> pa.Table:
    return pa.concat_tables(
        batch.rows
        for batch in read(data, source_object(len(data)), OBJECT_ID, keep_attributes=keep)
    )


def content(rows: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """Rows without where they came from."""
    return {
        tuple(value for name, value in row.items() if name not in ("object_id", "position"))
        for row in rows
    }


def any_value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
        case dict():
            return value
        case _:
            return {"stringValue": value}


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


def span(values: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A client span of one second; ``fields`` replace OTLP fields, None removes one."""
    whole = {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "chat gpt",
        "kind": 3,
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": str(START_NS + SECOND_NS),
        "attributes": attributes(values or {}),
        "status": {},
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def request(
    *spans: dict[str, Any],
    resource: dict[str, Any] | None = None,
    scope: tuple[str, str | None] = ("app", "1.0"),
) -> dict[str, Any]:
    named = {"name": scope[0]} | ({"version": scope[1]} if scope[1] else {})
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes(resource or {"service.name": "app"})},
                "scopeSpans": [{"scope": named, "spans": list(spans)}],
            }
        ]
    }


def lines(*requests: dict[str, Any]) -> bytes:
    return b"".join(orjson.dumps(document) + b"\n" for document in requests)


def one(values: dict[str, Any], **how: Any) -> dict[str, Any]:
    """The row of a single span with these attributes."""
    fields = how.pop("fields", {})
    keep = how.pop("keep", frozenset())
    rows, rejected = land(lines(request(span(values, **fields), **how)), keep=keep)
    assert rejected == []
    assert len(rows) == 1
    return rows[0]


def protobuf(document: dict[str, Any]) -> bytes:
    """The same request as OTLP protobuf: hex ids become bytes."""
    document = copy.deepcopy(document)
    for resource_spans in document["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for item in scope_spans["spans"]:
                for holder in (item, *item.get("links", ())):
                    for name in ("traceId", "spanId", "parentSpanId"):
                        if name in holder:
                            raw = bytes.fromhex(holder[name])
                            holder[name] = base64.b64encode(raw).decode()
    whole: bytes = ParseDict(document, TracesData()).SerializeToString()
    return whole


def frame(payload: bytes) -> bytes:
    """The collector file exporter's frame: big-endian length in front."""
    return len(payload).to_bytes(4, "big") + payload
