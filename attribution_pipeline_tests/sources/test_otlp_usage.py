"""Token buckets: disjoint, adding up to what was reported, null where nothing is known."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attribution_pipeline.model.tokens import BUCKETS, INPUT_BUCKETS, KINDS
from attribution_pipeline.sources.otlp.emitters import (
    DISJOINT,
    EXCLUDED,
    EXCLUDED_AND_SILENT,
    INCLUDED,
    Accounting,
    accounting,
)
from attribution_pipeline.sources.otlp.usage import UNKNOWN, buckets
from attribution_pipeline_tests.cases import shared
from attribution_pipeline_tests.sources.otlp_documents import land, lines, one, request, span

CHAT = {"gen_ai.operation.name": "chat"}


def call(**counts: Any) -> dict[str, Any]:
    """Row of a chat with counts under their OpenTelemetry names."""
    names = {
        "input": "gen_ai.usage.input_tokens",
        "output": "gen_ai.usage.output_tokens",
        "read": "gen_ai.usage.cache_read.input_tokens",
        "write": "gen_ai.usage.cache_write.input_tokens",
        "write_5m": "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
        "write_1h": "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        "reasoning": "gen_ai.usage.reasoning.output_tokens",
    }
    return one(CHAT | {names[name]: count for name, count in counts.items()})


def usage(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[bucket] for bucket in BUCKETS)


def total(row: dict[str, Any], kind: str) -> int:
    return sum(row[bucket] for bucket in KINDS[kind])


COUNT = st.none() | st.integers(-3, 2**31)


@given(
    counts=st.lists(COUNT, min_size=7, max_size=7),
    rule=st.sampled_from([INCLUDED, EXCLUDED, EXCLUDED_AND_SILENT, DISJOINT]),
    no_output=st.booleans(),
)
@example(counts=[10, 5, 3, 2, 1, 1, 5], rule=INCLUDED, no_output=False)
def test_buckets_are_disjoint_and_sum_to_what_was_reported(
    counts: list[int | None], rule: Accounting, no_output: bool
) -> None:
    given_input, output, read, write, write_5m, write_1h, reasoning = counts
    found, metered, anomaly = buckets(counts, rule, no_output=no_output)
    named = dict(zip(BUCKETS, found, strict=True))
    assert metered == (anomaly is None and (given_input is not None or output is not None))
    if not metered:
        assert found == UNKNOWN
        return
    assert all(count is None or count >= 0 for count in found)
    by_ttl = (write_5m or 0) + (write_1h or 0)
    total_write = write if write is not None else by_ttl
    if given_input is not None:
        tokens_in = sum(named[bucket] or 0 for bucket in INPUT_BUCKETS)
        beside = 0 if rule.input_includes_cached else (read or 0) + total_write
        assert tokens_in == given_input + beside
    if output is not None:
        beside = 0 if rule.output_includes_reasoning else (reasoning or 0)
        assert (named["visible_output"] or 0) + (named["reasoning"] or 0) == output + beside


def test_a_call_without_usage_is_unmetered_and_never_zero() -> None:
    row = one(CHAT)
    assert (row["is_call"], row["metered"], usage(row)) == (True, False, UNKNOWN)


def test_zero_that_was_reported_is_zero() -> None:
    row = call(input=0, output=0)
    assert (row["metered"], usage(row)) == (True, (0,) * 7)


def test_missing_cache_and_reasoning_are_zero_where_their_total_is_known() -> None:
    assert usage(call(input=10, output=5)) == (10, 0, 0, 0, 0, 5, 0)


def test_a_missing_total_leaves_its_buckets_unknown() -> None:
    aborted_stream = call(input=10)
    assert (aborted_stream["metered"], usage(aborted_stream)) == (
        True,
        (10, 0, 0, 0, 0, None, None),
    )
    only_output = call(output=5)
    assert (only_output["metered"], usage(only_output)) == (
        True,
        (None, None, None, None, None, 5, 0),
    )


def test_an_embedding_has_no_output() -> None:
    row = one({"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 9})
    assert (row["metered"], usage(row)) == (True, (9, 0, 0, 0, 0, 0, 0))


def test_cache_writes_are_split_by_time_to_live() -> None:
    assert usage(call(input=100, output=1, write=60, write_5m=20, write_1h=30))[2:5] == (20, 30, 10)
    assert usage(call(input=100, output=1, write_5m=20, write_1h=30)) == (50, 0, 20, 30, 0, 1, 0)
    assert usage(call(input=100, output=1, write=60))[2:5] == (0, 0, 60)


@pytest.mark.parametrize(
    ("counts", "anomaly"),
    [
        ({"input": 10, "output": 1, "read": 11}, "cache_exceeds_input"),
        ({"input": 10, "output": 1, "read": 6, "write": 6}, "cache_exceeds_input"),
        ({"input": 10, "output": 1, "reasoning": 2}, "reasoning_exceeds_output"),
        ({"input": -1, "output": 1}, "negative_count"),
        ({"input": 10, "output": 1, "read": -1}, "negative_count"),
        ({"input": 10, "output": 1, "write": 3, "write_5m": 4}, "cache_write_ttl_exceeds_cache_write"),
        ({"input": 10**9 + 1, "output": 1}, "count_out_of_range"),
        ({"input": 1.5, "output": 1}, "unreadable_count"),
        ({"input": "many", "output": 1}, "unreadable_count"),
        ({"read": 5}, "details_without_totals"),
    ],
)  # fmt: skip
def test_impossible_counts_are_named_and_leave_the_call_unmetered(
    counts: dict[str, Any], anomaly: str
) -> None:
    row = call(**counts)
    assert (row["usage_anomaly"], row["metered"], usage(row)) == (anomaly, False, UNKNOWN)
    assert row["is_call"]


def test_counts_as_text_and_as_whole_doubles_are_read() -> None:
    assert usage(call(input="10", output=5.0)) == (10, 0, 0, 0, 0, 5, 0)


def test_one_count_under_two_names_is_taken_once() -> None:
    row = one(
        CHAT
        | {
            "gen_ai.usage.prompt_tokens": 7,  # LiteLLM stamps both
            "gen_ai.usage.input_tokens": 10,
            "llm.token_count.prompt": 11,
            "gen_ai.usage.completion_tokens": 5,
        }
    )
    assert usage(row) == (10, 0, 0, 0, 0, 5, 0)


@pytest.mark.parametrize(
    ("scope", "version", "rule"),
    [
        ("openinference.instrumentation.anthropic", "0.1.10", EXCLUDED_AND_SILENT),
        ("openinference.instrumentation.anthropic", "0.1.13", EXCLUDED_AND_SILENT),
        ("openinference.instrumentation.anthropic", "0.1.14", INCLUDED),
        ("openinference.instrumentation.anthropic", "3.1.0", INCLUDED),
        ("openinference.instrumentation.anthropic", None, INCLUDED),
        ("opentelemetry.instrumentation.bedrock", "0.62.4", EXCLUDED),
        ("opentelemetry.instrumentation.bedrock", "0.63.0", INCLUDED),
        ("com.anthropic.claude_code.tracing", "1.0.0", EXCLUDED),
        ("com.anthropic.claude_code.tracing", None, EXCLUDED),
        ("com.anthropic.sdk.python", "2.12.0", INCLUDED),
        ("opentelemetry.instrumentation.genai.anthropic", "1.3b0", INCLUDED),
        ("never heard of", "x", INCLUDED),
        (None, None, INCLUDED),
    ],
)
def test_the_registry_decides_by_scope_and_version(
    scope: str | None, version: str | None, rule: Accounting
) -> None:
    assert accounting(scope, version) == rule


def test_an_emitter_that_hides_its_cached_tokens_lands_them_as_unknown_not_zero() -> None:
    old = request(
        span(
            {
                "openinference.span.kind": "LLM",
                "llm.token_count.prompt": 50,
                "llm.token_count.completion": 503,
            }
        ),
        scope=("openinference.instrumentation.anthropic", "0.1.10"),
    )
    [row], _ = land(lines(old))
    assert (row["metered"], usage(row)) == (True, (50, None, None, None, None, 503, 0))


def test_claude_code_counts_uncached_input_only() -> None:
    row = one(
        {
            "model": "claude-opus-5",
            "gen_ai.system": "anthropic",
            "gen_ai.request.model": "claude-opus-5",
            "input_tokens": 2,
            "output_tokens": 1200,
            "cache_read_tokens": 84_562,
            "cache_creation_tokens": 7_096,
        },
        fields={"name": "claude_code.llm_request"},
        scope=("com.anthropic.claude_code.tracing", "1.0.0"),
    )
    assert (row["is_call"], row["operation_name"], row["provider"]) == (True, "chat", "anthropic")
    assert usage(row) == (2, 84_562, 0, 0, 7_096, 1200, 0)


def test_langfuse_details_are_disjoint_already() -> None:
    details = {
        "input": 86,
        "input_cached_tokens": 1920,
        "output": 172,
        "output_reasoning_tokens": 128,
    }
    row = one(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-4o-mini",
            "langfuse.observation.usage_details": json.dumps(details),
        }
    )
    assert (row["operation_name"], row["model"]) == ("chat", "gpt-4o-mini")
    assert usage(row) == (86, 1920, 0, 0, 0, 172, 128)
    broken = one(CHAT | {"langfuse.observation.usage_details": "{"})
    assert (broken["usage_anomaly"], broken["metered"]) == ("unreadable_usage_details", False)


def priced(row: dict[str, Any], prices: dict[str, str]) -> Decimal:
    """Vendor's price per million, bucket by bucket."""
    parts = {"input": "uncached_input", "cache_read": "cache_read", "output": "output"}
    return sum(
        (Decimal(total(row, parts[name])) * Decimal(price) for name, price in prices.items()),
        Decimal(0),
    ) / Decimal(1_000_000)


def test_cached_token_incidents() -> None:
    incidents = orjson.loads(shared("peers/cached_token_incidents.json").read_bytes())
    told = {case["name"]: case for case in incidents["cases"]}
    for name in ("gpt-4o 90% cached", "gemini-3-flash-preview"):
        case = told.pop(name)
        row = call(
            input=case["input_tokens_total"], read=case["cache_read"], output=case.get("output", 0)
        )
        assert priced(row, case["price_per_million"]) == Decimal(case["expect"]["right"]), name
        twice = priced(row, case["price_per_million"]) + Decimal(case["cache_read"]) * Decimal(
            case["price_per_million"]["input"]
        ) / Decimal(1_000_000)
        assert twice == Decimal(case["expect"]["double_counted"]), name
    for name in ("langfuse 5568", "langfuse 10592"):
        case = told.pop(name)
        row = call(input=case["total_input"], read=case["cache_read"], output=0)
        assert row["uncached_input"] == case["expect_uncached"], name
        assert total(row, "input") == case["total_input"], name
        assert total(row, "input") + case["cache_read"] == case["peer_total"], name
    case = told.pop("anthropic style")
    row = call(input=case["computed_total_input"], read=case["cache_read"], output=0)
    assert row["uncached_input"] == case["expect_uncached"]
    tiers = told.pop("anthropic cache TTL tiers")
    card = tiers["price_card_claude_sonnet_4_6_per_token"]
    assert Decimal(card["cache_creation"]) == Decimal(card["input"]) * Decimal("1.25")
    # the two tiers have their own prices, so they land in their own buckets
    assert usage(call(input=10, output=0, write=10, write_5m=6, write_1h=4))[2:5] == (6, 4, 0)
    assert told == {}


def test_focus_ai_prompt_caching_buckets() -> None:
    case = orjson.loads(shared("peers/focus_ai_prompt_caching.json").read_bytes())
    expected = {name: int(count) for name, count in case["expect"].items()}
    billed = {(line["token_direction"], line["token_cache_action"]): line for line in case["rows"]}
    row = call(
        input=expected["otel_input_tokens"],
        read=expected["cache_read"],
        write=expected["cache_creation"],
        output=int(billed["Output", None]["tokens"]),
    )
    kinds = {
        ("Input", "Uncached"): "uncached_input",
        ("Input", "Write"): "cache_write",
        ("Input", "Read"): "cache_read",
        ("Output", None): "output",
    }
    cost = Decimal(0)
    for key, line in billed.items():
        assert total(row, kinds[key]) == int(line["tokens"]), key
        cost += total(row, kinds[key]) * Decimal(line["unit_price_per_million"]) / 1_000_000
    assert row["uncached_input"] == expected["uncached"]
    assert cost == Decimal(case["total_cost"])
    # the trap: the input price on all input
    price = Decimal(billed["Input", "Uncached"]["unit_price_per_million"])
    assert total(row, "input") * price / 1_000_000 == Decimal(
        case["trap"]["if_input_price_applied_to_all_input"]
    )
