"""Calls told a second time: by another instrumentation, a gateway, an agent around them.

Belongs here: further spans of made-up calls, and calls that share a trace. Does not: the calls
themselves (``calls``), which of them are one (the engine's and the oracle's business).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from attribution_pipeline.model.tokens import BUCKETS
from attribution_pipeline_tests.worlds.dice import Dice

Call = list[dict[str, Any]]

SCOPES = (
    "instrumentation", "com.anthropic.sdk.python", "opentelemetry.instrumentation.genai.anthropic",
    "openinference.instrumentation.anthropic", "opentelemetry.instrumentation.anthropic",
    "opentelemetry.instrumentation.openai.v1", "litellm", "vllm.otlp", None,
)  # fmt: skip
FREE = ("invoke_agent", "fetch_response", "count_tokens", "litellm.moderation", None)
IDS = ("chatcmpl-7", "chatcmpl-8", "msg_01AbCdEfGhIjKlMnOp", "r-1")
"""Ollama's, a long one, a short one: calls may share them."""

MS = 10**6


def retold(calls: list[Call]) -> list[Call]:
    """The same calls, some of them with more spans. Dice of their own: other worlds stay as they are."""
    if not calls:
        return calls
    dice = Dice(int(calls[0][0]["trace_id"], 16))
    share = dice.pick((0, 0, 0.2, 0.7))
    if not share or len(calls) > 100:
        return calls
    together = dice.chance(0.6)
    for before, call in pairwise(calls):
        if together and dice.chance(0.4):
            _join_trace(dice, before, call)
    return [_told_again(dice, call) if dice.chance(share) else call for call in calls]


def _join_trace(dice: Dice, before: Call, call: Call) -> None:
    """The next call of one program: beside the one before or inside it, with the same tokens at times."""
    first = before[0]
    same = dice.chance(0.5)
    parent = dice.pick((first["span_id"], first["parent_span_id"], "f" * 16))
    for span in call:
        span |= {"trace_id": first["trace_id"], "parent_span_id": parent}
        if same:
            span |= {name: first[name] for name in (*BUCKETS, "model", "metered")}
        if dice.chance(0.3):
            span |= {name: first[name] for name in ("start_unix_nano", "end_unix_nano")}


def _told_again(dice: Dice, call: Call) -> Call:
    found = list(call)
    for span in found:
        span["scope_name"] = dice.pick(SCOPES)
        if dice.chance(0.2):
            span["response_id"] = dice.pick((None, *IDS))
    for _ in range(dice.pick((1, 1, 2, 3))):
        found += _second(dice, dice.pick(found))
    if dice.chance(0.3):
        found.append(_free(dice, found[0]))
    return found


def _second(dice: Dice, span: dict[str, Any]) -> Call:
    """Another telling, around, inside or beside the span; now and then with a step between them."""
    inset = dice.pick((0, MS, 2 * MS))
    middle = span["end_unix_nano"] - span["start_unix_nano"] > 2 * inset
    other = span | {
        "span_id": f"{dice.randrange(1, 2**60):016x}",
        "scope_name": dice.pick(SCOPES),
        "service_name": dice.pick(("app", "app", "gateway")),
        "kind": dice.pick((1, 2, 3, 3)),
        "response_id": dice.pick((span["response_id"], span["response_id"], None, None, *IDS)),
        "model": dice.pick((span["model"],) * 4 + (None, "Claude-2026", "other")),
        "start_unix_nano": span["start_unix_nano"] + (inset if middle else 0),
        "end_unix_nano": span["end_unix_nano"] - (inset if middle else 0),
        "is_call": True,
    } | _usage(dice, span)  # fmt: skip
    if dice.chance(0.1):
        other["provider"] = dice.pick((None, "openai"))
    where = dice.pick(("inside", "inside", "around", "beside", "beside", "anywhere"))
    if where == "inside":
        other["parent_span_id"] = span["span_id"]
    elif where == "around":
        other["parent_span_id"] = span["parent_span_id"]
        span["parent_span_id"] = other["span_id"]
    elif where == "beside" and span["parent_span_id"] is None:
        span["parent_span_id"] = other["parent_span_id"] = "e" * 16
    if where != "inside" or dice.chance(0.7):
        return [other]
    step = span | {
        "span_id": f"{dice.randrange(1, 2**60):016x}", "parent_span_id": span["span_id"],
        "is_call": False, "metered": False, "operation_name": None, **dict.fromkeys(BUCKETS),
    }  # fmt: skip
    other["parent_span_id"] = step["span_id"]
    return [step, other]


def _usage(dice: Dice, span: dict[str, Any]) -> dict[str, Any]:
    how = dice.pick(("same", "same", "same", "none", "one more", "split otherwise", "cache unsaid"))
    if how == "none" or not span["metered"]:
        return {"metered": False, **dict.fromkeys(BUCKETS)}
    if how == "one more":
        return {"visible_output": (span["visible_output"] or 0) + 1}
    if how == "split otherwise" and None not in [span[bucket] for bucket in BUCKETS[:5]]:
        whole = sum(span[bucket] for bucket in BUCKETS[:5])
        return dict.fromkeys(BUCKETS[:5], 0) | {"uncached_input": whole}
    if how == "cache unsaid":
        return dict.fromkeys(BUCKETS[1:5])
    return {}


def _free(dice: Dice, span: dict[str, Any]) -> dict[str, Any]:
    """Usage around a call that no vendor bills."""
    other = span | {
        "span_id": f"{dice.randrange(1, 2**60):016x}", "operation_name": dice.pick(FREE),
        "is_call": False, "response_id": None,
    }  # fmt: skip
    if span["parent_span_id"] is None:
        span["parent_span_id"] = other["span_id"]
    return other
