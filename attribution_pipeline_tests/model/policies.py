"""Policy texts that tests start from: the smallest, and the one of the design's policy page."""

SMALL = "policy: small\nversion: 1\neffective_from: 2026-10-01\n"

DESIGN = """\
policy: ai-chargeback
version: 3
effective_from: 2026-10-01
published_by: finops@example.com
decided_in: https://wiki.example.com/decisions/41
note: GPU idle follows active time; it was split evenly until version 2

settlement:
  metric: effective_cost
  provisional_for: 72h
  closed_period: restate

join:
  contract: tenant-workflow-route/1
  window: day
  direction: allocate_to_operations
  route_keys: [account, region]
  identity: [attributes, ancestor, link, run, workload, resource_tag]
  label_precedence: [pod_label, workload_label, namespace_label, pod_annotation, namespace_annotation, namespace]
  tenant_label: tenant
  tenant_tag: tenant
  tenant_aliases: {Acme-Inc: acme}
  dedicated: [{namespace: "tenant-*"}]
owners: [{tenant: acme, workflow: "*", team: growth, cost_center: "4711"}]
issuers:
  - {services: ["gateway"], keys: ["gw-2026*"], tenants: ["*"]}

tolerance:
  tie_out: 0
  replay_variance: 0
  telemetry_coverage: [0.98, 1.02]

slo:
  segmentation_completeness: 0.99
  model_token_evidence: 0.99
  actor_coverage: 0.95
  unallocated_share: 0.05
  override_median: 5m
  retry_chain_sample: 100

evidence_gap: keep_unallocated

meters:
  - match: {ServiceName: "Amazon Bedrock", SkuMeter: "*-input-tokens"}
    provider: aws.bedrock
    model: {from: SkuMeter, pattern: "^(?P<model>.+)-input-tokens$"}
    token_kind: uncached_input
    tokens_per_unit: {Tokens: 1, 1000 Tokens: 1000, 1M Tokens: 1000000}

nodes:
  - {from: provider_id, pattern: "(?P<id>i-[0-9a-f]+)$", to: ResourceId}
serving:
  - {server_address: "llama-70b.inference.svc*", workload: {namespace: inference, controller: "vllm-llama-70b"}}

pools:
  - name: gpu-nodes
    match: {ServiceCategory: Compute, Tags.eks-cluster: "*"}
    surface: kubernetes
    split: opencost
    driver: active_time
    idle: {driver: active_time, within: node}
    over_allocation: show
  - name: vectors
    match: {ServiceName: "Pinecone"}
    surface: vector_database
    driver: usage.query_units
  - name: support
    match: {ServiceName: "AWS Support"}
    component: overhead
    driver: cost
  - name: tax
    match: {ChargeCategory: Tax}
    component: overhead
    driver: cost
"""
