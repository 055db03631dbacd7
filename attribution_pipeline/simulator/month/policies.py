"""The small company's deployment file and the versions of its policy.

Belongs here: their text. Does not: when a version is published (``lateness``).
"""

from __future__ import annotations

from datetime import date

from attribution_pipeline.simulator.month import company
from attribution_pipeline.simulator.month.bills import DELIVERY
from attribution_pipeline.simulator.month.company import TAG_ALIAS
from attribution_pipeline.simulator.month.happenings import Month


def deployment_text(first_day: date) -> str:
    """``attribution.yaml``. One thread: months are played beside each other."""
    billing = "\n".join(
        f"    - {{name: {name}, uri: ./bill-{name}, format: focus, delivery: {delivery}}}"
        for name, delivery in DELIVERY.items()
    )
    return f"""\
storage: ./lake
first_day: {first_day}
policies: ./policies
sources:
  billing:
{billing}
  opencost:
    - {{name: {company.CLUSTER}, cluster: {company.CLUSTER}, uri: ./opencost}}
  spans:
    - {{name: traces, uri: ./spans}}
  usage:
    - {{name: reports, uri: ./usage}}
  closes:
    - {{name: closes, uri: ./closes}}
compute: {{threads: 1, memory_limit: 512MB}}
"""


FOLDERS = ("bill-tokens", "bill-machines", "bill-vectors", "opencost", "spans", "usage", "closes")
"""Folders that the deployment names: there from the beginning, empty."""

CHANGES = ("idle_visible", "support_even", "tenant_alias", "spread_gap")
"""What a second version may do otherwise."""


def policy_path(version: int) -> str:
    return f"policies/policy-{version}.yaml"


def policy_text(
    month: Month, version: int, effective_from: date, closed_period: str, change: str = ""
) -> str:
    """One version. ``change``: one of ``CHANGES``."""
    # a month of a few calls goes in and out of a narrow tolerance with every late span
    coverage = "[0, 1000]" if month.seed % 2 else "[0.98, 1.02]"
    idle = "{keep: visible}" if change == "idle_visible" else "{driver: active_time, within: node}"
    support = "even" if change == "support_even" else "cost"
    gap = "spread" if change == "spread_gap" else "keep_unallocated"
    alias = (
        f"\n  tenant_aliases: {{{TAG_ALIAS[0]}: {TAG_ALIAS[1]}}}"
        if change == "tenant_alias"
        else ""
    )
    return f"""\
policy: {company.POLICY}
version: {version}
effective_from: {effective_from}
published_by: finops@small.example
note: {change or "first version"}
settlement: {{metric: effective_cost, provisional_for: 72h, closed_period: {closed_period}}}
join:
  contract: tenant-workflow-route/1
  window: day
  direction: allocate_to_operations
  route_keys: [account, region]
  identity: [attributes, ancestor, link, run, workload, resource_tag]
  label_precedence: [pod_label, workload_label, namespace_label, pod_annotation, namespace_annotation]
  tenant_label: tenant
  tenant_tag: tenant{alias}
  dedicated: [{{namespace: "tenant-*"}}]
tolerance: {{tie_out: 0, replay_variance: 0, telemetry_coverage: {coverage}}}
evidence_gap: {gap}
meters:
{_meters()}
nodes:
  - {{from: provider_id, pattern: "(?P<id>i-[0-9a-f]+)$", to: ResourceId}}
pools:
  - name: nodes
    match: {{ServiceCategory: Compute, Tags.eks-cluster: "*"}}
    surface: kubernetes
    split: opencost
    driver: active_time
    idle: {idle}
    over_allocation: show
  - name: vectors
    match: {{ServiceName: Pinecone}}
    surface: vector_database
    driver: usage.query_units
  - name: support
    match: {{ServiceName: "AWS Support"}}
    component: overhead
    driver: {support}
  - name: tax
    match: {{ChargeCategory: Tax}}
    component: overhead
    driver: cost
"""


def _meters() -> str:
    return "\n".join(
        f"""\
  - match: {{ServiceName: "Amazon Bedrock", SkuMeter: "{name.format("*")}"}}
    provider: aws.bedrock
    model: {{from: SkuMeter, pattern: "^{name.format("(?P<model>.+)")}$"}}
    token_kind: {kind}
    tokens_per_unit: {{1000 Tokens: 1000}}"""
        for kind, name in company.METER_NAMES.items()
    )


def second_version(month: Month, closed_period: str) -> bytes:
    """The month's second version: from a day inside the month, doing something otherwise."""
    change = month.dice("change").choice(CHANGES)
    return policy_text(month, 2, month.changed_from, closed_period, change).encode()
