"""What each column of the daily roll-ups means, in one line each.

Belongs here: meanings and grains, for the reference. Does not: types and keys (``daily``), columns that
mean what they mean in the published tables (``columns``).
"""

from __future__ import annotations

from collections.abc import Mapping

from attribution_pipeline.model.columns import LEDGER, OPERATIONS, Meanings

_MADE_FROM: Meanings = {
    "manifest_id": "The ledger state of the day that the row was made from.",
    "content_digest": "Digest of that state's rows with a cost.",
}

_ROWS = "Rows of the ledger in it."

SPEND_DAILY: Meanings = {
    **LEDGER,
    "retry_billed_cost": "Of `billed_cost`, what calls after a first attempt cost.",
    "retry_effective_cost": "Of `effective_cost`, what calls after a first attempt cost.",
    "request_billed_cost": "Of `billed_cost`, what has its requests in `operation_costs`.",
    "request_effective_cost": "Of `effective_cost`, what has its requests in `operation_costs`.",
    "tokens": "Tokens that metered rows were divided by, each slice once a currency: a correction beside "
    "its usage does not count them again, nor does another region or account where calls do not say "
    "theirs. No published column names a slice: charges of a provider, model and token kind are of one "
    "where they have `driver_total` and the first of their operations in common. Null where nothing is "
    "metered.",
    "ledger_rows": _ROWS,
    **_MADE_FROM,
}

RESOURCES_DAILY: Meanings = {
    **LEDGER,
    "charges": "Charges, each counted in one row of its reason, service, resource, model, pool and "
    "currency.",
    "ledger_rows": _ROWS,
    **_MADE_FROM,
}

CALLS_DAILY: Meanings = {
    **OPERATIONS,
    "calls": "Billed calls that ended on the day.",
    "retries": "Of them, those after a first attempt.",
    "unmetered": "Of them, those that told no usage.",
    "estimated": "Of them, those whose counts were raised for sampling.",
    "unverified": "Of them, those whose envelope did not hold.",
    "active_ms": "Milliseconds in which they were active, summed.",
    "traces": "Traces of the day, each counted once in its workflow, task and agent, in the row of its "
    "first call.",
    "longest_chain": "Most calls of one trace in its workflow, task and agent on the day, of the traces "
    "seen here. Take the greatest, never the sum.",
    **_MADE_FROM,
}

_OF_OUTCOMES: Meanings = {
    "charge_date": "UTC day on which the outcome was observed. The partition.",
    "kind": "What the application calls it.",
    "tenant_id": "Of its operations; null where they differ, or none is recorded.",
    "feature": "As `tenant_id`.",
    "workflow_id": "As `tenant_id`.",
    "agent": "As `tenant_id`.",
    "model": "As `tenant_id`.",
}

OUTCOMES_DAILY: Meanings = {
    **_OF_OUTCOMES,
    "useful": "Its value is positive, or it has none.",
    "matched": "Whether a recorded operation answers to it.",
    "outcomes": "How many.",
    "value": "Their values, summed.",
    **_MADE_FROM,
}

OUTCOME_COSTS_DAILY: Meanings = {
    **LEDGER,
    **_OF_OUTCOMES,
    "useful": "Whether one of the operation's outcomes of the day and kind is useful.",
    "operations": "Operations with a cost in the row. One whose cost is not of one confidence, "
    "settlement, policy version and currency is in several rows.",
    "billed_cost": "Of the operations behind the day's outcomes, each once a day and kind: where its "
    "outcomes differ in whom they are of, in the row of a useful one, then of who is known. Counted "
    "again in another kind and on another day of outcomes, so never summed over kinds; a sum over days "
    "has an operation once for each day on which an outcome of it was observed.",
    "effective_cost": "As `billed_cost`.",
    **_MADE_FROM,
}

TABLES: Mapping[str, tuple[str, Meanings]] = {
    "spend_daily": (
        "The ledger of a day without charges, resources and consumers. Sums to it, each cost.",
        SPEND_DAILY,
    ),
    "resources_daily": (
        "The ledger of a day by resource and reason, without who. Sums to it, each cost.",
        RESOURCES_DAILY,
    ),
    "calls_daily": ("The operations of a day.", CALLS_DAILY),
    "outcomes_daily": ("Outcomes by the day on which they were observed.", OUTCOMES_DAILY),
    "outcome_costs_daily": (
        "What the operations behind a day's outcomes cost. Part of the ledger of the days on which they "
        "ran, so never added to it.",
        OUTCOME_COSTS_DAILY,
    ),
}
"""Roll-up -> its grain and its columns' meanings."""
