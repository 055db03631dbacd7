"""The ledger's shape: columns, their order, and what identifies a row.

Belongs here: names and grains of the published tables. Does not: how rows come about
(``attribution``) or where they are kept (``lake``).
"""

from __future__ import annotations

import pyarrow as pa

from attribution_pipeline.model.tokens import BUCKETS

WHO: tuple[str, ...] = (
    "tenant_id",
    "consumer_id",
    "principal_id",
    "project",
    "workflow_id",
    "task",
    "feature",
    "agent",
    "prompt_version",
    "environment",
)
"""Who caused a cost. Null where unknown, never invented. Each column splits rows."""

COMPONENTS = ("direct", "workload", "shared", "idle", "overhead")
LEGS = ("own", "open", "idle", "spread")
BASES = ("operations", "workload", "tag", "driver", "none")
CONFIDENCES = ("metered", "allocated", "estimated", "unallocated")
SURFACES = (
    "model_inference", "embeddings", "kubernetes", "vector_database", "storage", "network",
    "observability", "evaluation", "tool", "platform", "other",
)  # fmt: skip
REASONS = (
    "telemetry_gap", "rounding", "unmetered", "no_operation_evidence", "identity_missing",
    "identity_unverified", "no_driver", "unmatched_charge", "unmounted", "unused_commitment",
    "quarantined", "outside_range", "held",
)  # fmt: skip

EARLIER = "outside_range"
"""The reason of charges from before the ledger's first day, which are booked on it (design page 10, "The
charge-day"). Their money is in the ledger and in every sum of it. It is of other days: no part of a rate,
a mean, a share, an anomaly or a forecast, which ask ``of_its_day`` or ``is_earlier``, and shown apart."""


def is_earlier(reason: str | None) -> bool:
    """Whether a row with this ``unallocated_reason`` is of a day before the one that it stands on."""
    return reason == EARLIER


def of_its_day(table: str = "") -> str:
    """SQL: the rows that are of the day that they stand on, ``is_earlier`` turned round. ``table``: its
    name in the query, where there are several."""
    column = f"{table}.unallocated_reason" if table else "unallocated_reason"
    return f"({column} is null or {column} <> '{EARLIER}')"


IDENTITY: tuple[str, ...] = (
    "charge_date",
    "charge_id",
    "component",
    "leg",
    *WHO,
    "operation_name",
    "model",
    "token_kind",
    "unallocated_reason",
)
"""What ``attribution_id`` is a digest of. A meter's rest row carries ``open`` for its reason."""

_MONEY = pa.decimal128(38, 12)
_INSTANT = pa.timestamp("us", tz="UTC")


def _text(*names: str) -> list[pa.Field]:
    return [pa.field(name, pa.string()) for name in names]


LEDGER = pa.schema(
    [
        *_text("attribution_id"),
        pa.field("charge_date", pa.date32()),
        *_text("charge_id"),
        pa.field("billing_period", pa.date32()),
        *_text(
            "provider",
            "service",
            "billing_account_id",
            "sub_account_id",
            "resource_id",
            "region",
            "charge_category",
            "charge_class",
            "surface",
            "component",
            "leg",
            "basis",
            *WHO,
            "team",
            "cost_center",
            "operation_name",
            "model",
            "token_kind",
        ),
        pa.field("billed_cost", _MONEY),
        pa.field("effective_cost", _MONEY),
        *_text("billing_currency", "pool", "method", "driver"),
        # integers as text would not sum; quantities of every driver are whole numbers
        pa.field("driver_quantity", pa.decimal128(38, 0)),
        pa.field("driver_total", pa.decimal128(38, 0)),
        *_text("driver_unit", "confidence", "unallocated_reason", "settlement"),
        *_text("policy_id"),
        pa.field("policy_version", pa.int32()),
        *_text("policy_digest", "kernel"),
        pa.field("revision", pa.int32()),
        pa.field("first_recorded_at", _INSTANT),
        pa.field("recorded_at", _INSTANT),
    ]
)
"""Grain: one row per ``attribution_id``, in a day's partition, in its current state."""

NOT_CONTENT = (
    "revision", "first_recorded_at", "recorded_at", "settlement",
    "policy_id", "policy_version", "policy_digest", "kernel",
)  # fmt: skip
"""Columns outside the content digest (invariant 4)."""

SETTLEMENTS = ("provisional", "settled", "restated")
"""Open; closed and final; moved after it was closed."""

CAUSES = (
    "kernel", "policy_change", "correction", "late_billing", "late_snapshot", "late_usage",
    "identity", "late_spans", "reopened",
)  # fmt: skip
"""Why a row changed, the strongest first: one that moved for two reasons carries the first."""

LEDGER_REVISIONS = pa.schema(
    [
        *_text("attribution_id"),
        pa.field("charge_date", pa.date32()),
        *_text("charge_id", "tenant_id", "component", "leg", "unallocated_reason"),
        # of the row after the change; 1 where the row first appears in a later state of its day
        pa.field("revision", pa.int32()),
        pa.field("old_billed_cost", _MONEY),
        pa.field("new_billed_cost", _MONEY),
        pa.field("delta_billed_cost", _MONEY),
        pa.field("old_effective_cost", _MONEY),
        pa.field("new_effective_cost", _MONEY),
        pa.field("delta_effective_cost", _MONEY),
        *_text("billing_currency", "cause", "settlement", "policy_id"),
        pa.field("policy_version", pa.int32()),
        *_text("policy_digest", "kernel"),
        # whether a policy was made to reach back over a closed period
        pa.field("forced", pa.bool_()),
        *_text("run_id"),
        pa.field("recorded_at", _INSTANT),
    ]
)
"""Grain: one change of one ledger row. Append-only; the first state of a day is no change."""

VARIANCES = pa.schema(
    [
        *LEDGER,
        pa.field("held_billed_cost", _MONEY),
        pa.field("held_effective_cost", _MONEY),
    ]
)
"""Investigative variance of closed periods that a policy holds. Grain: one ledger row that today's
evidence would change. The ledger's columns as they would be; ``held_*`` is what the ledger keeps."""

OPERATION_COSTS = pa.schema(
    [
        *_text("attribution_id"),
        pa.field("charge_date", pa.date32()),
        *_text("charge_id"),
        pa.field("operation_number", pa.int64()),
        *_text("operation_key"),
        pa.field("weight", pa.int64()),
        pa.field("billed_cost", _MONEY),
        pa.field("effective_cost", _MONEY),
    ]
)
"""Grain: one operation in one ledger row. Sums to the ledger rows with ``basis = operations``.

``operation_number`` is that of ``operations``; ``operation_key`` is null but for operations that are
not among the day's, since they ended after it. Files may hold amounts as DECIMAL(18,12)."""

OPERATIONS = pa.schema(
    [
        pa.field("charge_date", pa.date32()),
        # one in all days, the same in every state of its day; no order, and no count
        pa.field("operation_number", pa.int64()),
        # the key is stored only where the ids beside it do not say it
        *_text("named_by", "operation_key", "trace_id", "span_id", "response_id"),
        pa.field("started_at", _INSTANT),
        pa.field("ended_at", _INSTANT),
        pa.field("active_ms", pa.int64()),
        *_text("provider", "model", "operation_name"),
        *[pa.field(bucket, pa.int64()) for bucket in BUCKETS],
        pa.field("metered", pa.bool_()),
        pa.field("estimated", pa.bool_()),
        pa.field("attempt", pa.int32()),
        *_text("caller_pod", "serving_pod", *WHO, "originator_id", "identity_source", "verdict"),
        # of the envelope, whatever became of it; and of the issuance that a retry says it follows
        *_text("issuance_id", "parent_issuance_id", "emitter", "merged"),
    ]
)
"""Grain: one billed call, after its twins are merged, on the day on which it ended.

``named_by``: ``response`` where the call's key is provider and response id, ``span`` where it is trace
and span; else null, and ``operation_key`` has it."""
