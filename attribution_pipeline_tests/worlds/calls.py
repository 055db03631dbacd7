"""Spans of made-up calls: twins, duplicates, midnight, missing tenants, unknown pods."""

from __future__ import annotations

import json
from typing import Any

from attribution_pipeline.model.tokens import BUCKETS
from attribution_pipeline_tests.worlds.dice import Dice
from attribution_pipeline_tests.worlds.names import MODELS, PROVIDERS, Setting, instant, landed
from attribution_pipeline_tests.worlds.retold import retold

CLIENT, SERVER, INTERNAL, PRODUCER = 3, 2, 1, 4
NS = 10**9
MS = 10**6
ALIAS = "app.tenant"
"""An attribute that the policy may read the tenant from."""

Pods = list[tuple[str, str, str]]
"""(cluster, namespace, pod)."""


def spans(setting: Setting, pods: Pods, services: list[str]) -> list[dict[str, Any]]:
    """All spans of a world. ``services``: addresses of model servers that emit no server span."""
    dice = setting.dice
    many = dice.pick((0, 1, 2, 3, 5, 8, 12, 20, 40))
    if dice.chance(0.02):
        many = 1500
    routes = dice.pick(("all", "all", "some", "none"))
    tokens = dice.pick((1, 10, 1000, 400_000, 400_000, 2 * 10**7))
    calls: list[list[dict[str, Any]]] = []
    sampled = dice.pick((None,) * 9 + ("8", "c"))  # one of two, one of four is kept
    for number in range(many):
        call = _call(setting, number, pods, services, routes, tokens)
        if sampled is not None and dice.chance(0.7):
            call = [span | {"sampling_threshold": sampled} for span in call]
        calls.append(call)
    found = [span for call in retold(calls) for span in call]
    found += [dict(span) for span in dice.some(found, 0.05)]  # delivered twice
    for span in dice.some(found, 0.03):  # delivered again, ended later
        found.append(span | {"end_unix_nano": span["end_unix_nano"] + dice.randint(1, 3 * NS)})
    dice.shuffle(found)
    return [span | {"position": position} for position, span in enumerate(found, start=1)]


def _interval(setting: Setting) -> tuple[int, int]:
    """Start and end in ns: on the day, over one of its midnights, or on a neighbour."""
    dice = setting.dice
    midnight = round(instant(setting.day).timestamp()) * NS
    length = dice.pick(
        (0, 1, 999_999, MS, NS, 10 * NS, 10 * NS, 30 * NS, 86_400 * NS, 200_000 * NS)
    )
    length = dice.pick((length, length, dice.randint(0, 100 * NS)))
    where = dice.random()
    if where < 0.75:
        start = midnight + dice.randrange(86_400) * NS + dice.pick((0, 1, 500_000))
    elif where < 0.85:
        start = midnight - length // 2
    elif where < 0.93:
        start = midnight + 86_400 * NS - length // dice.pick((1, 2))
    else:
        start = midnight + dice.pick((-1, 1)) * 86_400 * NS + dice.randrange(80_000) * NS
    return start, start + length


def _counts(dice: Dice, largest: int) -> dict[str, int | None]:
    counts: dict[str, int | None] = dict.fromkeys(BUCKETS, 0)
    for bucket in dice.some(BUCKETS, 0.5):
        counts[bucket] = dice.weight(largest)
    if dice.chance(0.1):
        counts["reasoning"] = None
    return counts


def _call(
    setting: Setting, number: int, pods: Pods, services: list[str], routes: str, tokens: int
) -> list[dict[str, Any]]:
    dice = setting.dice
    start, end = _interval(setting)
    trace = f"{dice.randrange(1, 2**60):032x}"
    provider, model = dice.pick(PROVIDERS), dice.pick(MODELS)
    routed = {"all": 1.0, "some": 0.7, "none": 0.0}[routes]
    shared = {
        "provider": provider,
        "model": dice.maybe(model, 0.97),
        "operation_name": dice.pick(("chat", "chat", "embeddings")),
        "response_id": dice.maybe(f"resp-{number}", 0.7),
        "server_address": dice.maybe(dice.pick(services), 0.5) if services else None,
        "account": dice.maybe(dice.pick([s or a for s in setting.sub_accounts
                                         for a in setting.accounts]), routed),
        "region": dice.maybe(dice.pick([r or "eu" for r in setting.regions]), routed),
        **_counts(dice, tokens),
    }  # fmt: skip
    who = setting.who()
    kinds = dice.pick(([CLIENT], [CLIENT], [SERVER], [CLIENT, SERVER], [CLIENT, SERVER],
                       [INTERNAL], [CLIENT, INTERNAL], [CLIENT, SERVER, SERVER],
                       [PRODUCER, CLIENT]))  # fmt: skip
    found = []
    for position, kind in enumerate(kinds):
        inner = dice.randint(0, max(0, (end - start) // 4)) if position else 0
        values = dict(shared)
        if dice.chance(0.08):
            values |= _counts(dice, tokens)  # a twin that counted otherwise
        metered = dice.chance(0.9)
        if not metered:
            values |= dict.fromkeys(BUCKETS)
        named = dict(who)
        if dice.chance(0.15):
            named = setting.who() if dice.chance(0.3) else dict.fromkeys(who)
        attributes = None
        if dice.chance(0.2):
            attributes = json.dumps({ALIAS: setting.tenant(0) or "acme"})
        found.append(
            landed(
                "spans", "traces",
                trace_id=trace,
                span_id=f"{dice.randrange(1, 2**60):016x}",
                span_name=f"call {number}",
                kind=kind,
                start_unix_nano=start + inner,
                end_unix_nano=end - (dice.randint(0, inner) if inner else 0),
                scope_name="instrumentation", scope_version="1.0",
                service_name="app",
                is_call=not dice.chance(0.04),
                metered=metered,
                attributes=attributes,
                **values, **named, **_pod(dice, pods),
            )
        )  # fmt: skip
    if len(found) > 1 and dice.chance(0.2):  # two of them alike in everything that ranks
        found[1]["end_unix_nano"] = found[0]["end_unix_nano"]
    return found


def _pod(dice: Dice, pods: Pods) -> dict[str, str | None]:
    if not pods or dice.chance(0.1):
        return {"cluster": None, "namespace": None, "pod": None}
    cluster, namespace, pod = dice.pick(pods)
    if dice.chance(0.05):
        pod = "gone-1"
    return {"cluster": dice.maybe(cluster, 0.9), "namespace": namespace, "pod": pod}
