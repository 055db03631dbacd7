"""Which spans tell of one call (page 20, "Spans"; docs/decisions/0011), slowly and one by one.

Belongs here: duplicates, response ids, calls around, inside and beside each other. Does not: what
the spans of a call give to its operation (``operations``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from attribution_pipeline.model.tokens import INPUT_BUCKETS
from attribution_pipeline_tests.oracle.words import Record

SERVER = 2
SEPARATOR = "\x1f"
LONG_ID = 16
DEEPEST = 128

Name = tuple[str, str]
"""(trace, span)."""


class Emitter(NamedTuple):
    """What is known of a scope that worlds use."""

    family: str
    rank: int
    exact: bool = True
    gateway: bool = False


EMITTERS = {
    "com.anthropic.sdk.python": Emitter("com.anthropic.sdk.python", 10),
    "opentelemetry.instrumentation.genai.anthropic": Emitter(
        "opentelemetry.instrumentation.genai.anthropic", 20
    ),
    "openinference.instrumentation.anthropic": Emitter(
        "openinference.instrumentation.anthropic", 50
    ),
    "opentelemetry.instrumentation.anthropic": Emitter("openllmetry", 62, exact=False),
    "opentelemetry.instrumentation.openai.v1": Emitter("openllmetry", 60),
    "litellm": Emitter("litellm", 75, gateway=True),
    "vllm.otlp": Emitter("vllm.otlp", 95),
}


def emitter(span: Record) -> Emitter:
    unlisted = Emitter(span["scope_name"] or "", 90 if span["kind"] == SERVER else 40)
    return EMITTERS.get(span["scope_name"], unlisted)


class Tie(NamedTuple):
    """Another span that tells of the same call: how doubtful, and where it lies."""

    doubt: int  # 0 one response id, 1 one usage, 2 one of them has none
    toward: int  # 0 inside, 1 beside, 2 around
    other: Name


def each_once(spans: Iterable[Record]) -> dict[Name, Record]:
    """Every span, of several deliveries the one that ended last."""
    once: dict[Name, Record] = {}
    for span in spans:
        name = _name(span)
        if name not in once or _later(span) > _later(once[name]):
            once[name] = span
    return once


def calls_told(once: dict[Name, Record]) -> dict[str, list[Record]]:
    """Spans of billable calls by the key of their call."""
    keys = _response_keys([span for span in once.values() if span["is_call"]])
    traces: dict[str, dict[Name, Record]] = {}
    for name, span in once.items():
        traces.setdefault(name[0], {})[name] = span
    found: dict[str, list[Record]] = {}
    for trace in traces.values():
        for name, key in _keys_of_trace(trace, keys).items():
            found.setdefault(key, []).append(once[name])
    return found


def _name(span: Record) -> Name:
    return span["trace_id"], span["span_id"]


def _later(span: Record) -> tuple[int, str]:
    content = {name: value for name, value in span.items() if name not in ("object_id", "position")}
    return span["end_unix_nano"], json.dumps(content, sort_keys=True, default=str)


def is_named(span: Record) -> bool:
    """Whether its response id names one call; Ollama's are drawn from a thousand."""
    found = span["response_id"]
    return found is not None and not (found.startswith("chatcmpl-") and len(found) <= 12)


def _response_keys(calls: Sequence[Record]) -> dict[Name, str]:
    """Keys of named calls. A long id is one call's whatever its provider is called, a short one's
    within its trace: the smallest of the providers' names stands."""
    keys = {}
    for span in calls:
        if not is_named(span):
            continue
        long = len(span["response_id"]) >= LONG_ID
        alike = [
            other["provider"]
            for other in calls
            if other["response_id"] == span["response_id"]
            and (long or other["trace_id"] == span["trace_id"])
        ]
        provider = min((name for name in alike if name is not None), default="")
        keys[_name(span)] = provider + SEPARATOR + span["response_id"]
    return keys


def _keys_of_trace(trace: dict[Name, Record], keys: dict[Name, str]) -> dict[Name, str]:
    calls = {name: span for name, span in trace.items() if span["is_call"]}
    ties = _ties(trace, calls)
    found = {name: keys[name] for name in calls if name in keys}
    while True:
        step = {}
        for name in calls:
            if name in found:
                continue
            offers = [tie for tie in ties[name] if tie.other in found]
            if offers:
                best = min(
                    offers,
                    key=lambda tie: (
                        tie.doubt, tie.toward, -calls[tie.other]["end_unix_nano"],
                        found[tie.other], tie.other,
                    ),
                )  # fmt: skip
                step[name] = found[best.other]
        if not step:
            break
        found |= step
    for name in calls:
        if name not in found:
            together = _together(name, ties, set(found))
            smallest = min(":".join(one) for one in together)
            found |= dict.fromkeys(together, smallest)
    return found


def _together(name: Name, ties: dict[Name, list[Tie]], others: set[Name]) -> list[Name]:
    seen, waiting = {name}, [name]
    while waiting:
        for tie in ties[waiting.pop()]:
            if tie.other not in seen and tie.other not in others:
                seen.add(tie.other)
                waiting.append(tie.other)
    return list(seen)


def _ties(trace: dict[Name, Record], calls: dict[Name, Record]) -> dict[Name, list[Tie]]:
    ties: dict[Name, list[Tie]] = {name: [] for name in calls}
    inside: dict[tuple[Name, str], list[tuple[Any, ...]]] = {}
    for name, span in calls.items():
        outer = _call_around(span, trace)
        if outer is None:
            continue
        doubt = _doubt(calls[outer], span, nested=True)
        if doubt is not None:
            order = (doubt, -span["end_unix_nano"], -span["start_unix_nano"], span["span_id"])
            inside.setdefault((outer, _recorder(span)), []).append((*order, name))
    for (outer, _), offers in inside.items():
        doubt, *_, name = min(offers)
        ties[outer].append(Tie(doubt, 0, name))
        ties[name].append(Tie(doubt, 2, outer))
    beside = _beside(calls)
    for name, offers in beside.items():
        for other, doubt in offers.items():
            if name in beside.get(other, {}):
                ties[name].append(Tie(doubt, 1, other))
    return ties


def _call_around(span: Record, trace: dict[Name, Record]) -> Name | None:
    """The nearest call above, at most so many spans up."""
    at = span["parent_span_id"]
    for _ in range(DEEPEST):
        above = trace.get((span["trace_id"], at)) if at is not None else None
        if above is None:
            return None
        if above["is_call"]:
            return None if above is span else _name(above)
        at = above["parent_span_id"]
    return None


def _beside(calls: dict[Name, Record]) -> dict[Name, dict[Name, int]]:
    """For each call its nearest neighbour of every other instrumentation, under the same parent."""
    rows: dict[str, list[Record]] = {}
    for span in calls.values():
        if span["parent_span_id"] is not None:
            rows.setdefault(span["parent_span_id"], []).append(span)
    offers: dict[tuple[Name, str], list[tuple[Any, ...]]] = {}
    for row in rows.values():
        row.sort(key=lambda s: (s["start_unix_nano"], -s["end_unix_nano"], s["span_id"]))
        for a, b in pairwise(row):
            doubt = _doubt(a, b, nested=False)
            if doubt is None or emitter(a).family == emitter(b).family or not _at_once(a, b):
                continue
            apart = sum(abs(a[end] - b[end]) for end in ("start_unix_nano", "end_unix_nano"))
            for one, other in ((a, b), (b, a)):
                offers.setdefault((_name(one), emitter(other).family), []).append(
                    (doubt, apart, other["span_id"], _name(other))
                )
    nearest: dict[Name, dict[Name, int]] = {}
    for (name, _), found in offers.items():
        doubt, _, _, other = min(found)
        nearest.setdefault(name, {})[other] = doubt
    return nearest


def _at_once(a: Record, b: Record) -> bool:
    """Nine tenths of the shorter one are within the longer one."""
    from_ns = max(a["start_unix_nano"], b["start_unix_nano"])
    to_ns = min(a["end_unix_nano"], b["end_unix_nano"])
    shorter = min(s["end_unix_nano"] - s["start_unix_nano"] for s in (a, b))
    return to_ns >= from_ns and (to_ns - from_ns) * 10 >= shorter * 9


def _recorder(span: Record) -> str:
    """Who wrote a span: an instrumentation, in a service, on the caller's or the server's side."""
    side = "server" if span["kind"] == SERVER else "caller"
    return SEPARATOR.join((emitter(span).family, span["service_name"] or "", side))


def _doubt(a: Record, b: Record, *, nested: bool) -> int | None:
    """How doubtful it is that two spans tell of one call; None where they tell of two.

    ``a`` lies around ``b``, or begins before it.
    """
    ids = a["response_id"], b["response_id"]
    if None not in ids and ids[0] != ids[1]:
        return None
    if not _models_agree(a, b) and not (
        nested and (a["service_name"] or "") != (b["service_name"] or "")
    ):
        return None
    if is_named(a) and ids[0] == ids[1]:
        return 0
    if not (a["metered"] and b["metered"]):
        return 2 if _recorder(a) != _recorder(b) else None
    return 1 if _usage_agrees(a, b) else None


def _models_agree(a: Record, b: Record) -> bool:
    if a["model"] is None or b["model"] is None:
        return True
    one, other = a["model"].lower(), b["model"].lower()
    return one in other or other in one


def _asked(span: Record) -> int | None:
    counts = [span[bucket] for bucket in INPUT_BUCKETS]
    return None if None in counts else sum(counts)


def _usage_agrees(a: Record, b: Record) -> bool:
    apart = _recorder(a) != _recorder(b)
    if _asked(a) is not None and _asked(b) is not None:
        if _asked(a) != _asked(b):
            return False
    elif a["uncached_input"] is None or a["uncached_input"] != b["uncached_input"] or not apart:
        return False
    if _answered(a) == _answered(b):
        return True
    return apart and not (emitter(a).exact and emitter(b).exact)


def _answered(span: Record) -> int | None:
    if span["visible_output"] is None:
        return None
    return int(span["visible_output"]) + (span["reasoning"] or 0)
