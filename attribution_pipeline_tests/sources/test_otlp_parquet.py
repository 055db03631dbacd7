"""Spans that are in Parquet already: three layouts, one meaning."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline_tests.sources.otlp_documents import CASES, SPAN, TRACE, content, land

KIND_NAMES = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUS_NAMES = ("Unset", "Ok", "Error")
MAP = pa.map_(pa.string(), pa.string())


def flat(emitter: str) -> list[dict[str, Any]]:
    """Spans of a fixture, one dict each, attributes as plain dicts of scalars."""

    def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
        found = {}
        for attribute in attributes:
            [(kind, value)] = attribute["value"].items()
            if kind in ("stringValue", "doubleValue", "boolValue"):
                found[attribute["key"]] = value
            elif kind == "intValue":
                found[attribute["key"]] = int(value)
        return found

    spans = []
    for line in (CASES / f"{emitter}.jsonl").read_bytes().splitlines():
        for resource_spans in orjson.loads(line)["resourceSpans"]:
            for scope_spans in resource_spans["scopeSpans"]:
                for item in scope_spans["spans"]:
                    spans.append(
                        {
                            "trace_id": item["traceId"],
                            "span_id": item["spanId"],
                            "parent_span_id": item.get("parentSpanId", ""),
                            "trace_state": item.get("traceState", ""),
                            "name": item["name"],
                            "kind": item["kind"],
                            "start_time_unix_nano": int(item["startTimeUnixNano"]),
                            "end_time_unix_nano": int(item["endTimeUnixNano"]),
                            "status_code": item["status"].get("code", 0),
                            "scope_name": scope_spans["scope"]["name"],
                            "scope_version": scope_spans["scope"].get("version"),
                            "resource": plain(resource_spans["resource"]["attributes"]),
                            "attributes": plain(item.get("attributes", [])),
                        }
                    )
    return spans


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def generic(spans: list[dict[str, Any]]) -> bytes:
    """Our own column set: attributes as JSON text, times as integers."""
    names = [name for name in spans[0] if name not in ("resource", "attributes")]
    columns = {name: [item[name] for item in spans] for name in names}
    for column, source in (("resource_attributes", "resource"), ("span_attributes", "attributes")):
        columns[column] = [orjson.dumps(item[source]).decode() for item in spans]
    return parquet(pa.table(columns))


def text_pairs(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (key, str(value).lower() if isinstance(value, bool) else str(value))
        for key, value in values.items()
    ]


def clickhouse(spans: list[dict[str, Any]]) -> bytes:
    """``otel_traces`` of the collector's ClickHouse exporter: maps of text, a duration."""
    return parquet(
        pa.table(
            {
                "Timestamp": pa.array(
                    [item["start_time_unix_nano"] for item in spans], pa.timestamp("ns")
                ),
                "TraceId": [item["trace_id"] for item in spans],
                "SpanId": [item["span_id"] for item in spans],
                "ParentSpanId": [item["parent_span_id"] for item in spans],
                "TraceState": [item["trace_state"] for item in spans],
                "SpanName": [item["name"] for item in spans],
                "SpanKind": [KIND_NAMES[item["kind"]] for item in spans],
                "ServiceName": [item["resource"]["service.name"] for item in spans],
                "ResourceAttributes": pa.array([text_pairs(item["resource"]) for item in spans], MAP),
                "ScopeName": [item["scope_name"] for item in spans],
                "ScopeVersion": [item["scope_version"] for item in spans],
                "SpanAttributes": pa.array([text_pairs(item["attributes"]) for item in spans], MAP),
                "Duration": pa.array(
                    [item["end_time_unix_nano"] - item["start_time_unix_nano"] for item in spans],
                    pa.uint64(),
                ),
                "StatusCode": [STATUS_NAMES[item["status_code"]] for item in spans],
                "Links.TraceId": pa.array([[] for _ in spans], pa.list_(pa.string())),
                "Links.SpanId": pa.array([[] for _ in spans], pa.list_(pa.string())),
            }
        )
    )  # fmt: skip


def otlp2parquet(spans: list[dict[str, Any]]) -> bytes:
    """snake_case: binary ids, attributes as JSON text."""
    return parquet(
        pa.table(
            {
                "timestamp": pa.array(
                    [item["start_time_unix_nano"] for item in spans], pa.timestamp("ns", "UTC")
                ),
                "end_timestamp": pa.array(
                    [item["end_time_unix_nano"] for item in spans], pa.timestamp("ns", "UTC")
                ),
                "trace_id": pa.array([bytes.fromhex(item["trace_id"]) for item in spans], pa.binary(16)),
                "span_id": pa.array([bytes.fromhex(item["span_id"]) for item in spans], pa.binary(8)),
                "parent_span_id": pa.array(
                    [bytes.fromhex(item["parent_span_id"]) or None for item in spans], pa.binary(8)
                ),
                "span_name": [item["name"] for item in spans],
                "span_kind": [f"SPAN_KIND_{KIND_NAMES[item['kind']].upper()}" for item in spans],
                "service_name": [item["resource"]["service.name"] for item in spans],
                "scope_name": [item["scope_name"] for item in spans],
                "scope_version": [item["scope_version"] for item in spans],
                "resource_attributes": [orjson.dumps(item["resource"]) for item in spans],
                "span_attributes": [orjson.dumps(item["attributes"]) for item in spans],
                "status_code": [
                    f"STATUS_CODE_{STATUS_NAMES[item['status_code']].upper()}" for item in spans
                ],
            }
        )
    )  # fmt: skip


LAYOUTS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "generic": generic,
    "clickhouse": clickhouse,
    "otlp2parquet": otlp2parquet,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "emitter", ["genai_openai", "genai_anthropic", "openinference_openai", "traceloop_anthropic"]
)
def test_parquet_gives_the_rows_of_the_plain_lines(layout: str, emitter: str) -> None:
    rows, rejected = land(LAYOUTS[layout](flat(emitter)))
    assert rejected == []
    assert content(rows) == content(land((CASES / f"{emitter}.jsonl").read_bytes())[0])
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))


def table_of(**columns: Any) -> bytes:
    start = datetime(2026, 11, 21, tzinfo=UTC)
    whole = {
        "trace_id": [TRACE],
        "span_id": [SPAN],
        "start_time": pa.array([start], pa.timestamp("us", "UTC")),
        "end_time": pa.array([start + timedelta(seconds=1)], pa.timestamp("us", "UTC")),
        "attributes": pa.array(
            [[{"key": "gen_ai.operation.name", "value": "chat"}]],
            pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())])),
        ),
        **columns,
    }
    return parquet(pa.table({name: column for name, column in whole.items() if column is not None}))


def test_microseconds_and_key_value_structs_are_read() -> None:
    [row], rejected = land(table_of())
    assert rejected == []
    assert row["end_unix_nano"] - row["start_unix_nano"] == 1_000_000_000
    assert (row["operation_name"], row["is_call"]) == ("chat", True)


def test_links_of_clickhouse_are_read() -> None:
    columns = {"Links.TraceId": [[TRACE, TRACE]], "Links.SpanId": [[SPAN, "0" * 16]]}
    [row], [reject] = land(table_of(**columns))
    assert (row["links"], reject.reason) == (f"{TRACE}:{SPAN}", "bad_link")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"trace_id": ["AAAAAAAAAAAAAAAAAAAAAA=="]}, "id_base64"),
        ({"span_id": [None]}, "id_missing"),
        ({"end_time": [5]}, "end_before_start"),
        ({"end_time": [None]}, "time_missing"),
        ({"end_time": ["soon"]}, "time_unreadable"),
        ({"attributes": ["{"]}, "unreadable_attributes"),
        ({"attributes": [5]}, "unreadable_attributes"),
        ({"name": [5]}, "malformed_span"),
    ],
)
def test_a_broken_row_is_rejected_by_name(columns: dict[str, Any], reason: str) -> None:
    rows, rejected = land(table_of(**columns))
    assert (rows, [(reject.position, reject.reason) for reject in rejected]) == ([], [(1, reason)])


@pytest.mark.parametrize("missing", ["trace_id", "span_id", "start_time", "end_time", "attributes"])
def test_a_table_that_is_not_of_spans_is_refused(missing: str) -> None:
    with pytest.raises(ObjectRefused) as refused:
        land(table_of(**{missing: None}))
    assert refused.value.reason == "missing_columns"


def test_broken_parquet_is_refused() -> None:
    whole = table_of()
    for broken in (whole[:-10], whole[:40], b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1"):
        with pytest.raises(ObjectRefused) as refused:
            land(broken)
        assert refused.value.reason == "unreadable_parquet"
