"""The shape of evidence: what readers give and what the engine takes, as Arrow schemas.

Belongs here: column names, types and grain of every evidence table. Does not: how a format is read
(``sources``) or what is concluded from a row (``attribution``).

Two levels. *Landed* tables hold what an outside object said, one row per record, with the object
and the position it came from. *Day* tables hold what one UTC day is computed from.
"""

from __future__ import annotations

import pyarrow as pa

from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.money import SCALE
from attribution_pipeline.model.tokens import BUCKETS

MONEY = pa.decimal128(38, SCALE)
INSTANT = pa.timestamp("us", tz="UTC")

ORIGIN = [pa.field("object_id", pa.string()), pa.field("position", pa.int64())]
"""Where a landed record came from: sha256 of the object's bytes, record number from 1."""

FOCUS_TEXT_COLUMNS: tuple[str, ...] = (
    "AllocatedMethodDetails", "AllocatedMethodId", "AllocatedResourceId", "AllocatedResourceName",
    "AllocatedTags", "AvailabilityZone", "BillingAccountId", "BillingAccountName",
    "BillingAccountType", "BillingCurrency", "CapacityReservationId", "CapacityReservationStatus",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName",
    "CommitmentDiscountQuantity", "CommitmentDiscountStatus", "CommitmentDiscountType",
    "CommitmentDiscountUnit", "CommitmentProgramEligibilityDetails", "ConsumedQuantity",
    "ConsumedUnit", "ContractApplied", "ContractedCost", "ContractedUnitPrice", "HostProviderName",
    "InvoiceDetailId", "InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice",
    "PricingCategory", "PricingCurrency", "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "PricingQuantity",
    "PricingUnit", "PrincipalId", "ProviderName", "PublisherName", "RegionId", "RegionName",
    "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceProviderName",
    "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId",
    "SubAccountName", "SubAccountType", "Tags",
)  # fmt: skip
"""FOCUS 1.0 to 1.4 columns, and PrincipalId of 1.5, kept as text, in raw precision. Null is null,
never '' or 'NULL'."""

FOCUS_INSTANT_COLUMNS = (
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
)

CHARGE_LINES = pa.schema(
    [
        *ORIGIN,
        pa.field("delivery", pa.string()),
        # sorts after every older delivery of the same source
        pa.field("delivery_order", pa.string()),
        pa.field("BilledCost", MONEY),
        pa.field("EffectiveCost", MONEY),
        *[pa.field(name, INSTANT) for name in FOCUS_INSTANT_COLUMNS],
        *[pa.field(name, pa.string()) for name in FOCUS_TEXT_COLUMNS],
        # native identity of the line where the export has one (x_... of the vendor), else null
        pa.field("native_id", pa.string()),
        # JSON object of every other column, as text
        pa.field("x_columns", pa.string()),
    ]
)
"""Landed. Grain: one row of a FOCUS export. ``Tags`` is a JSON object with sorted keys."""

SPANS = pa.schema(
    [
        *ORIGIN,
        pa.field("trace_id", pa.string()),  # 32 hex digits, lower case
        pa.field("span_id", pa.string()),  # 16 hex digits, lower case
        pa.field("parent_span_id", pa.string()),
        pa.field("links", pa.string()),  # "trace:span trace:span"; null without links
        pa.field("span_name", pa.string()),
        pa.field("kind", pa.int8()),  # OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer
        pa.field("start_unix_nano", pa.int64()),
        pa.field("end_unix_nano", pa.int64()),
        pa.field("scope_name", pa.string()),
        pa.field("scope_version", pa.string()),
        pa.field("service_name", pa.string()),
        pa.field("cluster", pa.string()),  # k8s.cluster.name
        pa.field("namespace", pa.string()),  # k8s.namespace.name
        pa.field("pod", pa.string()),  # k8s.pod.name
        pa.field("provider", pa.string()),
        pa.field("operation_name", pa.string()),
        pa.field("model", pa.string()),  # of the response, else of the request
        pa.field("response_id", pa.string()),
        pa.field("server_address", pa.string()),
        pa.field("account", pa.string()),
        pa.field("region", pa.string()),
        pa.field("error_type", pa.string()),
        # a billable model call: chat, generate_content, text_completion, embeddings
        pa.field("is_call", pa.bool_()),
        # it carries usage; false is unknown, not zero
        pa.field("metered", pa.bool_()),
        *[pa.field(bucket, pa.int64()) for bucket in BUCKETS],
        # impossible counts: named here, buckets null
        pa.field("usage_anomaly", pa.string()),
        # sampling threshold of tracestate ot=th, as written
        pa.field("sampling_threshold", pa.string()),
        # 1 is the first; attribution.attempt, else http.request.resend_count + 1; null: not said
        pa.field("attempt", pa.int32()),
        *[pa.field(column, pa.string()) for column in WHO],
        pa.field("originator_id", pa.string()),
        pa.field("envelope", pa.string()),
        # what a run registry knows a run by
        pa.field("run_id", pa.string()),
        # lineage of a retry under an issuance of its own, outside any signature
        pa.field("parent_issuance_id", pa.string()),
        # the logical operation and its issuance where the span says them itself; no signature is on
        # these, so triage reads them and the ladder does not
        pa.field("operation_id", pa.string()),
        pa.field("issuance_id", pa.string()),
        # JSON object: the aliases that a policy's join.attributes names, nothing else
        pa.field("attributes", pa.string()),
    ]
)
"""Landed. Grain: one span as it was delivered, duplicates included. No prompt, no completion."""

KUBERNETES_COST_UNIT = 5
"""OpenCost dollars are weights: integers of 1e-5, as OpenCost rounds them."""

ALLOCATIONS = pa.schema(
    [
        *ORIGIN,
        pa.field("window_start", INSTANT),
        pa.field("window_end", INSTANT),
        pa.field("cluster", pa.string()),
        pa.field("node", pa.string()),
        pa.field("provider_id", pa.string()),
        pa.field("namespace", pa.string()),
        pa.field("controller_kind", pa.string()),
        pa.field("controller", pa.string()),
        pa.field("pod", pa.string()),
        pa.field("container", pa.string()),
        # workload, idle, unmounted, unallocated
        pa.field("row_kind", pa.string()),
        pa.field("started_at", INSTANT),
        pa.field("ended_at", INSTANT),
        pa.field("minutes", pa.string()),
        # integers of 1e-5, cost + adjustment
        pa.field("cpu_cost", pa.int64()),
        pa.field("gpu_cost", pa.int64()),
        pa.field("ram_cost", pa.int64()),
        pa.field("pv_cost", pa.int64()),
        pa.field("lb_cost", pa.int64()),
        pa.field("network_cost", pa.int64()),
        pa.field("gpu_hours", pa.string()),
        pa.field("labels", pa.string()),  # JSON object, pod labels as OpenCost gave them
        pa.field("annotations", pa.string()),
        pa.field("namespace_labels", pa.string()),
        pa.field("namespace_annotations", pa.string()),
        # JSON list of {"name","cost"(1e-5)} of the volumes and balancers behind pv_cost, lb_cost
        pa.field("volumes", pa.string()),
        pa.field("balancers", pa.string()),
        # what gates compare prices by; null where the answer does not say
        pa.field("cpu_millicore_hours", pa.int64()),
        pa.field("ram_mib_hours", pa.int64()),
        pa.field("gpu_milli_hours", pa.int64()),
        pa.field("cpu_millicore_usage", pa.int64()),  # average over the run
        pa.field("ram_mib_usage", pa.int64()),
        pa.field("rejected", pa.string()),
    ]
)
"""Landed. Grain: one container (or synthetic row) of one OpenCost window.

``rejected``: the reason why the row can't be used, null for one that can. Of a rejected row its
window, its names and, as far as they can be read, its costs by kind land, so that the day knows
whose cost it lacks.
"""

ASSETS = pa.schema(
    [
        *ORIGIN,
        pa.field("window_start", INSTANT),
        pa.field("window_end", INSTANT),
        pa.field("cluster", pa.string()),
        pa.field("asset_type", pa.string()),  # Node, Disk, LoadBalancer
        pa.field("name", pa.string()),
        pa.field("provider_id", pa.string()),
        pa.field("instance_type", pa.string()),
        pa.field("minutes", pa.string()),
        # integers of 1e-5, after discount (cpu and ram; gpu has none)
        pa.field("cpu_cost", pa.int64()),
        pa.field("gpu_cost", pa.int64()),
        pa.field("ram_cost", pa.int64()),
        pa.field("total_cost", pa.int64()),
        pa.field("gpu_count", pa.string()),
        pa.field("labels", pa.string()),
        pa.field("cpu_millicore_hours", pa.int64()),
        pa.field("ram_mib_hours", pa.int64()),
        pa.field("gpu_milli_hours", pa.int64()),  # physical GPUs
        pa.field("rejected", pa.string()),
    ]
)
"""Landed. Grain: one asset of one OpenCost window. ``rejected`` as in ``ALLOCATIONS``."""

USAGE = pa.schema(
    [
        *ORIGIN,
        pa.field("date", pa.date32()),
        pa.field("service", pa.string()),
        pa.field("resource_id", pa.string()),  # null weighs on all of the service
        pa.field("metric", pa.string()),
        pa.field("quantity", pa.string()),  # non-negative decimal, as written
        *[pa.field(column, pa.string()) for column in WHO],
        pa.field("x_columns", pa.string()),
    ]
)
"""Landed. Grain: one row of a usage report."""

KUBERNETES = pa.schema(
    [
        *ORIGIN,
        pa.field("date", pa.date32()),
        pa.field("cluster", pa.string()),
        pa.field("namespace", pa.string()),
        pa.field("kind", pa.string()),  # Pod, Namespace, Deployment, StatefulSet, ...
        pa.field("name", pa.string()),
        pa.field("labels", pa.string()),
        pa.field("annotations", pa.string()),
        pa.field("x_columns", pa.string()),
    ]
)
"""Landed. Grain: one Kubernetes object of one daily snapshot."""

CLOSES = pa.schema(
    [
        *ORIGIN,
        pa.field("evidence", pa.string()),  # close_record, billing_period (the FOCUS 1.4 dataset)
        pa.field("issuer", pa.string()),  # InvoiceIssuerName
        pa.field("account", pa.string()),  # BillingAccountId; null: every account of the issuer
        pa.field("billing_period", pa.date32()),  # its first UTC day
        pa.field("status", pa.string()),  # closed, open
        pa.field("closed_at", INSTANT),  # when this was said, of an open period too
        pa.field("closed_by", pa.string()),
        pa.field("note", pa.string()),
        pa.field("x_columns", pa.string()),
    ]
)
"""Landed. Grain: one close record. Later ones of an account and period supersede earlier ones."""

CONTROLS = pa.schema(
    [
        *ORIGIN,
        pa.field("date", pa.date32()),  # UTC day of what happened; null for an entry of a list
        pa.field("kind", pa.string()),  # hard_block, shadow_hit, override, policy_snapshot
        pa.field("rule", pa.string()),
        # hard_block
        pa.field("operation", pa.string()),  # the mutation that the rule stops
        pa.field("reversible", pa.bool_()),
        pa.field("mode", pa.string()),
        pa.field("policy_digest", pa.string()),  # the snapshot it stands on; of a snapshot, its own
        # shadow_hit, policy_snapshot
        pa.field("observed_at", INSTANT),
        pa.field("would_block", pa.bool_()),
        # override
        pa.field("requested_at", INSTANT),
        pa.field("granted_at", INSTANT),  # null: not granted
        pa.field("granted_by", pa.string()),
        pa.field("x_columns", pa.string()),
    ]
)
"""Landed. Grain: one record of a control plane. The columns of the other kinds are null."""

RESERVATIONS = pa.schema(
    [
        *ORIGIN,
        pa.field("name", pa.string()),
        pa.field("scope", pa.string()),  # JSON object, column = value; {} is all of the ledger
        pa.field("period_start", pa.date32()),  # first UTC day
        pa.field("period_end", pa.date32()),  # the day after the last, as FOCUS ends its periods
        pa.field("amount", MONEY),  # null: the record brings a counter alone
        pa.field("currency", pa.string()),
        pa.field("gateway", pa.string()),  # who counted
        pa.field("counted", MONEY),  # what it counted as spent since period_start
        pa.field("counted_at", INSTANT),
        pa.field("x_columns", pa.string()),
    ]
)
"""Landed. Grain: one record of a budget file, or of a gateway's counters. A reservation is its scope,
period and currency; its amount is the newest one said."""

OUTCOMES = pa.schema(
    [
        *ORIGIN,
        pa.field("date", pa.date32()),  # UTC day of observed_at
        pa.field("observed_at", INSTANT),
        pa.field("operation_id", pa.string()),  # of the envelope, or of the ledger
        pa.field("trace_id", pa.string()),  # 32 hex digits, lower case
        pa.field("kind", pa.string()),  # resolution, accepted_suggestion, ...
        pa.field("value", MONEY),  # null: that it happened is all that is said
        pa.field("x_columns", pa.string()),
    ]
)
"""Landed. Grain: one outcome as an application reported it. One of the two ids is there."""

REJECTED = pa.schema(
    [
        pa.field("object_id", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("position", pa.int64()),  # 0: the object as a whole
        pa.field("reason", pa.string()),  # a stable word, counted
        pa.field("detail", pa.string()),  # what was found and what to do; never content
    ]
)
"""Landed. Grain: one record, or one object, that could not be read."""

SCHEMAS: dict[str, pa.Schema] = {
    "billing": CHARGE_LINES,
    "spans": SPANS,
    "opencost_allocations": ALLOCATIONS,
    "opencost_assets": ASSETS,
    "usage": USAGE,
    "kubernetes": KUBERNETES,
    "closes": CLOSES,
    "controls": CONTROLS,
    "reservations": RESERVATIONS,
    "outcomes": OUTCOMES,
}
"""Landed tables by name. Readers add ``source`` from the deployment file when rows are landed."""
