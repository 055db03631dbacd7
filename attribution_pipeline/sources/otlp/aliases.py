"""The one table of names: which attribute of which emitter fills which column.

Belongs here: attribute names in order of precedence, and the vendors' many spellings of a
provider and an operation. Does not: arithmetic on counts (``usage``), whether an emitter's input
includes cached tokens (``emitters``).

Of the names of one column the first that is present wins; values are never added, since one
emitter may write two conventions on one span (LiteLLM stamps prompt_tokens and input_tokens).
Sources: OpenTelemetry GenAI conventions up to ``semantic-conventions-genai`` of 2026-11 and their
renames, OpenLLMetry, OpenInference, Langfuse, Pydantic AI, Sentry, Claude Code, vLLM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from attribution_pipeline.model.evidence import SPANS
from attribution_pipeline.model.ledger import WHO

COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
)
"""Counts as emitters report them, before they become disjoint buckets."""

WORKING = (
    *COUNTS,
    "usage_details",
    "request_id",
    "cloud_provider",
    "cloud_account",
    "cloud_region",
)
"""Values that a row needs while it is made and that do not land."""

COLUMNS: tuple[str, ...] = (*(name for name in SPANS.names if name != "object_id"), *WORKING)
INDEX: dict[str, int] = {name: place for place, name in enumerate(COLUMNS)}
LANDED_WIDTH = len(COLUMNS) - len(WORKING)


def _spellings(column: str) -> tuple[str, ...]:
    """``attribution.tenant_id``, ``attribution.tenant.id``, ``attribution.tenant.name``."""
    plain = f"attribution.{column}"
    if column.endswith("_id"):
        stem = f"attribution.{column[:-3]}"
        return plain, f"{stem}.id", f"{stem}.name"
    dotted = f"attribution.{column.replace('_', '.')}"
    return (plain,) if dotted == plain else (plain, dotted)


IDENTITY: dict[str, tuple[str, ...]] = {
    **{column: _spellings(column) for column in (*WHO, "originator_id")},
    "envelope": ("attribution.envelope",),
    "run_id": ("attribution.run_id", "attribution.run.id", "attribution.workflow.run_id"),
    "parent_issuance_id": ("attribution.parent_issuance_id",),
    "operation_id": ("attribution.operation_id", "attribution.operation.id"),
    "issuance_id": ("attribution.issuance_id", "attribution.issuance.id"),
}
"""Who: only what was said to us by name. No agent from gen_ai.agent.name, no environment from
deployment.environment.name; a policy's ``join.attributes`` may say so, this table never does."""

ATTEMPT = "attribution.attempt"
"""Counts from 1; OpenTelemetry's resend_count from 0 (``rows`` adds one)."""

SPAN_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    **IDENTITY,
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
    "operation_name": (
        "gen_ai.operation.name",
        "llm.request.type",  # OpenLLMetry
        "openinference.span.kind",
        "langfuse.observation.type",
    ),
    "model": (
        "gen_ai.response.model",
        "gen_ai.request.model",
        "llm.response.model_name",
        "llm.model_name",
        "llm.request.model_name",
        "llm.response.model",
        "llm.request.model",
        "embedding.model_name",
        "langfuse.observation.model.name",
    ),
    "response_id": ("gen_ai.response.id", "llm.response.id"),
    "request_id": ("gen_ai.request.id",),  # vLLM: the id that the client sees as the response's
    "server_address": ("server.address",),
    "error_type": ("error.type",),
    "attempt": (ATTEMPT, "http.request.resend_count"),
    "account": ("attribution.account_id", "attribution.account.id", "cloud.account.id"),
    "region": ("attribution.region", "cloud.region", "aws.region"),
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
        "input_tokens",  # Claude Code
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
        "output_tokens",
    ),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",  # OpenLLMetry up to 0.4x
        "gen_ai.usage.details.cache_read_tokens",  # Pydantic AI
        "gen_ai.usage.cache_read_tokens",
        "llm.token_count.prompt_details.cache_read",
        "gen_ai.usage.input_tokens.cached",  # Sentry
        "cache_read_tokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",  # its name until semantic-conventions-genai#440
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "llm.token_count.prompt_details.cache_write",
        "gen_ai.usage.input_tokens.cache_write",
        "cache_creation_tokens",
    ),
    # the two have different prices; only the Anthropic SDK itself tells them apart
    "cache_write_5m_tokens": ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens",),
    "cache_write_1h_tokens": ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",  # OpenLLMetry
        "llm.token_count.completion_details.reasoning",
        "gen_ai.usage.details.reasoning_tokens",
    ),
    "usage_details": ("langfuse.observation.usage_details",),
}

RESOURCE_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    **IDENTITY,
    "service_name": ("service.name",),
    "cluster": ("k8s.cluster.name",),
    "namespace": ("k8s.namespace.name",),
    "pod": ("k8s.pod.name",),
    "account": ("attribution.account_id", "attribution.account.id"),
    "region": ("attribution.region",),
    "cloud_provider": ("cloud.provider",),
    "cloud_account": ("cloud.account.id",),
    "cloud_region": ("cloud.region",),
}
"""A span's own value wins over its resource's where both tables fill a column."""

PROVIDERS: dict[str, str] = {
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google": "gcp.gen_ai",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "watsonx": "ibm.watsonx.ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "xai": "x_ai",
}
"""Folded spelling to gen_ai.provider.name. Anything else keeps its own name, folded."""

OPERATIONS: dict[str, str | None] = {
    "completion": "text_completion",  # llm.request.type
    "embedding": "embeddings",  # llm.request.type, openinference.span.kind
    "llm": "chat",  # openinference.span.kind
    "generation": "chat",  # langfuse.observation.type
    "agent": "invoke_agent",
    "tool": "execute_tool",
    "retriever": "retrieval",
    # LiteLLM's call types, as its legacy mapper stamps them on llm.request.type; "a" is async
    "acompletion": "chat",
    "atext_completion": "text_completion",
    "aembedding": "embeddings",
    "responses": "chat",
    "aresponses": "chat",
    "anthropic_messages": "chat",
    "chain": None,  # a step of a program, not an operation on a model
    "span": None,
    "unknown": None,
}
"""Folded kind of older conventions to gen_ai.operation.name. Anything else is its own name."""

CALLS = frozenset({"chat", "generate_content", "text_completion", "embeddings"})
"""What a vendor bills. Agent, workflow and plan spans may carry rolled-up usage (v1.41), and
fetch_response and count_tokens are free: counting any of those counts twice."""

CLAUDE_CODE_CALL = "claude_code.llm_request"
"""Claude Code names its span and no operation."""

VLLM_CALL = "llm_request"
"""vLLM's server span; a call only where it carries usage or a request id, the name is common."""

_VLLM_ID = re.compile(r"((?:chat)?cmpl-[0-9a-f]{32})(?:-\d+)?(?:-[0-9a-f]{8})?")
"""A response's id, the number of the prompt in its batch, and the server's own suffix (vLLM:
``request_id_item = f"{request_id}-{i}"``, and random internal ids since late 2025)."""


class Slot(NamedTuple):
    """Where the value of one attribute goes."""

    column: int
    rank: int  # the lower wins
    is_text: bool
    kept: bool  # the policy wants it in ``attributes`` too


NOWHERE = len(COLUMNS)
"""Column of an attribute that is only kept: one beyond the row, never written."""

UNSET_RANK = 99
_NEVER_RANK = -1


@lru_cache(maxsize=16)
def span_slots(keep: frozenset[str]) -> dict[str, Slot]:
    """Attribute name of a span to its slot."""
    return _slots(SPAN_ATTRIBUTES, keep)


@lru_cache(maxsize=16)
def resource_slots(keep: frozenset[str]) -> dict[str, Slot]:
    """Attribute name of a resource to its slot."""
    return _slots(RESOURCE_ATTRIBUTES, keep)


def unset_ranks() -> list[int]:
    """Ranks before any attribute was seen; nothing beats the one of ``NOWHERE``."""
    return [*([UNSET_RANK] * len(COLUMNS)), _NEVER_RANK]


def _slots(table: dict[str, tuple[str, ...]], keep: Iterable[str]) -> dict[str, Slot]:
    numbers = {*COUNTS, "attempt"}
    slots = {
        key: Slot(INDEX[column], rank, column not in numbers, False)
        for column, keys in table.items()
        for rank, key in enumerate(keys)
    }
    for key in keep:
        found = slots.get(key, Slot(NOWHERE, UNSET_RANK, True, True))
        slots[key] = found._replace(kept=True)
    return slots


def provider_name(spelled: str) -> str:
    """gen_ai.provider.name of any emitter's spelling."""
    folded = spelled.strip().lower()
    return PROVIDERS.get(folded, folded)


def vllm_response_id(request_id: str) -> str:
    """The id that the client sees, of the one that the server counts prompts by."""
    found = _VLLM_ID.fullmatch(request_id)
    return found.group(1) if found else request_id


def operation_name(spelled: str) -> str | None:
    """gen_ai.operation.name of any convention's word; None for a word that is no operation."""
    folded = spelled.strip().lower()
    return OPERATIONS.get(folded, folded)
