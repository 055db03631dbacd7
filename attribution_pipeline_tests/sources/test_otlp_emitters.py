"""Six real emitters on one fake vendor: what each call lands as, and what an emitter lost."""

from __future__ import annotations

from typing import Any

import pytest

from attribution_pipeline.model.tokens import BUCKETS, INPUT_BUCKETS
from attribution_pipeline_tests.sources.otlp_documents import CASES, land

NATIVE_SDK = "com.anthropic.sdk.python"

# cases/otel/SOURCES.txt, "Usage constants the fake server returns", as buckets
OPENAI_CHAT = (86, 1920, 0, 0, 0, 172, 128)
OPENAI_RESPONSES = (200, 2000, 0, 0, 400, 172, 128)
EMBEDDING = (9, 0, 0, 0, 0, 0, 0)
ANTHROPIC = (50, 1800, 148, 100, 0, 503, 0)
ANTHROPIC_WITHOUT_TTL = (50, 1800, 0, 0, 248, 503, 0)
UNMETERED = (None,) * 7


def calls(emitter: str) -> list[dict[str, Any]]:
    rows, rejected = land((CASES / f"{emitter}.jsonl").read_bytes())
    assert rejected == []
    return [row for row in rows if row["is_call"]]


def usage(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[bucket] for bucket in BUCKETS)


def by_model(rows: list[dict[str, Any]]) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in sorted(rows, key=lambda row: row["start_unix_nano"]):
        found.setdefault(row["model"], []).append(usage(row))
    return found


def deduplicated(rows: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """One span per (provider, response id): the SDK's own before an instrumentation's."""
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["scope_name"] != NATIVE_SDK):
        if row["response_id"] is not None:
            best.setdefault((row["provider"], row["response_id"]), row)
    return {response_id: usage(row) for (_, response_id), row in best.items()}


def test_every_fixture_span_lands_and_workflow_spans_are_no_calls() -> None:
    for path in sorted(CASES.glob("*.jsonl")):
        rows, rejected = land(path.read_bytes())
        assert rejected == [], path.name
        assert {row["operation_name"] for row in rows if not row["is_call"]} == {"invoke_workflow"}
        assert {row["tenant_id"] for row in rows} == {"acme"}
        assert {row["workflow_id"] for row in rows} == {"refund-triage"}
        assert {row["pod"] for row in rows} == {"support-bot-7d9c-x2x4q"}
        assert {row["cluster"] for row in rows} == {"prod-eu1"}


def test_genai_openai_reports_everything_but_a_stream_without_usage() -> None:
    assert by_model(calls("genai_openai")) == {
        "gpt-4o-mini-2024-07-18": [OPENAI_CHAT, OPENAI_CHAT, UNMETERED],
        "gpt-4o-retry": [OPENAI_CHAT],
        "gpt-4o-bad": [UNMETERED],
        "text-embedding-3-small": [EMBEDDING],
        "gpt-5.6": [OPENAI_RESPONSES],
    }


def test_traceloop_openai_loses_reasoning_on_streams_and_cache_writes_on_responses() -> None:
    reasoning_lost = (86, 1920, 0, 0, 0, 300, 0)
    cache_write_lost = (600, 2000, 0, 0, 0, 172, 128)
    assert by_model(calls("traceloop_openai")) == {
        "gpt-4o-mini-2024-07-18": [OPENAI_CHAT, reasoning_lost, UNMETERED],
        "gpt-4o-retry": [OPENAI_CHAT],
        "gpt-4o-bad": [UNMETERED],
        "text-embedding-3-small": [EMBEDDING],
        "gpt-5.6": [cache_write_lost],
    }


def test_openinference_openai_lands_like_the_others_from_other_names() -> None:
    rows = calls("openinference_openai")
    assert by_model([row for row in rows if row["model"] is not None]) == {
        "gpt-4o-mini-2024-07-18": [OPENAI_CHAT, OPENAI_CHAT, UNMETERED],
        "gpt-4o-retry": [OPENAI_CHAT],
        "text-embedding-3-small": [EMBEDDING],
        "gpt-5.6": [OPENAI_RESPONSES],
    }
    # the failed call has no model on this emitter's span, and no error.type either
    [failed] = [row for row in rows if row["model"] is None]
    assert (failed["metered"], failed["error_type"]) == (False, "_OTHER")
    assert {row["provider"] for row in rows} == {"openai"}
    assert {row["operation_name"] for row in rows} == {"chat", "embeddings"}


@pytest.mark.parametrize(
    "emitter", ["genai_anthropic", "traceloop_anthropic", "openinference_anthropic"]
)
def test_anthropic_calls_count_once_after_deduplication_by_response(emitter: str) -> None:
    rows = calls(emitter)
    assert deduplicated(rows) == {"msg_1": ANTHROPIC, "msg_2": ANTHROPIC, "msg_4": ANTHROPIC}
    native = [row for row in rows if row["scope_name"] == NATIVE_SDK]
    assert [row["attempt"] for row in native] == [None, None, 2, None]
    assert [row["error_type"] for row in native][-1] == "invalid_request_error"


def test_an_instrumentation_beside_the_anthropic_sdk_tells_the_same_call_a_second_time() -> None:
    second = {
        "genai_anthropic": [ANTHROPIC_WITHOUT_TTL] * 3 + [UNMETERED],
        "openinference_anthropic": [ANTHROPIC_WITHOUT_TTL] * 3 + [UNMETERED],
        # its stream adds message_start's one output token to the total: 504 for 503
        "traceloop_anthropic": [
            ANTHROPIC_WITHOUT_TTL,
            (50, 1800, 0, 0, 248, 504, 0),
            ANTHROPIC_WITHOUT_TTL,
            UNMETERED,
        ],
    }
    for emitter, expected in second.items():
        twins = [row for row in calls(emitter) if row["scope_name"] != NATIVE_SDK]
        assert [usage(row) for row in twins] == expected, emitter


def test_naive_sum_of_double_instrumented_spans_is_exactly_twice_the_truth() -> None:
    rows = calls("genai_anthropic")
    true = sum(sum(used[:5]) for used in deduplicated(rows).values())
    naive = sum(row[bucket] or 0 for row in rows for bucket in INPUT_BUCKETS)
    assert (true, naive) == (6_294, 12_588)  # facts/otel.md, "Double counting"
