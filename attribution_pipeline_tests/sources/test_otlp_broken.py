"""What is wrong is rejected with its reason and its place, and stops nothing else."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import orjson
import pytest
import zstandard

from attribution_pipeline.sources.otlp import framing
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline_tests.sources.otlp_documents import (
    CASES,
    SECOND_NS,
    SPAN,
    START_NS,
    TRACE,
    frame,
    land,
    lines,
    protobuf,
    request,
    span,
)

GOOD = lines(request(span()))


def base64_of(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


BROKEN_SPANS: dict[str, tuple[dict[str, Any], str]] = {
    "base64 trace id": (span(traceId=base64_of(TRACE)), "id_base64"),
    "base64 span id": (span(spanId=base64_of(SPAN)), "id_base64"),
    "base64 parent id": (span(parentSpanId=base64_of(SPAN)), "id_base64"),
    "short id": (span(traceId=TRACE[:30]), "id_length"),
    "odd id": (span(spanId=SPAN[:15]), "id_not_hex"),
    "id with spaces": (span(spanId=" " + SPAN[1:]), "id_not_hex"),
    "id that is a number": (span(spanId=7), "id_not_hex"),
    "all-zero trace id": (span(traceId="0" * 32), "id_zero"),
    "all-zero span id": (span(spanId="0" * 16), "id_zero"),
    "no trace id": (span(traceId=None), "id_missing"),
    "empty span id": (span(spanId=""), "id_missing"),
    "no start": (span(startTimeUnixNano=None), "time_missing"),
    "zero end": (span(endTimeUnixNano="0"), "time_missing"),
    "end before start": (span(endTimeUnixNano=str(START_NS - 1)), "end_before_start"),
    "time as a float": (span(startTimeUnixNano=1.5e18), "time_unreadable"),
    "time beyond int64": (span(endTimeUnixNano=str(2**63)), "time_unreadable"),
    "negative time": (span(startTimeUnixNano="-5"), "time_unreadable"),
    "attributes that are no list": (span(attributes=5), "malformed_span"),
    "attribute without a key": (span(attributes=[{"value": {}}]), "malformed_span"),
    "name that is no text": (span(name={"a": 1}), "malformed_span"),
}


@pytest.mark.parametrize("case", BROKEN_SPANS)
def test_broken_span_is_rejected_by_name_and_its_neighbours_land(case: str) -> None:
    broken, reason = BROKEN_SPANS[case]
    rows, rejected = land(lines(request(span(), broken, span())))
    assert [row["position"] for row in rows] == [1, 3]
    assert [(reject.position, reject.reason) for reject in rejected] == [(2, reason)]
    assert rejected[0].detail.startswith("span 2: ")


def test_a_span_that_is_no_object_is_rejected() -> None:
    rows, rejected = land(lines(request(span(), 5, span())))  # type: ignore[arg-type]
    assert ([row["position"] for row in rows], rejected[0].reason) == ([1, 3], "malformed_span")


def test_base64_ids_say_what_to_do() -> None:
    _, [reject] = land(lines(request(span(traceId=base64_of(TRACE)))))
    assert "OTLP exporter" in reject.detail


def test_an_all_zero_parent_is_a_root() -> None:
    rows, rejected = land(lines(request(span(parentSpanId="0" * 16))))
    assert (rows[0]["parent_span_id"], rejected) == (None, [])


def test_an_operation_that_ends_when_it_starts_lands() -> None:
    rows, _ = land(lines(request(span(endTimeUnixNano=str(START_NS)))))
    assert rows[0]["end_unix_nano"] - rows[0]["start_unix_nano"] == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"resourceSpans":[{"resource":\n', "unreadable_json"),
        (b"not json\n", "unreadable_json"),
        (b'{"resourceSpans":[{"a":"\xff"}]}\n', "unreadable_json"),
        (b'{"resourceMetrics":[]}\n', "not_traces"),
        (b"[1,2]\n", "not_traces"),
        (b'{"resourceSpans":[7]}\n', "malformed_document"),
        (b'{"resourceSpans":{"a":1}}\n', "malformed_document"),
        (b'{"resourceSpans":[{"scopeSpans":[{"scope":{"name":{}},"spans":[{}]}]}]}\n',
         "malformed_document"),
        (b'{"resourceSpans":[{"instrumentationLibrarySpans":[]}]}\n',
         "instrumentation_library_spans"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_unreadable_line_is_rejected_and_the_others_land(
    line: bytes, reason: str, first: bool
) -> None:
    data = line + GOOD if first else GOOD + line + GOOD
    rows, rejected = land(data)
    assert [row["span_id"] for row in rows] == [SPAN] * (1 if first else 2)
    assert [reject.reason for reject in rejected] == [reason]
    if reason in ("unreadable_json", "not_traces"):
        assert rejected[0].position == (1 if first else 2)


def test_a_file_cut_in_the_middle_of_a_line_keeps_the_lines_before() -> None:
    whole = GOOD * 3
    rows, rejected = land(whole[:-40])
    assert len(rows) == 2
    assert [(reject.position, reject.reason) for reject in rejected] == [(3, "unreadable_json")]


def test_a_single_document_cut_short_is_one_reject() -> None:
    document = (CASES / "genai_openai.jsonl").read_bytes().strip()
    for cut in (document[:-1], document[: len(document) // 2], document[:40], document[:17]):
        rows, rejected = land(cut)
        assert (rows, [reject.reason for reject in rejected]) == ([], ["unreadable_json"])


def test_truncated_last_frame_is_rejected_and_the_frames_before_land() -> None:
    message = protobuf(request(span()))
    for cut in (1, 3, len(message) // 2, len(message)):
        rows, rejected = land(frame(message) * 2 + frame(message)[:-cut])
        assert len(rows) == 2
        assert [(reject.position, reject.reason) for reject in rejected] == [(3, "truncated_frame")]


def test_damaged_frame_is_rejected_and_the_frames_after_it_land() -> None:
    message = protobuf(request(span()))
    squeezed = zstandard.ZstdCompressor().compress(message)
    damaged = squeezed[:4] + b"\xff" * (len(squeezed) - 4)
    for payload, reason in (
        (b"\x0a\xff\xff\xff\xff", "unreadable_protobuf"),
        (b'{"resourceSpans":', "unreadable_json"),
        (damaged, "damaged_compression"),
        (squeezed[:-1], "damaged_compression"),
        (b"\x12\x02hi", "not_traces"),
    ):
        rows, rejected = land(frame(message) + frame(payload) + frame(message))
        assert len(rows) == 2
        assert [(reject.position, reject.reason) for reject in rejected] == [(2, reason)]


def test_broken_protobuf_is_one_reject() -> None:
    message = protobuf(request(span()))
    rows, rejected = land(message[:-3])
    assert (rows, [reject.reason for reject in rejected]) == ([], ["unreadable_protobuf"])


def test_protobuf_spans_are_held_to_the_same_rules() -> None:
    late = str(START_NS + 2 * SECOND_NS)
    bad = [
        span(traceId="00" * 16),
        span(spanId="0102"),
        span(startTimeUnixNano=None),
        span(startTimeUnixNano=late),
    ]
    rows, rejected = land(protobuf(request(span(), *bad, span())))
    assert [row["position"] for row in rows] == [1, 6]
    reasons = [reject.reason for reject in rejected]
    assert reasons == ["id_zero", "id_length", "time_missing", "end_before_start"]


def test_another_signal_in_protobuf_lands_nothing() -> None:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(
        time_unix_nano=5
    ).body.string_value = "x"
    rows, rejected = land(logs.SerializeToString())
    assert (rows, [reject.reason for reject in rejected]) == ([], ["id_missing"])


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"date,cost\n2026-01-01,5\n", b"\xff" * 99])
def test_bytes_of_no_known_layout_are_refused(data: bytes) -> None:
    with pytest.raises(ObjectRefused, match="not OTLP") as refused:
        land(data)
    assert refused.value.reason == "unknown_layout"
    assert refused.value.line().startswith("file:///traces: ")


@pytest.mark.parametrize("squeeze", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_truncated_compression_is_refused(squeeze: Any) -> None:
    noise = "".join(f"{number * 2654435761 % 2**32:x}" for number in range(200_000))
    data = squeeze(GOOD + orjson.dumps({"padding": noise}) + b"\n" + GOOD)
    with pytest.raises(ObjectRefused) as refused:
        land(data[:-20])
    assert refused.value.reason == "damaged_compression"


def test_a_document_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "DOCUMENT_BYTES_MAX", 2000)
    message = protobuf(request(span({"x": "y" * 3000})))
    for data in (b'{"x":"' + b"a" * 3000, b"{\n" + b" " * 3000, message):
        with pytest.raises(ObjectRefused) as refused:
            land(data)
        assert refused.value.reason == "document_too_large"
    squeezed = zstandard.ZstdCompressor().compress(message)
    assert [reject.reason for reject in land(frame(squeezed))[1]] == ["damaged_compression"]
    assert [reject.reason for reject in land(frame(message))[1]] == ["truncated_frame"]


def test_a_bad_link_is_counted_and_its_span_lands() -> None:
    links = [{"traceId": TRACE.upper(), "spanId": SPAN}, {"traceId": TRACE, "spanId": "0" * 16}]
    rows, rejected = land(lines(request(span(links=links))))
    assert rows[0]["links"] == f"{TRACE}:{SPAN}"
    assert [(reject.position, reject.reason) for reject in rejected] == [(1, "bad_link")]


def test_reject_details_never_hold_content() -> None:
    secret = "my-secret-prompt"
    documents = [
        orjson.dumps(request(span(traceId=secret, name=secret)))[:-9],
        orjson.dumps(request(span(traceId=secret))),
        orjson.dumps(request(span(startTimeUnixNano=secret))),
        orjson.dumps(request(span(attributes=secret))),
        orjson.dumps({secret: secret}),
        secret.encode(),
        secret.encode() + b"}",
    ]
    _, rejected = land(b"\n".join(documents))
    assert len(rejected) == len(documents)
    assert secret not in repr(rejected)
