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
    "PricingUnit", "ProviderName", "PublisherName", "RegionId", "RegionName", "ResourceId",
    "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceProviderName",
    "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId",
    "SubAccountName", "SubAccountType", "Tags",
)  # fmt: skip
"""FOCUS 1.0 to 1.4 columns kept as text, in raw precision. Null is null, never '' or 'NULL'."""

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
        pa.field("attempt", pa.int32()),  # http.request.resend_count, null where not said
        *[pa.field(column, pa.string()) for column in WHO],
        pa.field("originator_id", pa.string()),
        pa.field("envelope", pa.string()),
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
    ]
)
"""Landed. Grain: one container (or synthetic row) of one OpenCost window."""

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
    ]
)
"""Landed. Grain: one asset of one OpenCost window."""

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
}
"""Landed tables by name. Readers add ``source`` from the deployment file when rows are landed."""
