"""Who the made-up company is: tenants, models and their prices, workflows, workloads.

Belongs here: names, prices and habits, as constants. Does not: what happened on a day
(``traffic``), machines (``cluster``), bills (``charges``).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from attribution_pipeline.model.money import QUANTA_PER_UNIT
from attribution_pipeline.model.tokens import BUCKETS, KINDS

TENANTS: tuple[str, ...] = (
    "acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "wonka", "cyberdyne",
    "tyrell", "soylent", "aperture", "blackmesa", "massive", "oscorp", "pied-piper", "dunder",
    "vandelay", "sterling", "bluth", "gringotts", "monsters", "octan", "zorg", "weyland",
    "yoyodyne", "virtucon", "spectre", "nakatomi", "rekall", "omni", "ingen", "duff", "kwik",
    "planex", "momcorp", "slurm", "buynlarge", "genco", "internal",
)  # fmt: skip
"""Rank order: traffic is Zipf-shaped over it, except ``internal``, which is the company itself."""

INTERNAL = len(TENANTS) - 1

ZIPF_EXPONENT = 1.1

DEDICATED: tuple[str, ...] = ("acme", "globex", "initech", "wayne", "octan", "ingen")
"""Tenants with workloads of their own in a namespace ``tenant-<name>``."""

TAG_ALIAS = ("Acme-Inc", "acme")
"""How one bucket's tag spells a tenant; the policy maps it."""


@dataclass(frozen=True)
class Model:
    """One model. Prices in USD per million tokens by token kind; empty for self-hosted."""

    provider: str
    name: str
    prices: tuple[tuple[str, str], ...]
    discount: str  # EffectiveCost over BilledCost
    address: str
    ms_per_token: float
    emitter: str
    operation: str = "chat"
    cache_write: str = ""  # "", "other" or "split"
    reasoning: bool = False
    serving: str = ""  # workload that serves it
    region: str = "eu-west-1"  # of the vendor, where its bill has one


MODELS: tuple[Model, ...] = (
    Model("aws.bedrock", "anthropic.claude-sonnet-4-5-v1:0",
          (("uncached_input", "3.00"), ("cache_read", "0.30"), ("cache_write", "3.75"), ("output", "15.00")),
          "0.95", "bedrock-runtime.eu-west-1.amazonaws.com", 14, "genai.anthropic", cache_write="other"),
    Model("aws.bedrock", "anthropic.claude-haiku-4-5-v1:0",
          (("uncached_input", "1.00"), ("cache_read", "0.10"), ("cache_write", "1.25"), ("output", "5.00")),
          "0.95", "bedrock-runtime.eu-west-1.amazonaws.com", 7, "traceloop.anthropic", cache_write="other"),
    Model("aws.bedrock", "amazon.nova-pro-v1:0",
          (("uncached_input", "0.80"), ("cache_read", "0.20"), ("output", "3.20")),
          "0.95", "bedrock-runtime.eu-west-1.amazonaws.com", 8, "genai.openai"),
    Model("azure.ai.openai", "gpt-4.1-2025-04-14",
          (("uncached_input", "2.00"), ("cache_read", "0.50"), ("output", "8.00")),
          "0.92", "acme-ai.openai.azure.com", 12, "genai.openai"),
    Model("azure.ai.openai", "gpt-4o-mini-2024-07-18",
          (("uncached_input", "0.15"), ("cache_read", "0.075"), ("output", "0.60")),
          "0.92", "acme-ai.openai.azure.com", 6, "traceloop.openai"),
    Model("openai", "gpt-5.6",
          (("uncached_input", "1.75"), ("cache_read", "0.175"), ("cache_write", "2.1875"), ("output", "14.00")),
          "1", "api.openai.com", 15, "genai.openai", cache_write="other", reasoning=True),
    Model("openai", "gpt-5-mini-2025-08-07",
          (("uncached_input", "0.25"), ("cache_read", "0.025"), ("output", "2.00")),
          "1", "api.openai.com", 6, "traceloop.openai", reasoning=True),
    Model("openai", "text-embedding-3-large", (("uncached_input", "0.13"),),
          "1", "api.openai.com", 0, "genai.openai", operation="embeddings"),
    Model("anthropic", "claude-opus-4-5-20251101",
          (("uncached_input", "5.00"), ("cache_read", "0.50"), ("cache_write_5m", "6.25"),
           ("cache_write_1h", "10.00"), ("output", "25.00")),
          "1", "api.anthropic.com", 20, "anthropic.sdk", cache_write="split"),
    Model("anthropic", "claude-sonnet-4-5-20250929",
          (("uncached_input", "3.00"), ("cache_read", "0.30"), ("cache_write_5m", "3.75"),
           ("cache_write_1h", "6.00"), ("output", "15.00")),
          "1", "api.anthropic.com", 14, "anthropic.sdk", cache_write="split"),
    Model("vllm", "llama-3.3-70b", (), "1", "llama-70b.inference.svc.cluster.local", 22,
          "genai.openai", serving="vllm-llama-70b"),
    Model("vllm", "qwen3-32b", (), "1", "qwen-32b.inference.svc.cluster.local", 16,
          "genai.openai", serving="vllm-qwen-32b"),
    Model("tei", "bge-m3", (), "1", "tei-bge.inference.svc.cluster.local", 0,
          "genai.openai", operation="embeddings", serving="tei-bge"),
    # the same model in another region, at another price: a slice of its own
    Model("aws.bedrock", "anthropic.claude-haiku-4-5-v1:0",
          (("uncached_input", "1.10"), ("cache_read", "0.11"), ("cache_write", "1.375"), ("output", "5.50")),
          "0.95", "bedrock-runtime.us-east-1.amazonaws.com", 7, "genai.anthropic",
          cache_write="other", region="us-east-1"),
)  # fmt: skip

SERVER_SPAN_PROVIDER = "vllm"
"""Its servers emit SERVER spans; ``tei`` does not, the policy's ``serving:`` names its workload."""

SERVING_BY_ADDRESS = "tei-bge"


@dataclass(frozen=True)
class Sku:
    """One token meter of a bill. Prices in quanta (1e-12 USD) per token, whole numbers."""

    model: int
    token_kind: str
    buckets: tuple[int, ...]
    billed: int
    effective: int


def _per_token(usd_per_million: str, factor: str = "1") -> int:
    quanta = Decimal(usd_per_million) * Decimal(factor) * QUANTA_PER_UNIT / 1_000_000
    if quanta != int(quanta):
        raise ValueError(f"{usd_per_million} x {factor} per million tokens is no whole quantum")
    return int(quanta)


SKUS: tuple[Sku, ...] = tuple(
    Sku(
        number,
        kind,
        tuple(BUCKETS.index(bucket) for bucket in KINDS[kind]),
        _per_token(price),
        _per_token(price, model.discount),
    )
    for number, model in enumerate(MODELS)
    for kind, price in model.prices
)


@dataclass(frozen=True)
class Workload:
    """One deployment (or job) that calls models; ``style`` says how its spans name the tenant."""

    name: str
    namespace: str
    replicas: int
    environment: str = "prod"
    style: str = "plain"  # plain: attribution.tenant_id, dotted: attribution.tenant.id, alias
    job: tuple[int, int] | None = None  # minutes of the day: first, end


WORKLOADS: tuple[Workload, ...] = (
    Workload("assistant-api", "assistants", 6),
    Workload("search-api", "search", 4, style="dotted"),
    Workload("agent-runner", "agents", 6),
    Workload("ingest-worker", "ingest", 4, style="alias"),
    Workload("summarizer", "content", 4),
    Workload("gateway-staging", "staging", 2, environment="staging"),
    Workload("nightly-digest", "jobs", 3, job=(120, 210)),
    Workload("eval-suite", "jobs", 2, job=(300, 360)),
)
WORKLOAD = {workload.name: number for number, workload in enumerate(WORKLOADS)}


@dataclass(frozen=True)
class Signer:
    """A service that must sign the identity it carries, and the key that it signs with."""

    workload: str
    key_id: str
    algorithm: str


SIGNERS: tuple[Signer, ...] = (
    Signer("assistant-api", "assistant-2026", "hmac-sha256"),
    # a partner runs it: issuer and verifier are not one party
    Signer("gateway-staging", "partner-2026", "ed25519"),
)
"""Dedicated pods do not sign: their service is another, and their label answers for them."""


def originator_of(who: int) -> str | None:
    """The principal that starts a request, where the workload knows: one that signs says it."""
    tenant, number = divmod(who, len(WORKFLOWS))
    signs = {signer.workload for signer in SIGNERS}
    return f"user-{TENANTS[tenant]}" if WORKFLOWS[number].workload in signs else None


RETRY_WORKLOAD = "ingest-worker"
"""Who works through the queue of retries: shared by all tenants, and it signs nothing."""

TENANT_ALIAS_ATTRIBUTE = "app.tenant"
"""The attribute by which style ``alias`` names the tenant; the policy's join.attributes says so."""


@dataclass(frozen=True)
class Workflow:
    """What a tenant asks for. ``mix``: model name prefix -> share of its calls."""

    name: str
    workload: str
    agent: str | None
    feature: str
    weight: float
    input_tokens: int
    output_tokens: int
    mix: tuple[tuple[int, float], ...]
    hourly: bool = False


WORKFLOWS: tuple[Workflow, ...] = (
    Workflow("chat-assist", "assistant-api", "assistant", "chat", 20, 14_400, 630,
             ((0, 3), (3, 3), (4, 2), (10, 2))),
    Workflow("doc-qa", "assistant-api", "assistant", "documents", 10, 67_200, 700,
             ((0, 3), (1, 3), (9, 2), (12, 3))),
    Workflow("semantic-search", "search-api", None, "search", 12, 4_000, 168,
             ((7, 4), (12, 3), (1, 2), (11, 1))),
    Workflow("rerank", "search-api", None, "search", 6, 8_000, 56, ((11, 5), (2, 2))),
    Workflow("research-agent", "agent-runner", "researcher", "research", 8, 136_000, 2_660,
             ((8, 3), (5, 4), (9, 3), (10, 1))),
    Workflow("coding-agent", "agent-runner", "coder", "code", 7, 176_000, 3_360,
             ((8, 4), (9, 4), (5, 2))),
    Workflow("refund-triage", "agent-runner", "triage", "support", 6, 19_200, 489,
             ((1, 3), (6, 3), (11, 2), (13, 1))),
    Workflow("doc-import", "ingest-worker", None, "ingest", 9, 9_600, 0, ((7, 5), (12, 5))),
    Workflow("hourly-sync", "ingest-worker", None, "ingest", 5, 14_400, 280, ((4, 3), (11, 3)),
             hourly=True),
    Workflow("meeting-summary", "summarizer", None, "summaries", 8, 57_600, 1_260,
             ((3, 3), (2, 3), (10, 3))),
    Workflow("translate", "summarizer", None, "translation", 5, 6_400, 1_819, ((6, 3), (11, 2))),
    Workflow("assist-canary", "gateway-staging", "assistant", "chat", 2, 14_400, 630,
             ((0, 1), (3, 1), (10, 1), (13, 1))),
    Workflow("nightly-digest", "nightly-digest", "digester", "digest", 6, 96_000, 1_540,
             ((1, 4), (10, 3), (5, 1))),
    Workflow("eval-suite", "eval-suite", "judge", "evaluation", 3, 24_000, 979,
             ((8, 1), (5, 1), (10, 2), (13, 2))),
)  # fmt: skip
"""``mix`` names models by their place in MODELS."""

DEDICATED_WORKFLOWS = ("chat-assist", "doc-qa")
"""Of dedicated tenants these run in pods of their own."""

WHO_COUNT = len(TENANTS) * len(WORKFLOWS)
"""A *who* is one number: tenant x len(WORKFLOWS) + workflow. Every other who-column follows."""


def who_columns(who: int) -> dict[str, str]:
    """What a span says of ``who``, by ledger column."""
    tenant, number = divmod(who, len(WORKFLOWS))
    workflow = WORKFLOWS[number]
    columns = {
        "tenant_id": TENANTS[tenant],
        "workflow_id": workflow.name,
        "consumer_id": f"{TENANTS[tenant]}:{workflow.feature}",
        "principal_id": f"svc-{workflow.workload}",
        "feature": workflow.feature,
        "environment": WORKLOADS[WORKLOAD[workflow.workload]].environment,
    }
    if workflow.agent:
        columns["agent"] = workflow.agent
    return columns
