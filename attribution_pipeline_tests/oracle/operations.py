"""From spans to the operations of a day (page 10, "Operations and pods"; page 20, "Spans").

Belongs here: which span speaks for an operation, its interval and pods. Does not: which spans tell
of one call (``twins``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.policy import Policy
from attribution_pipeline.model.tokens import BUCKETS
from attribution_pipeline_tests.oracle.identity import Answer, Ladder
from attribution_pipeline_tests.oracle.twins import calls_told, each_once, emitter
from attribution_pipeline_tests.oracle.words import Evidence, Operation, PodName, Record, Who

INTERNAL, SERVER, CLIENT = 1, 2, 3
NS_PER_MS = 1_000_000
DAY_MS = 86_400_000


def operations_of(evidence: Evidence, policy: Policy) -> list[Operation]:
    """Every operation that the spans show, whatever its day."""
    once = each_once(evidence.of("spans"))
    ladder = Ladder(once, policy, evidence.keys)
    found = []
    for key, spans in calls_told(once).items():
        ranked = sorted(spans, key=_rank)
        found.append(_merged(key, ranked, ladder.answer(ranked)))
    return found


def _rank(span: Record) -> tuple[Any, ...]:
    """Smallest speaks: metered, then who counts best, then client, others, server, then latest end,
    then lowest id."""
    by_kind = {CLIENT: 0, SERVER: 2}.get(span["kind"], 1)
    return (
        not span["metered"],
        emitter(span).rank,
        by_kind,
        -span["end_unix_nano"],
        span["trace_id"],
        span["span_id"],
    )


def who_of(record: Record, aliases: Mapping[str, list[str]], tenants: Mapping[str, str]) -> Who:
    """The who-columns of a record: its own, else the first alias that its attributes hold."""
    attributes = json.loads(record.get("attributes") or "{}")
    values = []
    for column in WHO:
        value = record.get(column)
        for alias in aliases.get(column, []):
            if value is None:
                value = attributes.get(alias)
        values.append(None if value is None else str(value))
    tenant = values[WHO.index("tenant_id")]
    if tenant is not None:
        values[WHO.index("tenant_id")] = tenants.get(tenant, tenant)
    return tuple(values)


def _pod(span: Record | None) -> PodName | None:
    if span is None or span["pod"] is None:
        return None
    return PodName(span["cluster"], span["namespace"], span["pod"])


def _merged(key: str, ranked: list[Record], answer: Answer) -> Operation:
    best = ranked[0]
    servers = [span for span in ranked if span["kind"] == SERVER]
    # a model server before a gateway
    server = min(servers, key=lambda span: emitter(span).gateway) if servers else None
    caller = next((span for span in ranked if span["kind"] != SERVER), None)
    active = server or best
    route = _route(ranked)
    return Operation(
        key=(key,),
        trace_id=best["trace_id"],
        span_id=best["span_id"],
        end_ns=best["end_unix_nano"],
        active_from_ns=active["start_unix_nano"],
        active_to_ns=active["end_unix_nano"],
        provider=route["provider"],
        model=route["model"],
        operation_name=best["operation_name"],
        account=route["account"],
        region=route["region"],
        server_address=route["server_address"],
        metered=bool(best["metered"]),
        counted=adjusted_count(best["sampling_threshold"]),
        tokens={bucket: best[bucket] or 0 for bucket in BUCKETS},
        who=answer.who,
        source=answer.source,
        verdict=answer.verdict,
        unverified=answer.unverified,
        caller=_pod(caller),
        server=_pod(server),
        merged=" ".join(sorted(span["span_id"] for span in ranked[1:])) or None,
    )


def _route(ranked: list[Record]) -> dict[str, str | None]:
    """Whom the call went to, column by column: a gateway that names another provider than the best
    span, then the best span, then the others."""
    provider = ranked[0]["provider"]
    gateways = [
        span
        for span in ranked
        if emitter(span).gateway and None not in (provider, span["provider"])
        and span["provider"] != provider
    ]  # fmt: skip
    found: dict[str, str | None] = {}
    for column in ("provider", "model", "account", "region", "server_address"):
        words = [span[column] for span in gateways + ranked if span[column] is not None]
        found[column] = words[0] if words else None
    return found


def adjusted_count(threshold: str | None) -> int:
    """OpenTelemetry, TraceState ``ot=th``: of 2**56 draws those below the threshold were dropped."""
    rejected = int((threshold or "0").ljust(14, "0"), 16)
    assert 2**56 % (2**56 - rejected) == 0, "the oracle is given whole counts only"
    return 2**56 // (2**56 - rejected)


def ends_on(operation: Operation, day: date) -> bool:
    return operation.end_ns // NS_PER_MS // DAY_MS == _day_number(day)


def active_ms(operation: Operation, day: date) -> int:
    """Milliseconds of its active interval that fall on the day."""
    midnight = _day_number(day) * DAY_MS
    from_ms = max(operation.active_from_ns // NS_PER_MS, midnight)
    to_ms = min(operation.active_to_ns // NS_PER_MS, midnight + DAY_MS)
    return max(0, to_ms - from_ms)


def _day_number(day: date) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return (midnight - datetime(1970, 1, 1, tzinfo=UTC)).days
