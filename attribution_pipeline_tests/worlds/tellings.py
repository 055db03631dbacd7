"""Crowded little traces: a few spans each, alike in everything that decides whether they are one call.

Belongs here: spans alone, as landed rows. Does not: a bill or a policy, which ``world`` has.
"""

from __future__ import annotations

from typing import Any

from attribution_pipeline.model.tokens import BUCKETS
from attribution_pipeline_tests.worlds.dice import Dice
from attribution_pipeline_tests.worlds.retold import IDS, SCOPES

MS = 10**6
USAGES: tuple[tuple[int | None, ...], ...] = (
    (50, 1800, 148, 100, 0, 503, 0),
    (50, 1800, 0, 0, 248, 503, 0),
    (2098, 0, 0, 0, 0, 503, 0),
    (2098, 0, 0, 0, 0, 504, 0),
    (50, None, None, None, None, 503, 0),
    (50, None, None, None, None, 375, 128),
    (7, 0, 0, 0, 0, None, None),
    (None, None, None, None, None, 503, 0),
)
MODELS = ("claude", "claude", "Claude-2026", "o3", None)
LONG_IDS = ("msg_01AbCdEfGhIjKlMnOp", "msg_01QrStUvWxYzAbCdEf")


def spans(seed: int, traces: int, start_ns: int) -> list[dict[str, Any]]:
    """Rows of the landed spans' columns, the named ones; all within a few seconds."""
    dice = Dice(seed)
    return [span for trace in range(1, traces + 1) for span in _trace(dice, trace, start_ns)]


def _trace(dice: Dice, trace: int, start_ns: int) -> list[dict[str, Any]]:
    names = [f"{trace:08x}{number:08x}" for number in range(dice.randint(2, 9))]
    # most traces are told by few instrumentations, of few calls
    scopes = [dice.pick(SCOPES) for _ in range(dice.randint(1, 3))]
    usages = [dice.pick(USAGES) for _ in range(dice.randint(1, 2))]
    ids = [None, None, None, *(f"{dice.pick(LONG_IDS)}{trace}" for _ in range(2))]
    if dice.chance(0.1):
        ids += [*IDS, *LONG_IDS]
    found: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        start = start_ns + dice.pick((0, 0, 1, 5, 10, 50)) * MS
        usage = dice.pick(usages) if dice.chance(0.8) else (None,) * len(BUCKETS)
        is_call = dice.chance(0.85)
        found.append(
            dict(zip(BUCKETS, usage, strict=True))
            | {
                "source": "traces", "object_id": "t", "position": len(found),
                "trace_id": f"{trace:032x}", "span_id": name,
                "parent_span_id": dice.pick((None, "f" * 16, "f" * 16, *names[:number] * 2)),
                "kind": dice.pick((1, 2, 3, 3)),
                "start_unix_nano": start,
                "end_unix_nano": start + dice.pick((0, 10, 11, 40, 49, 50, 100)) * MS,
                "scope_name": dice.pick(scopes), "scope_version": "1.0",
                "service_name": dice.pick(("app", "app", "app", "gateway", None)),
                "pod": dice.pick((None, "a", "b")),
                "account": dice.pick((None, "payer")),
                "region": dice.pick((None, None, "eu", "us")),
                "server_address": dice.pick((None, "api.vendor", "gateway:4000")),
                "provider": dice.pick(("anthropic", "anthropic", "aws.bedrock", None)),
                "operation_name": "chat" if is_call else None,
                "model": dice.pick(MODELS),
                "response_id": dice.pick(ids) if is_call else None,
                "is_call": is_call,
                "metered": usage[0] is not None or usage[5] is not None,
            }
        )  # fmt: skip
    if dice.chance(0.05):  # a ring
        found[0]["parent_span_id"] = names[-1]
    return found
