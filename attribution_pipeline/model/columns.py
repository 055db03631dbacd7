"""What each column of the published tables means, in one line each.

Belongs here: meanings, units, where a value comes from. Does not: types (``model.ledger``), pages
that show them (``scripts/write_reference.py``). A test fails where a column has no meaning here.
"""

from __future__ import annotations

from collections.abc import Mapping

Meanings = Mapping[str, str]

_WHO: Meanings = {
    "tenant_id": "The customer or unit that is charged. Null where no accepted evidence names one.",
    "consumer_id": "For whom the call was made. Never filled from `principal_id`.",
    "principal_id": "The technical caller: a service account or key; FOCUS `PrincipalId` where a "
    "bill has it.",
    "project": "Project, as the span or the envelope says.",
    "workflow_id": "The workflow that the call belongs to.",
    "task": "The step of the workflow.",
    "feature": "The product feature that the call served.",
    "agent": "The agent that made the call.",
    "prompt_version": "Version of the prompt, never its text.",
    "environment": "production, staging, or whatever the span says.",
}

_TOKENS: Meanings = {
    "uncached_input": "Input tokens that were neither read from nor written to a cache.",
    "cache_read": "Input tokens read from a prompt cache.",
    "cache_write_5m": "Input tokens written to a cache that lasts five minutes.",
    "cache_write_1h": "Input tokens written to a cache that lasts an hour.",
    "cache_write_other": "Input tokens written to a cache whose duration was not said.",
    "visible_output": "Output tokens without reasoning.",
    "reasoning": "Output tokens spent on reasoning.",
}

_POLICY: Meanings = {
    "policy_id": "Name of the policy.",
    "policy_version": "Its version.",
    "policy_digest": "sha256 of that version's canonical text.",
    "kernel": "Version of the formulas that computed the row.",
}

_CHARGE_DATE = "UTC day on which the cost stands. The partition."
_ATTRIBUTION_ID = (
    "Digest of day, charge, component, leg, who, operation name, model, token kind and reason. The "
    "same row keeps it through every revision."
)
_CHARGE_ID = (
    "Digest of what names a charge on the bill: issuer, accounts, period, day, SKU, resource."
)
_BILLED = "In `billing_currency`, DECIMAL(38,12). Sums to the invoice."
_EFFECTIVE = "The same with commitments amortized. Divided on its own, never added to billed."

LEDGER: Meanings = {
    "attribution_id": _ATTRIBUTION_ID,
    "charge_date": _CHARGE_DATE,
    "charge_id": _CHARGE_ID,
    "billing_period": "First day of the period that bills the charge.",
    "provider": "FOCUS `ServiceProviderName`, else `ProviderName`.",
    "service": "FOCUS `ServiceName`.",
    "billing_account_id": "FOCUS `BillingAccountId`.",
    "sub_account_id": "FOCUS `SubAccountId`.",
    "resource_id": "FOCUS `ResourceId`.",
    "region": "FOCUS `RegionId`.",
    "charge_category": "FOCUS `ChargeCategory`: Usage, Purchase, Tax, Credit, Adjustment.",
    "charge_class": "FOCUS `ChargeClass`: `Correction` or null.",
    "surface": "What kind of thing cost money: model_inference, embeddings, kubernetes, "
    "vector_database, storage, network, observability, evaluation, tool, platform, other.",
    "component": "direct (metered), workload (pods), shared (a driver), idle, overhead (support, "
    "tax, credits).",
    "leg": "own: a part of a division. open: what was left over or could not be divided. idle: a "
    "part or the rest of idle. spread: a gap that the policy spreads.",
    "basis": "What the division rests on: operations, workload, tag, driver, none. Rows with "
    "`operations` have their requests in `operation_costs`.",
    **_WHO,
    "team": "Looked up from the policy's `owners` after the division; splits no row.",
    "cost_center": "As `team`.",
    "operation_name": "`gen_ai.operation.name`.",
    "model": "The model that answered, as the policy's meter or the span names it.",
    "token_kind": "The bucket of tokens, or the sum of buckets, that the charge is metered by.",
    "billed_cost": _BILLED,
    "effective_cost": _EFFECTIVE,
    "billing_currency": "FOCUS `BillingCurrency`. Currencies are never summed together.",
    "pool": "Name of the policy's pool that took the charge; null for meters.",
    "method": "The formula: meter, node, share (largest remainder), tag, none; `held` for what a closed "
    "period keeps.",
    "driver": "What the formula weighs by: tokens, active_time, gpu_time, usage.<metric>, cost, "
    "even, fixed.",
    "driver_quantity": "The row's weight, a whole number in `driver_unit`.",
    "driver_total": "The denominator that it was divided by.",
    "driver_unit": "Unit of both.",
    "confidence": "metered: tokens on the bill and on the call. allocated: a declared driver. "
    "estimated: sampled, or coverage outside tolerance. unallocated: nobody can be charged.",
    "unallocated_reason": "Why nobody can be charged. Null on every other row.",
    "settlement": "provisional, settled (the period is closed), restated (moved after that).",
    **_POLICY,
    "revision": "1, and one more each time that the row's cost changed.",
    "first_recorded_at": "When the row first stood in the ledger.",
    "recorded_at": "When its present state was recorded.",
}

LEDGER_REVISIONS: Meanings = {
    "attribution_id": "The row that changed.",
    "charge_date": _CHARGE_DATE,
    "charge_id": _CHARGE_ID,
    "tenant_id": "Whose row it is.",
    "component": "As in `ledger`.",
    "leg": "As in `ledger`.",
    "unallocated_reason": "As in `ledger`.",
    "revision": "Of the row after the change.",
    "old_billed_cost": "Before.",
    "new_billed_cost": "After.",
    "delta_billed_cost": "After less before.",
    "old_effective_cost": "Before.",
    "new_effective_cost": "After.",
    "delta_effective_cost": "After less before.",
    "billing_currency": "Currency of all six.",
    "cause": "kernel, policy_change, correction, late_billing, late_snapshot, late_usage, identity, "
    "late_spans, reopened; of several the first of these.",
    "settlement": "Of the row after the change.",
    **_POLICY,
    "forced": "Whether a policy was made to reach back over a closed period.",
    "run_id": "The Dagster run that recorded it.",
    "recorded_at": "When.",
}

VARIANCES: Meanings = {
    **LEDGER,
    "held_billed_cost": "What the ledger keeps, since the period is closed and the policy holds.",
    "held_effective_cost": "As `held_billed_cost`.",
}

OPERATION_COSTS: Meanings = {
    "attribution_id": "The ledger row that this is a part of.",
    "charge_date": _CHARGE_DATE,
    "charge_id": _CHARGE_ID,
    "operation_number": "The operation: its number in `operations`.",
    "operation_key": "Null, but where the operation is not in the day's `operations`: it was active "
    "on the day and ended after it.",
    "weight": "What the operation weighs in the division: tokens, or milliseconds.",
    "billed_cost": _BILLED,
    "effective_cost": _EFFECTIVE,
}

OPERATIONS: Meanings = {
    "charge_date": "UTC day on which the operation ended. The partition.",
    "operation_number": "Names the operation in `operation_costs`. One number in all days, and the "
    "same in every state of the day.",
    "named_by": "`response`: the operation's key is `provider`, the unit separator (chr(31)) and "
    "`response_id`. `span`: it is `trace_id`, a colon and `span_id`.",
    "operation_key": "The key where `named_by` is null: better evidence of the call arrived, and its "
    "key stays.",
    "trace_id": "Trace of the span that speaks for the call.",
    "span_id": "That span.",
    "response_id": "`gen_ai.response.id`.",
    "started_at": "Start of that span.",
    "ended_at": "Its end.",
    "active_ms": "Milliseconds of the day in which it was active, where it was served if known.",
    "provider": "`gen_ai.provider.name`.",
    "model": "`gen_ai.response.model`, else the one that was requested.",
    "operation_name": "`gen_ai.operation.name`.",
    **_TOKENS,
    "metered": "False where the call told no usage: unknown, not zero.",
    "estimated": "Whether counts were raised for sampling.",
    "attempt": "`attribution.attempt`, else resend count: which attempt of a retried call.",
    "caller_pod": "Cluster, namespace and pod that made the call.",
    "serving_pod": "Cluster, namespace and pod of the model server that answered.",
    **_WHO,
    "originator_id": "Who or what started the chain of calls.",
    "identity_source": "Which rung of the ladder said who: envelope, attributes, ancestor, link, "
    "run, workload, resource_tag, unknown.",
    "verdict": "Of the signed envelope: verified, unsigned, bad_signature, unknown_key, revoked_key, "
    "expired, conflict, replayed.",
    "issuance_id": "Of the envelope, whatever became of it.",
    "parent_issuance_id": "The issuance that a retry says it follows.",
    "emitter": "Instrumentation scope and version.",
    "merged": "Span ids of its twins, which are the same call.",
}

MANIFESTS: Meanings = {
    "manifest_id": "sha256 of `document`.",
    "charge_date": _CHARGE_DATE,
    "state": "1, 2, 3 and so on for a day. Only those that a commit of `ledger` names are published.",
    "previous": "The manifest of the state before: states chain.",
    "recorded_at": "When.",
    **_POLICY,
    "content_digest": "Digest of the day's rows with a cost: equal for equal evidence, policy and "
    "kernel.",
    "ledger_rows": "Rows of the day's ledger.",
    "document": "The whole manifest: every input, every file with its sha256, totals, tie-out.",
}

TABLES: Mapping[str, tuple[str, Meanings]] = {
    "ledger": ("One row for each `attribution_id` in its present state.", LEDGER),
    "operation_costs": (
        "Request level: one operation in one ledger row. Joins `operations` by `operation_number`; "
        "files hold amounts in 18 digits where all of a day's fit.",
        OPERATION_COSTS,
    ),
    "operations": ("One billed call, its twins merged, on the day on which it ended.", OPERATIONS),
    "ledger_revisions": ("One change of one ledger row. Append-only.", LEDGER_REVISIONS),
    "variances": ("What would move in a closed period that the policy holds.", VARIANCES),
    "manifests": ("One state of one day: what it was computed from and what it names.", MANIFESTS),
}
"""Table -> its grain and its columns' meanings, in the order of their importance to a reader."""
