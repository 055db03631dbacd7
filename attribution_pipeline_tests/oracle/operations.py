"""From spans to the operations of a day (page 10, "Operations and pods"; page 20, "Spans").

Belongs here: duplicates, twins, which span speaks for an operation, its interval and pods.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.tokens import BUCKETS
from attribution_pipeline_tests.oracle.words import Evidence, Operation, PodName, Record, Who

INTERNAL, SERVER, CLIENT = 1, 2, 3
NS_PER_MS = 1_000_000
DAY_MS = 86_400_000


def operations_of(
    evidence: Evidence, aliases: Mapping[str, list[str]], tenants: Mapping[str, str]
) -> list[Operation]:
    """Every operation that the spans show, whatever its day."""
    once: dict[tuple[str, str], Record] = {}
    for span in evidence.of("spans"):
        if not span["is_call"]:
            continue
        name = (span["trace_id"], span["span_id"])
        if name not in once or _later(span) > _later(once[name]):
            once[name] = span
    twins: dict[tuple[str, ...], list[Record]] = {}
    for span in once.values():
        twins.setdefault(operation_key(span), []).append(span)
    return [_merged(key, spans, aliases, tenants) for key, spans in twins.items()]


def operation_key(span: Record) -> tuple[str, ...]:
    if span["provider"] is not None and span["response_id"] is not None:
        return ("response", span["provider"], span["response_id"])
    return ("span", span["trace_id"], span["span_id"])


def _later(span: Record) -> tuple[int, str]:
    content = {name: value for name, value in span.items() if name not in ("object_id", "position")}
    return span["end_unix_nano"], json.dumps(content, sort_keys=True, default=str)


def _rank(span: Record) -> tuple[Any, ...]:
    """Smallest speaks: metered, then client, others, server, then latest end, then lowest id."""
    by_kind = {CLIENT: 0, SERVER: 2}.get(span["kind"], 1)
    return (
        not span["metered"],
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


def _merged(
    key: tuple[str, ...],
    spans: list[Record],
    aliases: Mapping[str, list[str]],
    tenants: Mapping[str, str],
) -> Operation:
    ranked = sorted(spans, key=_rank)
    best = ranked[0]
    server = next((span for span in ranked if span["kind"] == SERVER), None)
    caller = next((span for span in ranked if span["kind"] != SERVER), None)
    whose = [who_of(span, aliases, tenants) for span in ranked]
    active = server or best
    return Operation(
        key=key,
        trace_id=best["trace_id"],
        span_id=best["span_id"],
        end_ns=best["end_unix_nano"],
        active_from_ns=active["start_unix_nano"],
        active_to_ns=active["end_unix_nano"],
        provider=best["provider"],
        model=best["model"],
        operation_name=best["operation_name"],
        account=best["account"],
        region=best["region"],
        server_address=best["server_address"],
        metered=bool(best["metered"]),
        counted=adjusted_count(best["sampling_threshold"]),
        tokens={bucket: best[bucket] or 0 for bucket in BUCKETS},
        who=next((who for who in whose if who[WHO.index("tenant_id")] is not None), whose[0]),
        caller=_pod(caller),
        server=_pod(server),
    )


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
