"""Spans as text: what each emitter writes about a call, as OTLP/JSON fragments.

Belongs here: attribute names and shapes of the emitters (facts of real spans: OpenTelemetry genai
1.3b0, OpenLLMetry 0.62.4, Anthropic SDK 2.12.0). Does not: which calls there are (``traffic``),
documents and objects (``objects``). Text is built by joining prepared pieces: a span costs a few
microseconds, and a day may have ten million.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import orjson

from attribution_pipeline.simulator.company import (
    MODELS,
    TENANT_ALIAS_ATTRIBUTE,
    WHO_COUNT,
    WORKFLOWS,
    WORKLOAD,
    WORKLOADS,
    Model,
    originator_of,
    who_columns,
)

if TYPE_CHECKING:
    import numpy as np

    from attribution_pipeline.simulator.traffic import Chunk

SCOPES: tuple[tuple[str, str], ...] = (
    ("app", "1.0"),
    ("opentelemetry.instrumentation.genai.openai", "1.3b0"),
    ("opentelemetry.instrumentation.genai.anthropic", "1.3b0"),
    ("opentelemetry.instrumentation.openai.v1", "0.62.4"),
    ("opentelemetry.instrumentation.anthropic", "0.62.4"),
    ("com.anthropic.sdk.python", "2.12.0"),
    ("vllm.otlp", "0.11.0"),
    ("openinference.instrumentation.openai", "0.1.66"),
    ("openinference.instrumentation.anthropic", "3.1.0"),
    ("litellm", "1.109.0"),
)
APP_SCOPE, SERVER_SCOPE = 0, 6
SCOPE_OF = {
    "genai.openai": 1, "genai.anthropic": 2, "traceloop.openai": 3, "traceloop.anthropic": 4,
    "anthropic.sdk": 5,
}  # fmt: skip
SCOPE_OF_MODEL = tuple(SCOPE_OF[model.emitter] for model in MODELS)

_CACHE_WRITE_NAMES = {
    "traceloop.anthropic": "gen_ai.usage.cache_creation.input_tokens",
    "traceloop.openai": "gen_ai.usage.cache_creation.input_tokens",
}
_REASONING_NAMES = {"traceloop.openai": "gen_ai.usage.reasoning_tokens"}
_TOOLS = ("execute_tool web_search", "execute_tool sql", "GET", "POST /embed", "redis GET")


_END = '"}}'
"""What closes a string or int attribute."""


def text(key: str, value: str) -> str:
    """One string attribute."""
    return f'{{"key":{_quoted(key)},"value":{{"stringValue":{_quoted(value)}}}}}'


def number(key: str) -> str:
    """One int attribute up to its digits; ``"}}`` must follow them. OTLP/JSON: ints are strings."""
    return f'{{"key":{_quoted(key)},"value":{{"intValue":"'


def _quoted(value: str) -> str:
    return orjson.dumps(value).decode()


@cache
def who_texts() -> tuple[str, ...]:
    """Attributes of every who, each with a comma in front, in the style of its workload."""
    found = []
    for who in range(WHO_COUNT):
        style = WORKLOADS[WORKLOAD[WORKFLOWS[who % len(WORKFLOWS)].workload]].style
        said = []
        for column, value in who_columns(who).items():
            name = f"attribution.{column}"
            if style == "dotted":
                name = name.removesuffix("_id") + ".id" if column.endswith("_id") else name
            if style == "alias" and column == "tenant_id":
                name = TENANT_ALIAS_ATTRIBUTE
            said.append("," + text(name, value))
        if originator := originator_of(who):
            said.append("," + text("attribution.originator_id", originator))
        found.append("".join(said))
    return tuple(found)


@cache
def _call_shapes() -> tuple[tuple[str, str], ...]:
    return tuple(
        call_shape(model, _NAMES.get(model.emitter, f"{model.operation} {model.name}"))
        for model in MODELS
    )


_NAMES = {
    "anthropic.sdk": "anthropic.messages.create",
    "traceloop.anthropic": "anthropic.chat",
    "traceloop.openai": "openai.chat",
}
_ID_PREFIXES = {"anthropic": "msg_01", "aws.bedrock": "msg_bdrk_01", "vllm": "cmpl-"}


def call_shape(model: Model, name: str) -> tuple[str, str]:
    """A CLIENT span of a model's call: from the flags to the digits of its start, and its
    attributes up to the value of the response id, where it has one."""
    said = [
        text("gen_ai.operation.name", model.operation),
        text("gen_ai.provider.name", model.provider),
        text("gen_ai.request.model", model.name),
        text("gen_ai.response.model", model.name),
        text("server.address", model.address),
        number("server.port") + '443"}}',
    ]
    response = ""
    if model.operation == "chat":
        prefix = _ID_PREFIXES.get(model.provider, "chatcmpl-")
        response = "," + text("gen_ai.response.id", prefix)[: -len(_END)]
    head = f'"flags":256,"name":{_quoted(name)},"kind":3,"startTimeUnixNano":"'
    return head, f'"attributes":[{",".join(said)}{response}'


def span_ids(rng: np.random.Generator, count: int) -> list[str]:
    """16 hex digits each."""
    digits = rng.bytes(8 * count).hex()
    return [digits[i : i + 16] for i in range(0, 16 * count, 16)]


def trace_ids(rng: np.random.Generator, count: int) -> list[str]:
    """32 hex digits each."""
    digits = rng.bytes(16 * count).hex()
    return [digits[i : i + 32] for i in range(0, 32 * count, 32)]


def usage_texts(model: Model, buckets: np.ndarray) -> list[str]:
    """Usage attributes of calls of one model, each with a comma in front. Input includes cached."""
    asked = "," + number("gen_ai.usage.input_tokens")
    inputs = buckets[:, :5].sum(axis=1).tolist()
    if model.operation == "embeddings":
        return [f'{asked}{n}"}}}}' for n in inputs]
    answered = number("gen_ai.usage.output_tokens")
    outputs = buckets[:, 5:].sum(axis=1).tolist()
    texts = [f'{asked}{i}"}}}},{answered}{o}"}}}}' for i, o in zip(inputs, outputs, strict=True)]
    read = "," + number("gen_ai.usage.cache_read.input_tokens")
    if any(kind == "cache_read" for kind, _ in model.prices):
        texts = [f'{t}{read}{n}"}}}}' for t, n in zip(texts, buckets[:, 1].tolist(), strict=True)]
    if model.cache_write:
        name = _CACHE_WRITE_NAMES.get(model.emitter, "gen_ai.usage.cache_write.input_tokens")
        texts = _with(texts, name, buckets[:, 2:5].sum(axis=1))
    if model.cache_write == "split":
        made = "anthropic.usage.cache_creation.ephemeral_"
        texts = _with(texts, made + "5m_input_tokens", buckets[:, 2])
        texts = _with(texts, made + "1h_input_tokens", buckets[:, 3])
    if model.reasoning:
        name = _REASONING_NAMES.get(model.emitter, "gen_ai.usage.reasoning.output_tokens")
        texts = _with(texts, name, buckets[:, 6])
    return texts


def _with(texts: list[str], name: str, counts: np.ndarray) -> list[str]:
    said = "," + number(name)
    return [f'{t}{said}{n}"}}}}' for t, n in zip(texts, counts.tolist(), strict=True)]


def call_usage(chunk: Chunk) -> list[str]:
    """Usage attributes of every call, empty for an unmetered one."""
    import numpy as np

    found = [""] * len(chunk.call_model)
    for place, model in enumerate(MODELS):
        rows = np.flatnonzero((chunk.call_model == place) & ~chunk.unmetered)
        if len(rows):
            for row, usage in zip(
                rows.tolist(), usage_texts(model, chunk.buckets[rows]), strict=True
            ):
                found[row] = usage
    return found


def client_spans(
    chunk: Chunk, traces: Sequence[str], parents: Sequence[str], ids: Sequence[str],
    usage: Sequence[str], words: Sequence[str], links: Sequence[str],
) -> list[str]:  # fmt: skip
    """One CLIENT span for each call. ``words``: by call what it says of who; ``links``: by root."""
    heads = [head for head, _ in _call_shapes()]
    tails = [tail for _, tail in _call_shapes()]
    # an embeddings span has no response id
    chat = [model.operation == "chat" for model in MODELS]
    return [
        f'{{"traceId":"{t}","spanId":"{s}","parentSpanId":"{p}",{links[r]}{heads[m]}{a}000000",'
        f'"endTimeUnixNano":"{b}000000",{tails[m]}{s + _END if chat[m] else ""}'
        f'{w}{u}],"status":{{}}}}'
        for t, s, p, r, m, a, b, w, u in zip(
            traces, ids, parents, chunk.call_root.tolist(), chunk.call_model.tolist(),
            chunk.call_start.tolist(), chunk.call_end.tolist(), words, usage, strict=True,
        )
    ]  # fmt: skip


def server_spans(
    chunk: Chunk, rows: Sequence[int], traces: Sequence[str], ids: Sequence[str],
    callers: Sequence[str], usage: Sequence[str],
) -> list[str]:  # fmt: skip
    """One SERVER span for each self-hosted call in ``rows``: the client span is its parent."""
    said = []
    for model in MODELS:
        attributes = ",".join((
            text("gen_ai.operation.name", model.operation),
            text("gen_ai.provider.name", model.provider),
            text("gen_ai.request.model", model.name),
            text("gen_ai.response.model", model.name),
        ))  # fmt: skip
        response = text("gen_ai.response.id", _ID_PREFIXES.get(model.provider, "x-"))[: -len(_END)]
        said.append(f'"attributes":[{attributes},{response}')
    models, starts, ends = chunk.call_model, chunk.served_start, chunk.served_end
    return [
        f'{{"traceId":"{traces[r]}","spanId":"{s}","parentSpanId":"{callers[r]}","flags":768,'
        f'"name":"llm_request","kind":2,"startTimeUnixNano":"{a}000000",'
        f'"endTimeUnixNano":"{b}000000",{said[m]}{callers[r]}"}}}}{usage[r]}],"status":{{}}}}'
        for r, s, m, a, b in zip(
            rows,
            ids,
            models[rows].tolist(),
            starts[rows].tolist(),
            ends[rows].tolist(),
            strict=True,
        )
    ]


@cache
def _root_heads() -> tuple[str, ...]:
    found = []
    for workflow in WORKFLOWS:
        if workflow.agent:
            name, kind = f"invoke_agent {workflow.agent}", 1
            said = (
                text("gen_ai.operation.name", "invoke_agent")
                + ","
                + text("gen_ai.agent.name", workflow.agent)
            )
        else:
            name, kind = f"POST /v1/{workflow.feature}", 2
            said = text("http.request.method", "POST")
        found.append(f'"name":{_quoted(name)},"kind":{kind},"attributes":[{said}')
    return tuple(found)


_CONSUMER_HEAD = (
    '"name":"process requests-retry","kind":5,"attributes":['
    + text("messaging.operation.type", "process")
    + ","
    + text("messaging.destination.name", "requests-retry")
)


def root_spans(
    chunk: Chunk, traces: Sequence[str], ids: Sequence[str], words: Sequence[str],
    links: Sequence[str], sums: Sequence[str],
) -> list[str]:  # fmt: skip
    """One span for each request: an agent, the http server, or (with a link) a queue's consumer.

    ``words``: by root what it says of who; ``sums``: usage that an agent adds up over its calls.
    """
    heads = _root_heads()
    return [
        f'{{"traceId":"{t}","spanId":"{s}","parentSpanId":"","flags":256,{k}'
        f'{_CONSUMER_HEAD if k else heads[w % len(heads)]}{said}{usage}],'
        f'"startTimeUnixNano":"{a}000000","endTimeUnixNano":"{b}000000","status":{{}}}}'
        for t, s, w, a, b, said, k, usage in zip(
            traces, ids, chunk.root_who.tolist(), chunk.root_start.tolist(),
            chunk.root_end.tolist(), words, links, sums, strict=True,
        )
    ]  # fmt: skip


@cache
def _tool_heads() -> tuple[str, ...]:
    found = []
    for name in _TOOLS:
        tool = name.startswith("execute_tool")
        said = text("gen_ai.operation.name", "execute_tool") if tool else text("peer.service", "db")
        found.append(f'"name":{_quoted(name)},"kind":{1 if tool else 3},"attributes":[{said}],')
    return tuple(found)


def tool_spans(
    chunk: Chunk, traces: Sequence[str], roots: Sequence[str], ids: Sequence[str]
) -> list[str]:
    """Spans inside a request that are no model call: nothing in them is billed."""
    heads = _tool_heads()
    kinds = len(heads)
    return [
        f'{{"traceId":"{traces[r]}","spanId":"{s}","parentSpanId":"{roots[r]}","flags":256,'
        f'{heads[a % kinds]}"startTimeUnixNano":"{a}000000","endTimeUnixNano":"{b}000000",'
        f'"status":{{}}}}'
        for r, s, a, b in zip(
            chunk.tool_root.tolist(), ids, chunk.tool_start.tolist(), chunk.tool_end.tolist(),
            strict=True,
        )
    ]  # fmt: skip
