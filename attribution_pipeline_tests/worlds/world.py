"""One world: a seed's bill, spans, cluster, usage and policy for one day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from attribution_pipeline.model.policy import Policy
from attribution_pipeline_tests.oracle.words import Evidence
from attribution_pipeline_tests.worlds.bills import billing, usage
from attribution_pipeline_tests.worlds.calls import spans
from attribution_pipeline_tests.worlds.clusters import nodes
from attribution_pipeline_tests.worlds.dice import Dice
from attribution_pipeline_tests.worlds.names import setting
from attribution_pipeline_tests.worlds.policies import policy

ADDRESSES = ("llama.inference.svc", "vllm.jobs.svc")


@dataclass(frozen=True)
class World:
    """Everything that a day of the ledger is computed from."""

    seed: int
    day: date
    first_day: date
    evidence: Evidence
    policy: Policy


def world(seed: int) -> World:
    """The world of a seed: the same on every machine."""
    dice = Dice(seed)
    about = setting(dice)
    cluster = nodes(about)
    servers = []
    if cluster.workloads:
        servers = [(address, dice.pick(cluster.workloads)) for address in dice.some(ADDRESSES, 0.4)]
    calls = spans(about, cluster.pods, [address + ":8000" for address in ADDRESSES])
    lines = billing(about, calls, cluster.billed, cluster.attached)
    sources = {line["source"] for line in lines} | {"bill"}
    return World(
        seed=seed,
        day=about.day,
        first_day=about.first_day,
        policy=policy(about, servers),
        evidence=Evidence(
            billing=lines,
            spans=calls,
            allocations=cluster.allocations,
            assets=cluster.assets,
            usage=usage(about),
            kubernetes=cluster.kubernetes,
            delivery={"bill": "replace", "second": "append"},
            standing={"billing": {source: [f"billing-of-{source}"] for source in sources}},
        ),
    )
