"""Who the small company is: five tenants, three models, one cluster of two nodes and six pods.

Belongs here: names, prices and machines, as constants. Does not: what happened (``happenings``).
"""

from __future__ import annotations

from dataclasses import dataclass

from attribution_pipeline.model.money import QUANTA_PER_UNIT
from attribution_pipeline.simulator.cluster import Clusters, Container, Machine, Node, Pod

POLICY = "small-chargeback"
TENANTS = ("acme", "globex", "initech", "umbrella", "hooli")
WORKFLOWS = ("chat", "search", "digest")

TAG_ALIAS = ("Globex-Corp", "globex")
"""How spans of the digest spell a tenant; a policy version may map it."""

CLUSTER = "small"
PAYER, ISSUER = "444455556666", "Amazon Web Services, Inc."
VECTOR_ACCOUNT, VECTOR_ISSUER = "pc-small", "Pinecone Systems"

MACHINES_PAYER = "444455557777"
"""Nodes, support and tax are billed to another account than tokens."""


@dataclass(frozen=True)
class Model:
    """One model. ``prices``: quanta (1e-12 USD) per token by kind; none for a self-hosted one."""

    provider: str
    name: str
    prices: tuple[tuple[str, int], ...]


MICRO = QUANTA_PER_UNIT // 10**6
MODELS = (
    Model("aws.bedrock", "claude-small", (("uncached_input", 3 * MICRO), ("output", 15 * MICRO))),
    Model("aws.bedrock", "nova-small", (("uncached_input", MICRO), ("output", 5 * MICRO))),
    Model("vllm", "llama-small", ()),
)
CLAUDE, NOVA, LLAMA = range(3)

EFFECTIVE_PERCENT = 95
"""What a committed company pays of what it is billed."""

METER_NAMES = {"uncached_input": "{}-input-tokens", "output": "{}-output-tokens"}

SMALL_NODE = Machine("m7i.large", 2, 8, 0, 38_700_000, 4_425_000, 0)
NODE_IDS = ("i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2")
NODE_COST = (5 * QUANTA_PER_UNIT, 7 * QUANTA_PER_UNIT)
"""What a node is billed a day."""

CHAT_POD, SEARCH_POD, DNS_POD, SERVER_POD, OWN_POD, BATCH_POD = range(6)
DEDICATED = 0
"""The tenant of OWN_POD, by its place in TENANTS."""

CALLER_OF = {"chat": CHAT_POD, "search": SEARCH_POD, "digest": BATCH_POD}


def clusters() -> Clusters:
    """The cluster as it truly was, the same every day. A new object each time: drafts change it."""
    nodes = [
        Node(CLUSTER, f"node-{number}", instance, "eu-west-1a", SMALL_NODE, "0", 0)
        for number, instance in enumerate(NODE_IDS)
    ]
    pods = [
        Pod("chat-7f", "apps", "chat", "deployment", 0),
        Pod("search-5c", "apps", "search", "deployment", 0),
        Pod("coredns-1", "kube-system", "coredns", "deployment", 0),
        Pod("vllm-llama-0", "inference", "vllm-llama", "statefulset", 1),
        Pod("assistant-9d", f"tenant-{TENANTS[DEDICATED]}", "assistant", "deployment", 1,
            tenant=0),
        Pod("digest-3b", "jobs", "digest", "deployment", 1),
    ]  # fmt: skip
    sizes = ((600, 2048), (500, 1536), (100, 256), (1000, 4096), (300, 1024), (200, 512))
    for pod, (mcpu, mib) in zip(pods, sizes, strict=True):
        pod.containers = [Container("main", mcpu, 0, mib)]
    return Clusters(nodes, pods, [], {}, {}, -1, -1)
