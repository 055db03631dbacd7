"""Emitters and versions that were not recorded, from the facts of them: alone, and beside another.

Fixtures made by hand after facts/otel.md, "Normalisation table". Each tells of the same call as the
recorded ones: Anthropic 50 uncached + 1800 read + 248 written / 503, OpenAI 2006 (1920 cached) / 300
(128 of them reasoning).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline_tests.attribution.spans import Row, landed_span, span_id, told

NATIVE = ("com.anthropic.sdk.python", "2.12.0")
GENAI = ("opentelemetry.instrumentation.genai.openai", "1.3b0")
MESSAGE = "msg_01AbCdEfGhIjKlMnOpQrStUv"
COMPLETION = "chatcmpl-BxYzAbCdEfGhIjKlMnOpQrStUv"
ANTHROPIC = (50, 1800, 148, 100, 0, 503, 0)
OPENAI = (86, 1920, 0, 0, 0, 172, 128)
SERVER = 2

ANTHROPIC_BESIDE = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.response.id": MESSAGE,
    "gen_ai.usage.input_tokens": 2098, "gen_ai.usage.output_tokens": 503,
    "gen_ai.usage.cache_read.input_tokens": 1800, "gen_ai.usage.cache_write.input_tokens": 248,
    "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 148,
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 100,
}  # fmt: skip
OPENAI_BESIDE = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18", "gen_ai.response.id": COMPLETION,
    "gen_ai.usage.input_tokens": 2006, "gen_ai.usage.output_tokens": 300,
    "gen_ai.usage.cache_read.input_tokens": 1920, "gen_ai.usage.reasoning.output_tokens": 128,
}  # fmt: skip


@dataclass(frozen=True)
class Emitter:
    """One telling of the call. ``alone``: its buckets where nothing else tells of it."""

    scope: tuple[str, str | None]
    values: dict[str, Any]
    alone: tuple[int | None, ...] | None
    vendor: str = "anthropic"
    name: str = "call"
    kind: int = 1


UNMETERED = None
EMITTERS: dict[str, Emitter] = {
    "OpenLLMetry anthropic 0.33.12": Emitter(
        ("opentelemetry.instrumentation.anthropic", "0.33.12"),
        {"gen_ai.system": "Anthropic", "llm.request.type": "completion",
         "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.prompt_tokens": 2098,
         "gen_ai.usage.completion_tokens": 503, "llm.usage.total_tokens": 2601},
        (2098, 0, 0, 0, 0, 503, 0), kind=3,
    ),
    "OpenLLMetry anthropic 0.33.12, a stream": Emitter(
        ("opentelemetry.instrumentation.anthropic", "0.33.12"),
        {"gen_ai.system": "Anthropic", "llm.request.type": "completion",
         "gen_ai.request.model": "claude-sonnet-4-5"},
        UNMETERED, kind=3,
    ),
    "OpenLLMetry openai 0.33.12, a stream": Emitter(
        ("opentelemetry.instrumentation.openai.v1", "0.33.12"),
        {"gen_ai.system": "OpenAI", "llm.request.type": "chat",
         "gen_ai.request.model": "gpt-4o-mini"},
        UNMETERED, vendor="openai", kind=3,
    ),
    "OpenTelemetry openai-v2 2.1b0": Emitter(
        ("opentelemetry.instrumentation.openai_v2", "2.1b0"),
        {"gen_ai.system": "openai", "gen_ai.operation.name": "chat",
         "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 2006,
         "gen_ai.usage.output_tokens": 300},
        (2006, 0, 0, 0, 0, 300, 0), vendor="openai", kind=3,
    ),
    "OpenInference anthropic 0.1.10": Emitter(
        ("openinference.instrumentation.anthropic", "0.1.10"),
        {"openinference.span.kind": "LLM", "llm.model_name": "claude-sonnet-4-5",
         "llm.token_count.prompt": 50, "llm.token_count.completion": 503},
        (50, None, None, None, None, 503, 0),
    ),
    "Langfuse, anthropic": Emitter(
        ("langfuse-sdk", "3.3.0"),
        {"langfuse.observation.type": "generation",
         "langfuse.observation.model.name": "claude-sonnet-4-5",
         "langfuse.observation.usage_details": json.dumps(
             {"input": 50, "input_cached_tokens": 1800, "input_cache_creation": 248, "output": 503}
         )},
        (50, 1800, 0, 0, 248, 503, 0),
    ),
    "Langfuse, openai": Emitter(
        ("langfuse-sdk", "3.3.0"),
        {"langfuse.observation.type": "generation",
         "langfuse.observation.model.name": "gpt-4o-mini",
         "langfuse.observation.usage_details": json.dumps(
             {"input": 86, "input_cached_tokens": 1920, "output": 172,
              "output_reasoning_tokens": 128}
         )},
        OPENAI, vendor="openai",
    ),
    "Pydantic AI": Emitter(
        ("pydantic-ai", "2.68.0"),
        {"gen_ai.operation.name": "chat", "gen_ai.system": "openai",
         "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 2006,
         "gen_ai.usage.output_tokens": 300, "gen_ai.usage.details.cache_read_tokens": 1920,
         "gen_ai.usage.details.reasoning_tokens": 128, "operation.cost": 0.00041},
        OPENAI, vendor="openai",
    ),
    "Claude Code": Emitter(
        ("com.anthropic.claude_code.tracing", "2.1.0"),
        {"gen_ai.system": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5",
         "input_tokens": 50, "output_tokens": 503, "cache_read_tokens": 1800,
         "cache_creation_tokens": 248},
        (50, 1800, 0, 0, 248, 503, 0), name="claude_code.llm_request",
    ),
    "LiteLLM, two conventions on one span": Emitter(
        ("litellm", None),
        {"llm.request.type": "acompletion", "gen_ai.system": "openai",
         "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.prompt_tokens": 2006,
         "gen_ai.usage.input_tokens": 2006, "llm.usage.prompt_tokens": 2006,
         "gen_ai.usage.completion_tokens": 300, "gen_ai.usage.output_tokens": 300,
         "gen_ai.usage.cache_read.input_tokens": 1920, "gen_ai.usage.reasoning_tokens": 128,
         "litellm.cost.total": 0.00041},
        OPENAI, vendor="openai",
    ),
    "vLLM": Emitter(
        ("vllm.llm_engine", None),
        {"gen_ai.request.id": f"{COMPLETION}", "gen_ai.usage.prompt_tokens": 2006,
         "gen_ai.usage.completion_tokens": 300, "gen_ai.response.model": "gpt-4o-mini"},
        (2006, 0, 0, 0, 0, 300, 0), vendor="openai", name="llm_request", kind=SERVER,
    ),
}  # fmt: skip

BESIDE: dict[str, tuple[tuple[str, str], dict[str, Any], tuple[int, ...]]] = {
    "anthropic": (NATIVE, ANTHROPIC_BESIDE, ANTHROPIC),
    "openai": (GENAI, OPENAI_BESIDE, OPENAI),
}
"""A recorded emitter of the vendor, its attributes, and the true buckets."""


def telling(emitter: Emitter, **how: Any) -> Row:
    return landed_span(
        "old", emitter.scope, emitter.values, name=emitter.name, kind=emitter.kind,
        **({"at_ms": 0, "ms": 100} | how),
    )  # fmt: skip


@pytest.mark.parametrize("emitter", EMITTERS.values(), ids=EMITTERS)
def test_an_older_emitter_alone_is_one_call(emitter: Emitter, tmp_path: Path) -> None:
    found = told(tmp_path, [telling(emitter)])
    (row,) = found.operations
    assert row["metered"] == (emitter.alone is not None)
    assert found.buckets() == ([] if emitter.alone is None else [emitter.alone])
    assert found.merged == []


def around(old: Callable[..., Row], new: Callable[..., Row]) -> list[Row]:
    return [old(), new(parent="old", at_ms=1, ms=98)]


def inside(old: Callable[..., Row], new: Callable[..., Row]) -> list[Row]:
    return [new(), old(parent="new", at_ms=1, ms=98)]


def beside(old: Callable[..., Row], new: Callable[..., Row]) -> list[Row]:
    return [old(parent="app"), new(parent="app", at_ms=1, ms=98)]


@pytest.mark.parametrize("topology", [around, inside, beside])
@pytest.mark.parametrize("emitter", EMITTERS.values(), ids=EMITTERS)
def test_an_older_emitter_beside_a_newer_one_is_the_newers_call(
    emitter: Emitter, topology: Callable[..., list[Row]], tmp_path: Path
) -> None:
    scope, values, true = BESIDE[emitter.vendor]

    def old(**how: Any) -> Row:
        return telling(emitter, **how)

    def new(**how: Any) -> Row:
        return landed_span("new", scope, values, **({"at_ms": 0, "ms": 100} | how))

    found = told(tmp_path, topology(old, new))
    assert found.buckets() == [true]
    (row,) = found.operations
    assert (row["merged"], row["emitter"]) == (span_id("old"), " ".join(scope))


def test_an_agent_of_pydantic_ai_rolls_its_calls_up_and_is_not_counted(tmp_path: Path) -> None:
    chat = EMITTERS["Pydantic AI"]
    twice = {"gen_ai.usage.input_tokens": 4012, "gen_ai.usage.output_tokens": 600}
    found = told(tmp_path, [
        landed_span("agent", chat.scope, chat.values | twice | {
            "gen_ai.operation.name": "invoke_agent"}, at_ms=0, ms=300, kind=1),
        landed_span("one", chat.scope, chat.values, at_ms=0, ms=90, parent="agent"),
        landed_span("two", chat.scope, chat.values, at_ms=100, ms=90, parent="agent"),
    ])  # fmt: skip
    assert found.tokens() == (4012, 600)
    assert found.reasons() == ["roll_up"]


def test_a_proxy_of_litellm_that_writes_its_span_twice_is_one_call(tmp_path: Path) -> None:
    """Since 1.81 the proxy's request span carries what its inner span carries."""
    proxy = EMITTERS["LiteLLM, two conventions on one span"]
    found = told(tmp_path, [
        landed_span("proxy", proxy.scope, proxy.values, at_ms=0, ms=100, kind=SERVER),
        landed_span("inner", proxy.scope, proxy.values, at_ms=1, ms=98, parent="proxy", kind=1),
    ])  # fmt: skip
    assert found.buckets() == [OPENAI]
    assert found.reasons() == ["same_usage_ancestor"]


@pytest.mark.parametrize(
    ("request_id", "response_id"),
    [
        (f"cmpl-{'0f' * 16}-0", f"cmpl-{'0f' * 16}"),
        (f"cmpl-{'0f' * 16}-11", f"cmpl-{'0f' * 16}"),
        (f"chatcmpl-{'0f' * 16}-1a2b3c4d", f"chatcmpl-{'0f' * 16}"),
        (f"cmpl-{'0f' * 16}-3-1a2b3c4d", f"cmpl-{'0f' * 16}"),
        ("cmpl-of-our-own-0", "cmpl-of-our-own-0"),
    ],
)
def test_the_id_of_a_vllm_request_is_the_one_that_its_client_sees(
    request_id: str, response_id: str
) -> None:
    row = landed_span(
        "s", ("vllm.llm_engine", None), {"gen_ai.request.id": request_id}, at_ms=0, ms=1,
        name="llm_request", kind=SERVER,
    )  # fmt: skip
    assert (row["is_call"], row["response_id"]) == (True, response_id)
