"""A call that is seen twice: second instrumentations, gateways, agents that add up their calls.

Belongs here: which calls, and the text of each second span (facts of real spans: OpenLLMetry 0.62.4
is a sibling or a child and has the response id, OpenInference 0.1.66 and 3.1.0 wrap the call and
have none, a LiteLLM gateway is a client span of its own house). Does not: the first span
(``emitters``), what is lost (``faults``).

A second span tells the same call: same usage, same times, and what its house knows of who. A call
whose usage nobody saw, or whose context got lost, is seen once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from attribution_pipeline.simulator import emitters
from attribution_pipeline.simulator.company import MODELS, WORKFLOWS, Model
from attribution_pipeline.simulator.emitters import number, text
from attribution_pipeline.simulator.traffic import Chunk

SHARE, AGENTS_SHARE = 0.30, 0.50

SIBLING, CHILD, WRAPPING, GATEWAY = range(4)
"""Where the second span stands. WRAPPING has no response id; nor has any span of an embedding."""

_OPENINFERENCE = {"openai": 7, "anthropic": 8}
_GATEWAY_SCOPE = 9
_OTHER_EMITTER = {
    "genai.openai": "traceloop.openai", "traceloop.openai": "genai.openai",
    "genai.anthropic": "traceloop.anthropic", "traceloop.anthropic": "genai.anthropic",
    "anthropic.sdk": "traceloop.anthropic",
}  # fmt: skip


@dataclass(frozen=True)
class Second:
    """Second spans of a chunk. ``call`` and ``kind`` by second span; ``of_call``: -1 where none."""

    call: np.ndarray
    kind: np.ndarray
    of_call: np.ndarray
    ids: list[str]

    @property
    def by_gateway(self) -> np.ndarray:
        found: np.ndarray = self.kind == GATEWAY
        return found


def none(chunk: Chunk) -> Second:
    """A chunk that is seen once."""
    empty = np.zeros(0, dtype=np.int64)
    return Second(empty, empty, np.full(len(chunk.call_model), -1), [])


def second(chunk: Chunk, rng: np.random.Generator) -> Second:
    """Which calls of a chunk are seen twice, and how."""
    calls = len(chunk.call_model)
    picked = rng.random(calls) < SHARE
    kinds = rng.integers(0, 4, calls)
    chat = np.array([model.operation == "chat" for model in MODELS])[chunk.call_model]
    wrapped = np.array([model.provider in _OPENINFERENCE for model in MODELS])[chunk.call_model]
    kinds = np.where((kinds == WRAPPING) & ~wrapped, CHILD, kinds)
    kinds = np.where(chat, kinds, CHILD)
    call = np.flatnonzero(picked & ~chunk.unmetered & ~chunk.identity_lost)
    of_call = np.full(calls, -1)
    of_call[call] = np.arange(len(call))
    return Second(call, kinds[call], of_call, emitters.span_ids(rng, len(call)))


def wrap(found: Second, parents: Sequence[str]) -> list[str]:
    """``parents`` of the first spans, under the spans that wrap them."""
    wrapped = list(parents)
    for place in np.flatnonzero(found.kind == WRAPPING).tolist():
        wrapped[found.call[place]] = found.ids[place]
    return wrapped


def reaches_root(found: Second, client: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """By call: whether a span of it arrived from which parents lead up to the root. ``client`` and
    ``kept``: which first and second spans arrive."""
    broken, beside = np.zeros(len(client), dtype=bool), np.zeros(len(client), dtype=bool)
    wraps = found.kind == WRAPPING
    # under a wrapping span that is lost the first span hangs in the air
    broken[found.call[wraps & ~kept]] = True
    beside[found.call[kept & (wraps | (found.kind == SIBLING))]] = True
    reached: np.ndarray = (client & ~broken) | beside
    return reached


def scopes(chunk: Chunk, found: Second) -> np.ndarray:
    """By second span the number of its scope."""
    of_model = np.array([
        (_other_scope(model), _other_scope(model), _OPENINFERENCE.get(model.provider, -1),
         _GATEWAY_SCOPE)
        for model in MODELS
    ])  # fmt: skip
    chosen: np.ndarray = of_model[chunk.call_model[found.call], found.kind]
    return chosen


def _other_scope(model: Model) -> int:
    return emitters.SCOPE_OF[_OTHER_EMITTER[model.emitter]]


def texts(
    chunk: Chunk, found: Second, traces: Sequence[str], parents: Sequence[str],
    call_ids: Sequence[str], words: Sequence[str], envelopes: Sequence[str], links: Sequence[str],
) -> list[str]:  # fmt: skip
    """The second spans. ``words`` and ``envelopes`` by call, ``links`` by root, ``parents`` of the
    first spans before they were wrapped."""
    usage: dict[int, tuple[str, str]] = {}
    for place in np.unique(chunk.call_model[found.call]).tolist():
        rows = found.call[chunk.call_model[found.call] == place]
        model = MODELS[place]
        same = emitters.usage_texts(_as_seen_by_other(model), chunk.buckets[rows])
        wrapping = _openinference_usage(model, chunk.buckets[rows])
        usage |= dict(zip(rows.tolist(), zip(same, wrapping, strict=True), strict=True))
    out = []
    for place, (call, kind) in enumerate(
        zip(found.call.tolist(), found.kind.tolist(), strict=True)
    ):
        model, own = MODELS[chunk.call_model[call]], call_ids[call]
        parent = own if kind in (CHILD, GATEWAY) else parents[call]
        said = envelopes[call] if kind == GATEWAY else words[call]
        head, tail = _shape(model, kind)
        answer = f'{own}"}}}}' if kind != WRAPPING and model.operation == "chat" else ""
        out.append(
            f'{{"traceId":"{traces[call]}","spanId":"{found.ids[place]}","parentSpanId":"{parent}",'
            f'{links[chunk.call_root[call]]}{head}{int(chunk.call_start[call])}000000",'
            f'"endTimeUnixNano":"{int(chunk.call_end[call])}000000",{tail}{answer}{said}'
            f'{usage[call][kind == WRAPPING]}],"status":{{}}}}'
        )
    return out


def _as_seen_by_other(model: Model) -> Model:
    """The model as its second instrumentation reports usage."""
    return replace(
        model, emitter=_OTHER_EMITTER[model.emitter],
        cache_write="other" if model.cache_write else "",
    )  # fmt: skip


@cache
def _shape(model: Model, kind: int) -> tuple[str, str]:
    """(head up to the digits of the start, attributes up to the response id's last part)."""
    if kind == WRAPPING:
        name = "messages.create" if model.provider == "anthropic" else "ChatCompletion"
        said = [
            text("openinference.span.kind", "LLM"), text("llm.provider", model.provider),
            text("llm.system", model.provider), text("llm.model_name", model.name),
        ]  # fmt: skip
        return _head(name, 1), f'"attributes":[{",".join(said)}'
    other = _OTHER_EMITTER[model.emitter]
    name = f"{model.operation} {model.name}"
    if kind == GATEWAY:
        name = "litellm_request"
    elif other.startswith("traceloop"):
        name = f"{other.rpartition('.')[2]}.{model.operation}"
    return emitters.call_shape(model, name)


def _head(name: str, kind: int) -> str:
    return f'"flags":256,"name":"{name}","kind":{kind},"startTimeUnixNano":"'


def _openinference_usage(model: Model, buckets: np.ndarray) -> list[str]:
    prompt, answer = number("llm.token_count.prompt"), number("llm.token_count.completion")
    read = number("llm.token_count.prompt_details.cache_read")
    write = number("llm.token_count.prompt_details.cache_write")
    reads = any(kind == "cache_read" for kind, _ in model.prices)
    found = []
    for row in buckets.tolist():
        said = f',{prompt}{sum(row[:5])}"}}}},{answer}{sum(row[5:])}"}}}}'
        if reads:
            said += f',{read}{row[1]}"}}}}'
        if model.cache_write:
            said += f',{write}{sum(row[2:5])}"}}}}'
        found.append(said)
    return found


def sums(chunk: Chunk, rng: np.random.Generator) -> list[str]:
    """By root: the usage of all its calls, where an agent adds it up; else nothing."""
    roots = len(chunk.root_who)
    agents = np.array([workflow.agent is not None for workflow in WORKFLOWS])
    adds = agents[chunk.root_who % len(WORKFLOWS)] & (rng.random(roots) < AGENTS_SHARE)
    asked, answered = np.zeros(roots, dtype=np.int64), np.zeros(roots, dtype=np.int64)
    np.add.at(asked, chunk.call_root, chunk.buckets[:, :5].sum(axis=1))
    np.add.at(answered, chunk.call_root, chunk.buckets[:, 5:].sum(axis=1))
    first, last = number("gen_ai.usage.input_tokens"), number("gen_ai.usage.output_tokens")
    return [
        f',{first}{a}"}}}},{last}{b}"}}}}' if add else ""
        for add, a, b in zip(adds.tolist(), asked.tolist(), answered.tolist(), strict=True)
    ]
