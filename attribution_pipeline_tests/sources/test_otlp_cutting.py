"""Long documents are parsed in pieces, and nobody can tell."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_pipeline.sources.otlp import cutting, scanning
from attribution_pipeline_tests.sources.otlp_documents import (
    CASES,
    SPAN,
    TRACE,
    attributes,
    content,
    land,
    request,
    span,
)

TRICKY = '"spans":[{"traceId":"x"}],{"traceId":"y"}]}'
LINK = {"traceId": TRACE, "spanId": SPAN}


@pytest.fixture(autouse=True)
def _cut_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "LONG_BYTES", 0)
    monkeypatch.setattr(cutting, "PIECE_BYTES", 1)
    monkeypatch.setattr(scanning, "native", None)  # the loop cuts; the scanner has no need to


def whole(document: Any) -> Any:
    """A cut document with its arrays read out, to compare with a plain one."""
    for resource_spans in document.get("resourceSpans") or ():
        for scope_spans in resource_spans.get("scopeSpans") or ():
            if isinstance(scope_spans.get("spans"), cutting.Spans):
                scope_spans["spans"] = list(scope_spans["spans"])
    return document


def is_cut(document: Any) -> bool:
    return any(
        isinstance(scope_spans.get("spans"), cutting.Spans)
        for resource_spans in document["resourceSpans"]
        for scope_spans in resource_spans["scopeSpans"]
    )


links = st.lists(st.just(LINK), max_size=3)
spans = st.builds(
    lambda text, found, event: span(
        {"a": text, "gen_ai.operation.name": "chat"},
        links=found,
        events=[{"name": text, "attributes": attributes({"t": text})}] if event else None,
        name=text,
    ),
    st.sampled_from(["plain", TRICKY, "\\", '\\"', "}]}]", "\u2028"]),
    links,
    st.booleans(),
)
resource_spans = st.builds(
    lambda scopes, name: {
        "resource": {"attributes": attributes({"service.name": name})},
        "scopeSpans": [{"scope": {"name": "app"}, "spans": found} for found in scopes],
        "schemaUrl": "https://opentelemetry.io/schemas/1.41.0",
    },
    st.lists(st.lists(spans, max_size=5), max_size=3),
    st.sampled_from(["a", TRICKY]),
)


@settings(max_examples=200)
@given(found=st.lists(resource_spans, min_size=1, max_size=3))
def test_a_cut_document_is_the_plain_document(found: list[dict[str, Any]]) -> None:
    document = {"resourceSpans": found}
    assert whole(cutting.parse(orjson.dumps(document))) == document


def test_the_fixtures_are_cut_and_land_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in CASES.glob("*.jsonl"):
        data = path.read_bytes()
        assert is_cut(cutting.parse(data.strip())), path.name
        cut = content(land(data)[0])
        with monkeypatch.context() as plain:
            plain.setattr(cutting, "LONG_BYTES", 1 << 40)
            assert content(land(data)[0]) == cut


def test_a_tail_of_links_is_no_tail_of_spans() -> None:
    document = request(span(), span(links=[LINK, LINK, LINK]))
    parsed = cutting.parse(orjson.dumps(document))
    assert is_cut(parsed)
    assert whole(parsed) == document


@pytest.mark.parametrize(
    "encode",
    [
        lambda document: json.dumps(document).encode(),  # spaces after colons
        lambda document: orjson.dumps(document, option=orjson.OPT_SORT_KEYS),
        lambda document: orjson.dumps(document, option=orjson.OPT_INDENT_2),
    ],
)
def test_another_way_to_write_json_is_left_to_the_parser(encode: Any) -> None:
    document = request(span(), span())
    parsed = cutting.parse(encode(document))
    assert not is_cut(parsed)
    assert parsed == document


def test_spans_inside_spans_are_left_to_the_parser() -> None:
    document = request(span(future={"spans": [span()]}), span())
    parsed = cutting.parse(orjson.dumps(document))
    assert whole(parsed) == document


def test_damage_inside_a_long_document_is_rejected_after_what_came_before_it() -> None:
    data = orjson.dumps(request(*[span({"n": number}) for number in range(5)]))
    damaged = data.replace(b'"intValue":"3"', b'"intValue":"3')
    rows, rejected = land(damaged)
    assert 0 < len(rows) < 5
    assert [(reject.position, reject.reason) for reject in rejected] == [(1, "unreadable_json")]


def test_every_truncation_is_rejected_and_none_raises() -> None:
    data = orjson.dumps(request(span(links=[LINK, LINK]), span({"a": TRICKY})))
    for length in range(1, len(data)):
        rows, rejected = land(data[:length])
        assert rows == []
        assert [reject.reason for reject in rejected] == ["unreadable_json"]
