"""Which spans are one call, rule by rule; what is not counted is listed with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.attribution.twins import REASONS, SCOPES, scope_of
from attribution_pipeline_tests.attribution.spans import Row, landed_span, span_id, told

GENAI = ("opentelemetry.instrumentation.genai.openai", "1.3b0")
OPENLLMETRY = ("opentelemetry.instrumentation.anthropic", "0.62.4")
OPENINFERENCE = ("openinference.instrumentation.openai", "0.1.66")
NATIVE = ("com.anthropic.sdk.python", "2.12.0")
LITELLM = ("litellm", None)
VLLM = ("vllm.otlp", "0.11.0")
APP = ("app", "1.0")
LONG = "chatcmpl-BxYzAbCdEfGhIjKlMnOpQrStUv"
OTHER = "chatcmpl-C0123456789abcdefghijklmno"
SERVER = 2


def chat(
    asked: int | None = 2006, answered: int | None = 300, response: str | None = None, **more: Any
) -> dict[str, Any]:
    """Attributes of a call in the names of today."""
    values = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": asked,
        "gen_ai.usage.output_tokens": answered, "gen_ai.response.id": response,
    } | {name.replace("__", "."): value for name, value in more.items()}  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}


def llm(asked: int | None = 2006, answered: int | None = 300) -> dict[str, Any]:
    """Attributes of a call in OpenInference's names: no response id."""
    values = {
        "openinference.span.kind": "LLM", "llm.system": "openai", "llm.model_name": "gpt-4o-2024",
        "llm.token_count.prompt": asked, "llm.token_count.completion": answered,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}


def one(tag: str, values: dict[str, Any], scope: tuple[str, str | None], **how: Any) -> Row:
    return landed_span(tag, scope, values, **({"at_ms": 0, "ms": 100} | how))


def test_two_calls_with_equal_usage_and_two_response_ids_are_two(tmp_path: Path) -> None:
    found = told(tmp_path, [
        one("a", chat(response=LONG), GENAI, parent="p"),
        one("b", chat(response=OTHER), OPENLLMETRY, parent="p"),
    ])  # fmt: skip
    assert (len(found.operations), found.merged) == (2, [])


def test_a_call_inside_a_call_with_equal_usage_and_another_response_id_is_another(
    tmp_path: Path,
) -> None:
    found = told(tmp_path, [
        one("a", chat(response=LONG), GENAI),
        one("b", chat(response=OTHER), NATIVE, parent="a"),
    ])  # fmt: skip
    assert (len(found.operations), found.merged) == (2, [])


def test_a_wrapper_between_two_calls_belongs_to_the_inner_one_and_joins_them_not(
    tmp_path: Path,
) -> None:
    found = told(tmp_path, [
        one("a", chat(response=LONG), GENAI),
        one("b", llm(), OPENINFERENCE, parent="a"),
        one("c", chat(response=OTHER), NATIVE, parent="b"),
    ])  # fmt: skip
    assert {row["response_id"]: row["merged"] for row in found.operations} == {
        LONG: None, OTHER: span_id("b"),
    }  # fmt: skip


def test_calls_of_one_instrumentation_side_by_side_are_never_twins(tmp_path: Path) -> None:
    found = told(tmp_path, [one(name, llm(), OPENINFERENCE, parent="p") for name in "abc"])
    assert (len(found.operations), found.merged) == (3, [])


def test_a_retry_that_was_billed_twice_is_two_operations(tmp_path: Path) -> None:
    found = told(tmp_path, [
        one("w", llm(), OPENINFERENCE, ms=300),
        one("first", chat(response=LONG), NATIVE, parent="w", at_ms=10, ms=90),
        one("again", chat(response=OTHER), NATIVE, parent="w", at_ms=150, ms=100),
    ])  # fmt: skip
    merged = {row["response_id"]: row["merged"] for row in found.operations}
    assert merged == {LONG: None, OTHER: span_id("w")}
    assert found.tokens() == (2 * 2006, 2 * 300)


def test_gateway_client_and_server_tell_of_one_call(tmp_path: Path) -> None:
    served = {"k8s.pod.name": "llama-0", "k8s.namespace.name": "inference"}
    server = one(
        "server",
        {"gen_ai.usage.prompt_tokens": 2006, "gen_ai.usage.completion_tokens": 300,
         "gen_ai.response.model": "meta/llama-3.3-70b", "gen_ai.request.id": f"cmpl-{'ab' * 16}-0"},
        VLLM, parent="http", service="vllm", at_ms=20, ms=60, name="llm_request", kind=SERVER,
    )  # fmt: skip
    found = told(tmp_path, [
        one("client", chat(gen_ai__request__model="fast"), GENAI),
        one("post", {"http.request.method": "POST"}, APP, parent="client", at_ms=5, ms=90),
        one("proxy", chat(gen_ai__request__model="llama-3.3-70b"), LITELLM, parent="post",
            service="gateway", at_ms=10, ms=80, kind=SERVER),
        one("http", {"http.request.method": "POST"}, APP, parent="proxy", service="gateway",
            at_ms=15, ms=70),
        server | {"pod": served["k8s.pod.name"], "namespace": served["k8s.namespace.name"]},
    ])  # fmt: skip
    (row,) = found.operations
    assert row["response_id"] == f"cmpl-{'ab' * 16}"
    assert row["span_id"] == span_id("client")
    assert (row["serving_pod"], row["active_ms"]) == ("llama-0", 60)
    assert found.reasons() == ["same_usage_ancestor"] * 2


def test_a_gateway_says_whom_it_called(tmp_path: Path) -> None:
    """An OpenAI client names itself and the proxy's alias; the bill is Anthropic's."""
    upstream = {"gen_ai.provider.name": "anthropic", "gen_ai.response.model": "claude-sonnet-4-5"}
    found = told(tmp_path, [
        one("client", chat(gen_ai__request__model="fast", server__address="proxy"), GENAI),
        one("proxy", chat() | upstream, LITELLM, parent="client", service="gateway"),
    ])  # fmt: skip
    (row,) = found.operations
    assert row["span_id"] == span_id("client")
    assert (row["provider"], row["model"]) == ("anthropic", "claude-sonnet-4-5")


def test_what_the_best_telling_leaves_unsaid_its_twins_say(tmp_path: Path) -> None:
    bedrock = chat(7, 5, gen_ai__provider__name="aws.bedrock",
                   server__address="bedrock-runtime.eu-west-1.amazonaws.com")  # fmt: skip
    found = told(tmp_path, [
        one("wrap", llm(7, 5) | {"llm.system": ""}, OPENINFERENCE),
        one("call", bedrock, ("opentelemetry.instrumentation.bedrock", "0.62.4"), parent="wrap"),
    ])  # fmt: skip
    (row,) = found.operations
    assert row["span_id"] == span_id("wrap")
    assert (row["provider"], row["region"]) == ("aws.bedrock", "eu-west-1")


def test_agents_and_free_operations_are_listed_and_not_counted(tmp_path: Path) -> None:
    spans = [one("call", chat(response=LONG), GENAI, parent="agent")]
    free = {
        "agent": "invoke_agent", "flow": "invoke_workflow", "plan": "plan",
        "again": "fetch_response", "count": "count_tokens", "moderation": "litellm.moderation",
    }  # fmt: skip
    for name, operation in free.items():
        spans.append(one(name, chat(gen_ai__operation__name=operation), APP))
    spans.append(one("step", chat() | {"gen_ai.operation.name": ""}, APP))
    found = told(tmp_path, spans)
    assert found.tokens() == (2006, 300)
    assert {row["span_id"]: row["reason"] for row in found.merged} == {
        span_id("agent"): "roll_up", span_id("flow"): "roll_up", span_id("plan"): "roll_up",
        span_id("again"): "not_billed", span_id("count"): "not_billed",
        span_id("moderation"): "not_a_call", span_id("step"): "not_a_call",
    }  # fmt: skip
    assert {row["kept_operation_key"] for row in found.merged} == {None}


def test_a_long_response_id_is_one_call_across_traces_and_providers(tmp_path: Path) -> None:
    found = told(tmp_path, [
        one("client", chat(response=LONG), GENAI),
        one("proxy", chat(response=LONG, gen_ai__provider__name="anthropic"), LITELLM, trace=2),
        one("nameless", chat(response=LONG, gen_ai__provider__name=None), VLLM, trace=3),
    ])  # fmt: skip
    (row,) = found.operations
    assert row["operation_key"] == f"anthropic\x1f{LONG}"
    assert row["merged"] == " ".join(sorted(map(span_id, ("proxy", "nameless"))))


def test_a_short_response_id_of_two_providers_is_one_call_within_its_trace(tmp_path: Path) -> None:
    found = told(tmp_path, [
        one("a", chat(response="msg_1"), GENAI),
        one("b", chat(response="msg_1", gen_ai__provider__name="aws.bedrock"), NATIVE),
        one("c", chat(response="msg_1", gen_ai__provider__name="gcp.vertex_ai"), NATIVE, trace=2),
    ])  # fmt: skip
    assert {row["span_id"]: row["merged"] for row in found.operations} == {
        span_id("b"): span_id("a"), span_id("c"): None,
    }  # fmt: skip


def test_an_id_that_ollama_drew_from_a_thousand_names_no_call(tmp_path: Path) -> None:
    found = told(tmp_path, [
        one("a", chat(response="chatcmpl-417"), GENAI),
        one("b", chat(response="chatcmpl-417"), GENAI, trace=2),
        one("c", llm(), OPENINFERENCE, parent="a"),
    ])  # fmt: skip
    merged = {row["trace_id"][-1]: row["merged"] for row in found.operations}
    assert merged == {"1": span_id("c"), "2": None}


def test_parallel_calls_told_by_two_instrumentations_are_matched_one_to_one(tmp_path: Path) -> None:
    """One prompt asked five times at once; the second instrumentation knows no response id."""
    spans = []
    for number in range(5):
        at = {"at_ms": 3 * number, "ms": 500 - 40 * number, "parent": "p"}
        inner = {"at_ms": 3 * number + 1, "ms": 498 - 40 * number, "parent": "p"}
        spans.append(one(f"i{number}", llm(), OPENINFERENCE, **at))
        spans.append(one(f"g{number}", chat(response=f"{LONG}{number}"), GENAI, **inner))
    found = told(tmp_path, spans)
    assert {row["response_id"]: row["merged"] for row in found.operations} == {
        f"{LONG}{number}": span_id(f"i{number}") for number in range(5)
    }
    assert found.reasons() == ["same_usage_sibling"] * 5


def test_calls_one_after_the_other_are_no_twins(tmp_path: Path) -> None:
    found = told(tmp_path, [
        one("a", llm(), OPENINFERENCE, parent="p"),
        one("b", chat(response=LONG), GENAI, parent="p", at_ms=100),
    ])  # fmt: skip
    assert (len(found.operations), found.merged) == (2, [])


def test_a_stream_without_usage_is_one_unmetered_call_of_two_instrumentations(
    tmp_path: Path,
) -> None:
    found = told(tmp_path, [
        one("a", llm(None, None), OPENINFERENCE),
        one("b", chat(None, None, response=LONG), GENAI, parent="a"),
    ])  # fmt: skip
    (row,) = found.operations
    assert (row["metered"], row["uncached_input"], found.reasons()) == (
        False, None, ["unmetered_twin"],
    )  # fmt: skip


def test_a_stream_that_one_instrumentation_counts_wrong_has_the_others_count(
    tmp_path: Path,
) -> None:
    """OpenLLMetry adds the first event's tokens on Anthropic streams: 504 for 503."""
    found = told(tmp_path, [
        one("a", chat(2098, 503), ("openinference.instrumentation.anthropic", "3.1.0")),
        one("b", chat(2098, 504, response=LONG), OPENLLMETRY, parent="a", ms=99),
    ])  # fmt: skip
    (row,) = found.operations
    assert (row["visible_output"], row["response_id"]) == (503, LONG)
    assert [row["output_tokens"] for row in found.merged] == [504]


def test_a_poorer_count_that_ends_later_does_not_win(tmp_path: Path) -> None:
    spans = [
        one("native", chat(2098, 503, response=LONG), NATIVE),
        one("other", chat(2098, 504, response=LONG), OPENLLMETRY, ms=900),
    ]
    (row,) = told(tmp_path, spans).operations
    assert (row["span_id"], row["visible_output"]) == (span_id("native"), 503)


def test_usage_that_differs_is_another_call(tmp_path: Path) -> None:
    found = told(tmp_path, [
        one("a", llm(2006, 300), OPENINFERENCE),
        one("b", chat(2006, 301, response=LONG), GENAI, parent="a"),
    ])  # fmt: skip
    assert len(found.operations) == 2


def test_another_model_of_the_same_service_is_another_call(tmp_path: Path) -> None:
    values = chat(response=LONG, gen_ai__request__model="o3")
    found = told(tmp_path, [
        one("a", llm(), OPENINFERENCE), one("b", values, GENAI, parent="a"),
    ])  # fmt: skip
    assert len(found.operations) == 2


def test_a_ring_of_parents_ends(tmp_path: Path) -> None:
    found = told(tmp_path, [
        one("a", llm(), OPENINFERENCE, parent="s1"),
        one("b", llm(), OPENINFERENCE, parent="b"),
        one("s1", {}, APP, parent="s2"),
        one("s2", {}, APP, parent="s1"),
    ])  # fmt: skip
    assert len(found.operations) == 2


def test_a_span_that_came_three_times_is_listed_with_how_often_too_many(tmp_path: Path) -> None:
    call = one("a", chat(response=LONG), GENAI)
    found = told(tmp_path, [call, call, call])
    (row,) = found.merged
    assert (row["reason"], row["times"], row["input_tokens"]) == ("duplicate_delivery", 2, 2006)
    assert found.plane.rows["merged.duplicate_delivery"] == 1


def test_what_is_counted_and_what_is_listed_are_all_that_was_told(tmp_path: Path) -> None:
    """Every token of every span is on the one side or the other."""
    spans = [
        one("w", llm(), OPENINFERENCE),
        one("n", chat(response=LONG), GENAI, parent="w"),
        one("n", chat(response=LONG), GENAI, parent="w"),
        one("o", chat(7, 5, response=OTHER), GENAI),
        one("agent", chat(2013, 305, gen_ai__operation__name="invoke_agent"), APP),
    ]
    found = told(tmp_path, spans)
    listed = sum(row["times"] * row["input_tokens"] for row in found.merged)
    naive = sum(row["uncached_input"] or 0 for row in spans)
    assert found.tokens()[0] + listed == naive
    assert set(found.plane.rows) >= {f"merged.{reason}" for reason in REASONS}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (NATIVE, GENAI),
        (GENAI, OPENINFERENCE),
        (OPENINFERENCE, ("opentelemetry.instrumentation.openai.v1", "0.62.4")),
        (("opentelemetry.instrumentation.openai.v1", "0.62.4"),
         ("opentelemetry.instrumentation.openai", "0.33.12")),
        (GENAI, ("opentelemetry.instrumentation.openai_v2", "2.1b0")),
        (OPENLLMETRY, ("openinference.instrumentation.anthropic", "0.1.10")),
        (OPENLLMETRY, LITELLM),
        (LITELLM, VLLM),
    ],
)  # fmt: skip
def test_scopes_are_ranked_by_how_well_they_count(better: Any, worse: Any) -> None:
    first, second = scope_of(*better), scope_of(*worse)
    assert first is not None
    assert second is not None
    assert first.rank < second.rank


def test_every_rank_has_its_reason() -> None:
    assert all(scope.why for scope in SCOPES)
    assert scope_of("never heard of", "1.0") is None
    assert scope_of(None, None) is None
