"""The scanner and the loop land the same rows, reject the same records, in the same batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, TracesData

from attribution_pipeline.simulator import write_company
from attribution_pipeline.sources.batch import Rejected
from attribution_pipeline.sources.otlp import read, rows, scanning
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.sources.odd_otlp import KEPT, Odd
from attribution_pipeline_tests.sources.odd_protobuf import OddProtobuf
from attribution_pipeline_tests.sources.otlp_documents import (
    CASES,
    OBJECT_ID,
    frame,
    lines,
    protobuf,
    request,
    source_object,
    span,
)

Batches = list[tuple[list[dict[str, Any]], list[Rejected]]] | str

SEEDS = st.integers(0, 2**32 - 1)
NOTHING: frozenset[str] = frozenset()


def batches(data: bytes, keep: frozenset[str] = NOTHING) -> Batches:
    found = read(data, source_object(len(data)), OBJECT_ID, keep_attributes=keep)
    try:
        return [(batch.rows.to_pylist(), batch.rejected) for batch in found]
    except ObjectRefused as refused:
        return refused.line()


@contextmanager
def loop_alone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scanning, "native", None)
        yield


def assert_alike(data: bytes, keep: frozenset[str] = NOTHING) -> Batches:
    scanned = batches(data, keep)
    with loop_alone():
        assert scanned == batches(data, keep)
    return scanned


def counted(data: bytes, keep: frozenset[str] = NOTHING) -> tuple[int, int]:
    """Spans that the scanner read by itself, and spans that it left, of this object."""
    scanning._idle.clear()
    batches(data, keep)
    [used] = scanning._idle[keep]
    return used.scanned, used.left


def test_the_scanner_is_built_where_tests_run() -> None:
    assert scanning.native is not None, "no C compiler? `make install` builds it"


@settings(max_examples=80, deadline=None)
@given(seed=SEEDS)
def test_odd_json_lands_as_in_the_loop(seed: int) -> None:
    assert_alike(Odd(seed).lines(), KEPT if seed % 2 else NOTHING)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_odd_protobuf_lands_as_in_the_loop(seed: int) -> None:
    assert_alike(OddProtobuf(seed).frames(), KEPT if seed % 2 else NOTHING)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_batches_are_cut_where_the_loop_cuts_them(seed: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rows, "BATCH_SPANS", 3)
        patched.setattr(rows, "BATCH_REJECTED", 2)
        patched.setattr(scanning, "ANSWERS_MAX", 5)
        assert_alike(Odd(seed).lines())
        assert_alike(OddProtobuf(seed).frames())


FILES = sorted(
    path
    for folder in (CASES, WORKED_DAY / "spans")
    for path in folder.rglob("*")
    if path.is_file() and path.suffix != ".txt"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_of_real_emitters_land_as_in_the_loop(path: Path) -> None:
    assert assert_alike(path.read_bytes(), frozenset({"gen_ai.request.model", "server.port"}))


@pytest.mark.parametrize("path", sorted(CASES.glob("*.jsonl")), ids=lambda path: path.name)
def test_the_scanner_reads_real_emitters_by_itself(path: Path) -> None:
    scanned, left = counted(path.read_bytes())
    assert scanned > 0
    assert left == 0


def test_the_scanner_reads_a_simulated_day_by_itself(tmp_path: Path) -> None:
    told = write_company(tmp_path, days=1, spans_per_day=600, seed=3)
    found = 0
    for path in (tmp_path / "spans").rglob("*.json*"):
        data = path.read_bytes()
        scanned, left = counted(data, frozenset({"app.tenant"}))
        found += scanned
        assert left == 0
        assert_alike(data, frozenset({"app.tenant"}))
    assert found >= told.spans


ODDLY_TOLD = [
    span({"gen_ai.usage.input_tokens": 5.0}, spanId="0" * 15 + "2"),
    span({"gen_ai.operation.name": 'ch"at'}, spanId="0" * 15 + "3"),
    span({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 9}),
    span({"langfuse.observation.usage_details": '{"input": 5, "output": 3}'}),
    span(traceId="xyz"),
]


def test_one_odd_span_is_left_and_its_neighbours_are_not() -> None:
    for odd in ODDLY_TOLD:
        data = lines(request(span(), odd, span()), request(span()))
        assert counted(data) == (3, 1)
        [(found, _)] = assert_alike(data)
        assert sorted(row["position"] for row in found) == [row["position"] for row in found]


def test_protobuf_is_scanned_too() -> None:
    data = frame(protobuf(request(span({"gen_ai.usage.input_tokens": 5}), ODDLY_TOLD[0])))
    assert counted(data) == (1, 1)
    assert_alike(data)


@pytest.mark.parametrize("encode", [orjson.dumps, protobuf])
def test_every_truncation_is_read_as_in_the_loop(encode: Any) -> None:
    whole = encode(request(span({"gen_ai.usage.input_tokens": 5, "a": "é"}), span()))
    for length in range(len(whole)):
        assert_alike(whole[:length])


def test_a_document_that_ends_badly_lands_nothing_before_the_loop_has_read_it() -> None:
    whole = orjson.dumps(request(span(), span()))
    for data in (whole + b"]", whole[:-1], whole.replace(b'"kind":3', b'"kind":03')):
        assert counted(lines(request(span())) + data) == (1, 0)
        assert_alike(lines(request(span())) + data)


def test_two_objects_may_be_read_at_once() -> None:
    first, second = (lines(request(span(name=name)), request(span(name=name))) for name in "ab")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rows, "BATCH_SPANS", 1)
        readers = [read(data, source_object(len(data)), OBJECT_ID) for data in (first, second)]
        pairs = [
            [batch.rows["span_name"].to_pylist() for batch in both]
            for both in zip(*readers, strict=True)
        ]
    assert pairs == [[["a"], ["b"]], [["a"], ["b"]]]


def test_what_is_not_asked_for_is_in_no_column() -> None:
    secret = "a prompt that nobody asked for"
    for data in (
        lines(request(span({"gen_ai.prompt": secret, "gen_ai.usage.input_tokens": 5}))),
        frame(protobuf(request(span({"gen_ai.prompt": secret})))),
    ):
        assert counted(data) == (1, 0)
        assert secret not in repr(batches(data))


def test_a_scanner_refuses_a_layout_beyond_its_room() -> None:
    assert scanning.native is not None
    with pytest.raises(ValueError, match="room"):
        scanning.native.Scanner("t" * 200, 200, tuple(range(25)), (), ())


def test_of_two_kept_values_the_first_is_kept() -> None:
    twice = [{"key": "app.tenant", "value": {"stringValue": text}} for text in ("first", "second")]
    data = lines(request(span(attributes=twice)))
    assert counted(data, frozenset({"app.tenant"})) == (1, 0)
    [([row], _)] = assert_alike(data, frozenset({"app.tenant"}))
    assert row["attributes"] == '{"app.tenant":"first"}'


@pytest.mark.parametrize(
    "escape", [r"\ud83d\ude00", r"\ud83d\u0041", r"\ud83d", r"\ude00", r"\ud83dx"]
)
def test_half_a_surrogate_pair_is_no_json(escape: str) -> None:
    data = lines(request(span({"a": "HERE"}))).replace(b"HERE", escape.encode())
    [(found, _)] = assert_alike(data)
    assert len(found) == (escape == r"\ud83d\ude00")


@pytest.mark.parametrize("path", [(0x0A,), (0x0A, 0x12)])
def test_what_protobuf_would_merge_is_read_as_in_the_loop(path: tuple[int, ...]) -> None:
    """A second scope, or resource, behind the spans that it is of."""
    parts = TracesData.FromString(protobuf(request(span()))).resource_spans[0]
    again = ResourceSpans() if len(path) == 1 else ScopeSpans()
    if isinstance(again, ResourceSpans):
        again.resource.attributes.add(key="k8s.pod.name").value.string_value = "late"
        payload = parts.SerializeToString() + again.SerializeToString()
    else:
        again.scope.version = "9"
        inner = parts.scope_spans[0].SerializeToString() + again.SerializeToString()
        payload = b"\x12" + bytes([len(inner) & 127 | 128, len(inner) >> 7]) + inner
    data = b"\x0a" + bytes([len(payload) & 127 | 128, len(payload) >> 7]) + payload
    [([row], _)] = assert_alike(data)
    assert (row["pod"], row["scope_version"]) in [("late", "1.0"), (None, "9")]
