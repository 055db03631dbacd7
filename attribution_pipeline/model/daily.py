"""The daily roll-ups' shape: what dashboards and views read instead of whole days of the ledger.

Belongs here: names, grains and columns of the tables that are made from a recorded day. Does not: how
they are made and kept (``views.daily``), what is published of a day itself (``ledger``).

A roll-up decides nothing: it may be lost and is made again from the published tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from attribution_pipeline.model.ledger import LEDGER, OPERATIONS
from attribution_pipeline.model.tokens import BUCKETS

MADE_FROM = ("manifest_id", "content_digest")
"""Columns of every roll-up: the ledger state of its day, and the digest of that state's rows."""

_SURE = ("confidence", "settlement", "policy_version", "billing_currency")

SPEND_KEYS = (
    "tenant_id", "feature", "workflow_id", "task", "agent", "environment", "project", "team",
    "cost_center", "provider", "service", "model", "surface", "token_kind", "pool", "component",
    "unallocated_reason", *_SURE,
)  # fmt: skip
RESOURCE_KEYS = (
    "provider", "service", "resource_id", "model", "surface", "pool", "component",
    "unallocated_reason", *_SURE,
)  # fmt: skip
CALL_KEYS = (
    "tenant_id", "feature", "workflow_id", "task", "agent", "environment", "project", "provider",
    "model", "operation_name",
)  # fmt: skip
OUTCOME_WHO = ("kind", "tenant_id", "feature", "workflow_id", "agent", "model")
OUTCOME_KEYS = (*OUTCOME_WHO, "useful", "matched")
OUTCOME_COST_KEYS = (*OUTCOME_WHO, "useful", *_SURE)

_KINDS = {
    "kind": pa.string(),
    "useful": pa.bool_(),
    "matched": pa.bool_(),
    "tokens": pa.decimal128(38, 0),
    "value": pa.decimal128(38, 12),
    "unverified": pa.int64(),
    "manifest_id": pa.string(),
    "content_digest": pa.string(),
}
_COSTS = ("billed_cost", "effective_cost")


def _field(name: str) -> pa.Field:
    if name.endswith("_cost"):
        return pa.field(name, pa.decimal128(38, 12))
    if name in _KINDS:
        return pa.field(name, _KINDS[name])
    if name in LEDGER.names:
        return LEDGER.field(name)
    return OPERATIONS.field(name) if name in OPERATIONS.names else pa.field(name, pa.int64())


def _schema(keys: Sequence[str], measures: Sequence[str]) -> pa.Schema:
    counted = {"estimated": pa.field("estimated", pa.int64())}  # calls, where operations say which
    fields = [_field(name) for name in ("charge_date", *keys)]
    fields += [counted.get(name) or _field(name) for name in measures]
    return pa.schema([*fields, *(_field(name) for name in MADE_FROM)])


SCHEMAS: Mapping[str, pa.Schema] = {
    "spend_daily": _schema(
        SPEND_KEYS,
        (*_COSTS, "retry_billed_cost", "retry_effective_cost", "request_billed_cost",
         "request_effective_cost", "tokens", "ledger_rows"),
    ),
    "resources_daily": _schema(RESOURCE_KEYS, (*_COSTS, "charges", "ledger_rows")),
    "calls_daily": _schema(
        CALL_KEYS,
        ("calls", "retries", "unmetered", "estimated", "unverified", *BUCKETS, "active_ms", "traces",
         "longest_chain"),
    ),
    "outcomes_daily": _schema(OUTCOME_KEYS, ("outcomes", "value")),
    "outcome_costs_daily": _schema(OUTCOME_COST_KEYS, ("operations", *_COSTS)),
}  # fmt: skip
"""Table -> schema. Grain: ``charge_date`` and the table's keys; the rest is summed over them."""

KEYS: Mapping[str, Sequence[str]] = {
    "spend_daily": SPEND_KEYS,
    "resources_daily": RESOURCE_KEYS,
    "calls_daily": CALL_KEYS,
    "outcomes_daily": OUTCOME_KEYS,
    "outcome_costs_daily": OUTCOME_COST_KEYS,
}
