"""Layouts: the same content in every one of them gives the same rows."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import zstandard

from attribution_pipeline.sources.otlp import read
from attribution_pipeline.sources.otlp import rows as rows_module
from attribution_pipeline_tests.sources.otlp_documents import (
    CASES,
    OBJECT_ID,
    content,
    frame,
    land,
    lines,
    protobuf,
    request,
    source_object,
    span,
)

PLAIN = (CASES / "genai_openai.jsonl").read_bytes()
FORMATS = CASES / "formats"


def zstd(payload: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(payload)


@pytest.mark.parametrize(
    ("path", "same_as"),
    [
        ("fileexporter_like_length_delimited.pb", "genai_openai"),
        ("fileexporter_like_zstd_length_delimited.json.zst.frames", "genai_openai"),
        ("single_request.otlp_proto.binpb", "genai_openai"),
        ("*/*/*/*/*/*/minute=03/traces_u8jzPde0I.json", "genai_openai"),
        ("*/*/*/*/*/*/minute=04/traces_BAepfJBd0.json", "traceloop_openai"),
        ("*/*/*/*/*/*/minute=04/traces_gxLd6Gncf.json.gz", "genai_anthropic"),
        ("*/*/*/*/*/*/minute=05/traces_Kh8oOOL8d.json", "openinference_openai"),
    ],
)
def test_format_gives_the_rows_of_the_plain_lines(path: str, same_as: str) -> None:
    [found] = FORMATS.glob(path)
    rows, rejected = land(found.read_bytes())
    plain, _ = land((CASES / f"{same_as}.jsonl").read_bytes())
    assert rejected == []
    assert content(rows) == content(plain)
    assert len(rows) == len(plain)


def test_every_file_of_the_format_cases_is_covered_above() -> None:
    assert sum(path.is_file() for path in FORMATS.rglob("*")) == 7


DOCUMENT = orjson.loads(PLAIN)
VARIANTS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzip.compress(PLAIN),
    "two gzip members": lambda: gzip.compress(PLAIN[:4000]) + gzip.compress(PLAIN[4000:]),
    "zstd": lambda: zstd(PLAIN),
    "one document without newline": lambda: PLAIN.rstrip(b"\n"),
    "byte order mark": lambda: b"\xef\xbb\xbf" + PLAIN,
    "blank lines and CRLF": lambda: b"\r\n\n" + PLAIN.rstrip(b"\n") + b"\r\n\r\n",
    "printed over many lines": lambda: orjson.dumps(DOCUMENT, option=orjson.OPT_INDENT_2),
    "protobuf": lambda: protobuf(DOCUMENT),
    "gzip protobuf": lambda: gzip.compress(protobuf(DOCUMENT)),
    "frames of protobuf": lambda: frame(protobuf(DOCUMENT)),
    "frames of zstd protobuf": lambda: frame(zstd(protobuf(DOCUMENT))),
    "frames of JSON": lambda: frame(PLAIN),
    "an empty frame in front": lambda: frame(b"") + frame(PLAIN),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_gives_the_rows_of_the_plain_lines(variant: str) -> None:
    rows, rejected = land(VARIANTS[variant]())
    assert rejected == []
    assert content(rows) == content(land(PLAIN)[0])


def test_a_stream_reads_like_bytes(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_bytes(PLAIN)
    with path.open("rb") as file:
        assert content(land(file)[0]) == content(land(PLAIN)[0])
    assert content(land(io.BytesIO(PLAIN))[0]) == content(land(PLAIN)[0])


def test_positions_count_spans_through_the_whole_object() -> None:
    rows, _ = land(lines(request(span(), span()), request(span())))
    assert [row["position"] for row in rows] == [1, 2, 3]


def test_batches_stay_small_however_large_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "BATCH_SPANS", 3)
    data = lines(request(*[span() for _ in range(8)]), request(span()))
    sizes = [batch.rows.num_rows for batch in read(data, source_object(), OBJECT_ID)]
    assert sizes == [3, 3, 3]


def test_rejects_are_handed_on_before_they_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "BATCH_REJECTED", 2)
    sizes = [len(batch.rejected) for batch in read(b"{x\n" * 5, source_object(), OBJECT_ID)]
    assert sizes == [2, 2, 1]


def test_an_empty_object_and_an_empty_request_give_nothing() -> None:
    assert land(b"") == ([], [])
    assert land(b"{}\n") == ([], [])
    assert land(b'{"resourceSpans":[]}') == ([], [])


def test_numbers_as_text_and_as_numbers_are_one() -> None:
    as_text = span({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5})
    as_number = orjson.loads(
        orjson.dumps(as_text)
        .replace(b'"intValue":"5"', b'"intValue":5')
        .replace(b'"1795295041635453645"', b"1795295041635453645")
    )
    assert as_text != as_number
    assert content(land(lines(request(as_text)))[0]) == content(land(lines(request(as_number)))[0])


def test_upper_case_ids_and_unknown_fields_are_read() -> None:
    odd = span(traceId="0AF7651916CD43DD8448EB211C80319C", futureField={"a": [1]}, flags=769)
    rows, rejected = land(lines(request(odd)))
    assert rejected == []
    assert rows[0]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
