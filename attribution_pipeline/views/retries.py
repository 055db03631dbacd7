"""What trying again cost: attempts after the first, by tenant and workflow.

Belongs here: the sum and its columns. Does not: which attempt a call was (``sources/otlp``), whose it
is (``attribution.identity``), where rows come from (``lake``).

A retry that was billed is a cost like any other: it is in the ledger once, under the identity of
what was retried. This view only shows how much of that cost it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

FIRST = 1
"""``attempt`` of what was not tried before; null counts as this."""

COLUMNS = (
    "tenant_id",  # null: nobody was named, or nobody who is believed
    "workflow_id",
    "billing_currency",
    "retries",  # billed calls after a first attempt
    "calls",  # all billed calls
    "retry_billed_cost",  # what the retries cost at request level
    "retry_effective_cost",
    "billed_cost",  # what all calls cost
    "effective_cost",
)
"""Grain: tenant, workflow, currency. Money in the billing currency, exact; idle and overhead, which no
request has a part of, are in none of it."""


def retry_costs(ledger: pa.Table, operation_costs: pa.Table, operations: pa.Table) -> pa.Table:
    """The view of some days' published tables, with columns ``COLUMNS``, in their order.

    Currencies are never added up. A call whose operation is on no day at hand (it ended before the
    first or after the last) is left to the day that has it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    calls = operations.select(["operation_number", "tenant_id", "workflow_id", "attempt"])
    calls = calls.append_column("operation_key", _keys(operations))
    is_retry = pc.greater(pc.fill_null(calls["attempt"], FIRST), FIRST)
    calls = calls.drop(["attempt"]).append_column("is_retry", pc.cast(is_retry, pa.int64()))
    currency = ledger.select(["attribution_id", "billing_currency"]).group_by(
        ["attribution_id", "billing_currency"]
    )
    named = operation_costs.select(
        ["attribution_id", "operation_number", "operation_key", "billed_cost", "effective_cost"]
    ).join(
        calls.select(["operation_number", "operation_key"]), "operation_number",
        right_suffix="_there",
    )  # fmt: skip
    keys = pc.coalesce(named["operation_key"], named["operation_key_there"])
    costs = (
        named.select(["attribution_id", "billed_cost", "effective_cost"])
        .append_column("operation_key", keys)
        .join(currency.aggregate([]), "attribution_id", join_type="inner")
        .group_by(["operation_key", "billing_currency"])
        .aggregate([("billed_cost", "sum"), ("effective_cost", "sum")])
        .join(calls.drop(["operation_number"]), "operation_key", join_type="inner")
    )
    nothing = pa.scalar(0, costs["billed_cost_sum"].type)
    for cost in ("billed_cost", "effective_cost"):
        of_retries = pc.if_else(pc.equal(costs["is_retry"], 1), costs[f"{cost}_sum"], nothing)
        costs = costs.append_column(f"retry_{cost}", of_retries)
    group = ["tenant_id", "workflow_id", "billing_currency"]
    found = costs.group_by(group).aggregate(
        [
            ("is_retry", "sum"), ("operation_key", "count"), ("retry_billed_cost", "sum"),
            ("retry_effective_cost", "sum"), ("billed_cost_sum", "sum"), ("effective_cost_sum", "sum"),
        ]
    )  # fmt: skip
    sums = ("is_retry_sum", "operation_key_count", "retry_billed_cost_sum",
            "retry_effective_cost_sum", "billed_cost_sum_sum", "effective_cost_sum_sum")  # fmt: skip
    shown = found.select([*group, *sums]).rename_columns(list(COLUMNS))
    return shown.sort_by([(name, "ascending") for name in group])


def _keys(operations: pa.Table) -> pa.ChunkedArray:
    """``operation_key`` of published operations, as ``attribution.requests`` has it in SQL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    provider = pc.fill_null(operations["provider"], "")
    response = pc.binary_join_element_wise(provider, operations["response_id"], "\x1f")
    span = pc.binary_join_element_wise(operations["trace_id"], operations["span_id"], ":")
    by = pc.fill_null(operations["named_by"], "")
    said = pc.if_else(
        pc.equal(by, "response"),
        response,
        pc.if_else(pc.equal(by, "span"), span, pa.scalar(None, pa.string())),
    )
    return pc.coalesce(operations["operation_key"], said)
