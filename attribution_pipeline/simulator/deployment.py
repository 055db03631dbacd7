"""The company's deployment: ``attribution.yaml`` and its first policy, as people would write them.

Belongs here: the text of both files. Does not: the evidence that they point to.
"""

from __future__ import annotations

from datetime import date

from attribution_pipeline.simulator.cluster import APP_CLUSTER, GPU_CLUSTER, INFERENCE
from attribution_pipeline.simulator.company import (
    MODELS,
    SERVING_BY_ADDRESS,
    SIGNERS,
    TAG_ALIAS,
    TENANT_ALIAS_ATTRIBUTE,
)
from attribution_pipeline.simulator.exports import SOURCES
from attribution_pipeline.simulator.token_charges import METERS, SERVICES, UNITS

CLOSES = "closes"
"""The folder of close records. It is empty: the company has closed nothing yet."""


BUSINESS = """\
  reservations:
    - {name: budgets, uri: ./reservations}
  outcomes:
    - {name: product, uri: ./outcomes}
  controls:
    - {name: control-plane, uri: ./controls}
"""


SCHEDULED = """\
# by clock, whether somebody reads what they make or not
scheduled_workflows: [nightly-*, hourly-sync]
"""


def deployment_text(first_day: date, *, business: bool = False) -> str:
    """``attribution.yaml``; ``business``: with budgets, outcomes and a control plane, and which workflows run by
    clock."""
    billing = "\n".join(
        f"    - {{name: {name}, uri: ./bill-{name}, format: focus, delivery: {delivery}}}"
        for name, delivery in SOURCES.items()
    )
    return f"""\
# A made-up company, written by `attribution demo`. truth/ beside this file says what really
# caused each cost; nothing in the pipeline reads it.
storage: ./lake
first_day: {first_day}
policies: ./policies
keys: ./keys.yaml
{SCHEDULED if business else ""}\
sources:
  billing:
{billing}
  opencost:
    - {{name: {APP_CLUSTER}, cluster: {APP_CLUSTER}, uri: ./opencost/{APP_CLUSTER}}}
    - {{name: {GPU_CLUSTER}, cluster: {GPU_CLUSTER}, uri: ./opencost/{GPU_CLUSTER}}}
  spans:
    - {{name: traces, uri: ./spans}}
  usage:
    - {{name: reports, uri: ./usage}}
{BUSINESS if business else ""}\
  closes:
    - {{name: closes, uri: ./{CLOSES}}}
"""


def policy_text(first_day: date) -> str:
    """``policies/policy-1.yaml``, in force from the first of ``first_day``'s month."""
    return f"""\
policy: acme-ai-chargeback
version: 1
effective_from: {first_day.replace(day=1)}
published_by: finops@acme-ai.example
decided_in: https://wiki.acme-ai.example/decisions/1
note: first version
settlement: {{metric: effective_cost, provisional_for: 72h, closed_period: restate}}
join:
  contract: tenant-workflow-route/1
  window: day
  direction: allocate_to_operations
  route_keys: [account, region]
  identity: [attributes, ancestor, link, run, workload, resource_tag]
  label_precedence: [pod_label, workload_label, namespace_label, pod_annotation, namespace_annotation]
  tenant_label: tenant
  tenant_tag: tenant
  tenant_aliases: {{{TAG_ALIAS[0]}: {TAG_ALIAS[1]}}}
  dedicated: [{{namespace: "tenant-*"}}]
  attributes: {{tenant_id: [{TENANT_ALIAS_ATTRIBUTE}]}}
owners:
  - {{tenant: acme, team: growth, cost_center: "4711"}}
  - {{tenant: internal, team: platform, cost_center: "1000"}}
issuers:
{_issuers()}
tolerance: {{tie_out: 0, replay_variance: 0, telemetry_coverage: [0.98, 1.02]}}
evidence_gap: keep_unallocated
meters:
{_meters()}
nodes:
  - {{from: provider_id, pattern: "(?P<id>i-[0-9a-f]+)$", to: ResourceId}}
serving:
  - server_address: "{_serving_address()}"
    workload: {{namespace: {INFERENCE}, controller: {SERVING_BY_ADDRESS}}}
pools:
  - name: nodes
    match: {{ServiceCategory: Compute, Tags.eks-cluster: "*"}}
    surface: kubernetes
    split: opencost
    driver: active_time
    idle: {{driver: active_time, within: node}}
    over_allocation: show
  - name: vector-queries
    match: {{ServiceName: Pinecone, SkuMeter: read-units}}
    surface: vector_database
    driver: usage.query_units
  - name: vector-storage
    match: {{ServiceName: Pinecone, SkuMeter: storage}}
    surface: vector_database
    driver: usage.stored_mb
  - name: egress
    match: {{ServiceName: "AWS Data Transfer"}}
    surface: network
    driver: usage.bytes_moved_mb
  - name: observability
    match: {{ServiceName: "Langfuse Cloud"}}
    surface: observability
    driver: usage.spans_ingested
  - name: control-planes
    match: {{ServiceName: "Amazon Elastic Kubernetes Service"}}
    surface: platform
    component: overhead
    driver: cost
  - name: support
    match: {{ServiceName: "AWS Support"}}
    surface: platform
    component: overhead
    driver: cost
  - name: tax
    match: {{ChargeCategory: Tax}}
    component: overhead
    driver: cost
  - name: credits
    match: {{ChargeCategory: Credit}}
    component: overhead
    driver: cost
"""


def _issuers() -> str:
    return "\n".join(
        f'  - {{services: ["{signer.workload}"], keys: ["{signer.key_id.partition("-")[0]}-*"], '
        'tenants: ["*"]}'
        for signer in SIGNERS
    )


def _serving_address() -> str:
    return next(model.address for model in MODELS if model.serving == SERVING_BY_ADDRESS)


def _meters() -> str:
    entries = []
    for provider, kinds in METERS.items():
        unit, tokens = UNITS[provider]
        units = f'{{"{unit}": {tokens}}}'
        if provider == "openai":
            entries.append(_meter(provider, "text-embedding-*, input", kinds["uncached_input"],
                                  "uncached_input", units, "embeddings"))  # fmt: skip
        # the more words a name has, the earlier it must be tried: "cchd Inp" ends like "Inp"
        for kind, name in sorted(kinds.items(), key=lambda item: -len(item[1])):
            entries.append(_meter(provider, name.format("*"), name, kind, units, "model_inference"))
    return "\n".join(entries)


def _meter(provider: str, match: str, name: str, kind: str, units: str, surface: str) -> str:
    pattern = "^" + name.replace(".", r"\\.").format("(?P<model>[^ ]+?)") + "$"
    return f"""\
  - match: {{ServiceName: "{SERVICES[provider]}", SkuMeter: "{match}"}}
    provider: {provider}
    model: {{from: SkuMeter, pattern: "{pattern}"}}
    token_kind: {kind}
    tokens_per_unit: {units}
    surface: {surface}"""
