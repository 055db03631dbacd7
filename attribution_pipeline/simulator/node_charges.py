"""EC2 charges of cluster nodes, and which pods, whose calls and how much idle they paid for.

Belongs here: billed prices of instances, the savings plan, causes from active time. Does not: list
prices and requests (``cluster``), OpenCost's snapshots (``opencost``).

The cause of a pod's cost is the work it did: its true share of the node, over the calls that it
made or served, by active time. A pod without calls is its tenant's where it is dedicated, else
nobody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import numpy as np

from attribution_pipeline.simulator.charges import Charge, aws, day_line, key_of
from attribution_pipeline.simulator.cluster import Clusters, Node, container_cost
from attribution_pipeline.simulator.company import TENANTS, WORKFLOWS
from attribution_pipeline.simulator.opencost import Snapshots, rounding_bound
from attribution_pipeline.simulator.tally import KNOWN, NAMELESS, UNSEEN, UNVERIFIED, DayTally
from attribution_pipeline.simulator.truth import Cause, apportion

EC2 = "Amazon Elastic Compute Cloud"
SAVINGS_PLANS = "Savings Plans for AWS Compute usage"
PLAN = "arn:aws:savingsplans::111122223333:savingsplan/5f1c2d3e-4b5a-4c6d-8e7f-901234567890"

QUANTA_PER_NANO = 1000
ON_DEMAND_PERCENT = 88
"""The company's private rate: what it is billed of the list price that OpenCost uses."""
COMMITTED_PERCENT = 62
UNUSED_PERCENT = 9
"""Of what the savings plan covers: bought and not used."""


def node_charges(
    day: date, tally: DayTally, clusters: Clusters, wrong: Snapshots
) -> Iterator[Charge]:
    """Every node's charges of the day, and the savings plan's. ``wrong``: OpenCost's mistakes."""
    covered = 0
    for number, node in enumerate(clusters.nodes):
        on_demand, plan = _amounts(node)
        covered += plan
        for amounts, more in (
            ((on_demand, on_demand), {}),
            ((0, plan), {"CommitmentDiscountId": PLAN, "CommitmentDiscountStatus": "Used",
                         "CommitmentDiscountType": "Compute Savings Plans",
                         "CommitmentDiscountCategory": "Spend", "PricingCategory": "Committed"}),
        ):  # fmt: skip
            if any(amounts):
                yield _charge(day, tally, clusters, wrong, number, amounts, more)
    yield from _savings_plan(day, covered)


CORRECTED_RANK, CORRECTED_PERCENT = 1, -3
"""The node that the fault ``corrections`` corrects, and by how much of its price."""


def node_correction(
    day: date, tally: DayTally, clusters: Clusters, wrong: Snapshots, billing_period: date
) -> Iterator[Charge]:
    """A lower price of one node's past day, billed in a later period."""
    number = clusters.app_nodes[CORRECTED_RANK]
    amount = _amounts(clusters.nodes[number])[0] * CORRECTED_PERCENT // 100
    more = {"ChargeClass": "Correction"}
    charge = _charge(day, tally, clusters, wrong, number, (amount, amount), more)
    charge.billing_period = billing_period
    yield charge


def _charge(
    day: date, tally: DayTally, clusters: Clusters, wrong: Snapshots, number: int,
    amounts: tuple[int, int], more: dict[str, str],
) -> Charge:  # fmt: skip
    """One charge of one node with its causes and its bound."""
    node = clusters.nodes[number]
    focus = aws(
        EC2, "Usage", "Compute", f"{node.machine.name} in {node.cluster}",
        resource=node.instance_id, sku=f"ec2.{node.machine.name}", unit="Hours",
        more={"ResourceType": "instance", "AvailabilityZone": node.zone, **more},
    )  # fmt: skip
    reason = wrong.reason(number)
    bound = (Fraction(0), Fraction(0))
    if reason is not None:
        causes = [Cause(None, None, "platform", False, reason, *amounts)]
    else:
        bodies, scale = _bodies(clusters, number, tally), wrong.of_asset(number)
        causes = _causes(bodies, amounts)
        bound = tuple(_bound(clusters, number, bodies, amount, scale) for amount in amounts)  # type: ignore[assignment]
    tags = {"eks-cluster": node.cluster, "Name": node.name}
    return Charge("aws", focus, tags, [day_line(day, *amounts)], key_of(focus, day), causes, bound)


def _amounts(node: Node) -> tuple[int, int]:
    """(on demand, under the plan) in quanta for the day."""
    committed = min(node.committed_minutes, node.minutes)
    hourly = node.machine.hourly * QUANTA_PER_NANO
    on_demand = hourly * (node.minutes - committed) * ON_DEMAND_PERCENT // (60 * 100)
    return on_demand, hourly * committed * COMMITTED_PERCENT // (60 * 100)


def _savings_plan(day: date, covered: int) -> Iterator[Charge]:
    unused = covered * UNUSED_PERCENT // 100
    more = {"CommitmentDiscountId": PLAN, "CommitmentDiscountType": "Compute Savings Plans",
            "CommitmentDiscountCategory": "Spend", "PricingCategory": "Committed"}  # fmt: skip
    focus = aws(SAVINGS_PLANS, "Usage", "Compute", "savings plan, not used", sku="sp.compute",
                resource="", more={**more, "CommitmentDiscountStatus": "Unused"})  # fmt: skip
    yield Charge(
        "aws", focus, {}, [day_line(day, 0, unused)], key_of(focus, day),
        [Cause(None, None, "commitment", False, "unused_commitment", 0, unused)],
    )  # fmt: skip
    fee = aws(SAVINGS_PLANS, "Purchase", "Compute", "savings plan, recurring fee",
              sku="sp.compute.fee", more={**more, "ChargeFrequency": "Recurring"})  # fmt: skip
    yield Charge(
        "aws", fee, {}, [day_line(day, covered + unused, 0)], key_of(fee, day),
        [Cause(None, None, "overhead", False, None, covered + unused, 0)],
    )  # fmt: skip


@dataclass(frozen=True)
class _Body:
    """What takes a part of a node: a pod, or idle. ``cost`` in COST_UNITS of the whole node's."""

    pod: int  # -1: idle
    cost: int
    total: int
    ms: np.ndarray | None = None  # who x status
    tenant: int = -1
    seen_ms: int = 0
    moved_ms: int = 0
    calls: int = 0


def _bodies(clusters: Clusters, number: int, tally: DayTally) -> list[_Body]:
    node = clusters.nodes[number]
    total, bodies, used = sum(node.cost()), [], 0
    for index in clusters.pods_of(number):
        pod = clusters.pods[index]
        cost = sum(sum(container_cost(node, pod, found)) for found in pod.containers)
        used += cost
        bodies.append(
            _Body(index, cost, total, tally.ms[index], pod.tenant, int(tally.evidence_ms[index]),
                  int(tally.moved_ms[index]), int(tally.pod_calls[index]))
        )  # fmt: skip
    # signed: an over-allocated node has less than nothing idle
    return [*bodies, _Body(-1, total - used, total)]


def _causes(bodies: list[_Body], amounts: tuple[int, int]) -> list[Cause]:
    parts = [[amount * body.cost // body.total for body in bodies] for amount in amounts]
    for amount, found in zip(amounts, parts, strict=True):
        found[-1] += amount - sum(found)
    causes: dict[tuple[str | None, str | None, str, bool, str | None], list[int]] = {}
    for place, body in enumerate(bodies):
        for who, billed, effective in _within(body, parts[0][place], parts[1][place]):
            sums = causes.setdefault(who, [0, 0])
            sums[0] += billed
            sums[1] += effective
    return [Cause(*who, *sums) for who, sums in causes.items()]


def _within(body: _Body, billed: int, effective: int):  # type: ignore[no-untyped-def]
    """(tenant, workflow, cause, knowable, reason), billed, effective of one body."""
    if body.pod < 0:
        yield (None, None, "idle", False, None), billed, effective
        return
    assert body.ms is not None
    if body.seen_ms == 0 and body.tenant >= 0:
        # nothing seen of it, or nothing done: its label answers
        yield (TENANTS[body.tenant], None, "workload", True, None), billed, effective
        return
    called = np.flatnonzero(body.ms.sum(axis=1))
    if not len(called):
        yield (None, None, "platform", False, "no_operation_evidence"), billed, effective
        return
    # who first, then what became of the evidence: so a fault moves no quantum between causes
    by_who = body.ms[called].sum(axis=1)
    shares = zip(apportion(billed, by_who), apportion(effective, by_who), strict=True)
    # what was lost goes to the pod's other calls; without any, nobody was seen
    lost = "no_operation_evidence" if body.seen_ms == 0 else None
    reasons = {
        KNOWN: None, NAMELESS: "identity_missing", UNSEEN: lost, UNVERIFIED: "identity_unverified",
    }  # fmt: skip
    for who, (who_billed, who_effective) in zip(called.tolist(), shares, strict=True):
        tenant, workflow = divmod(who, len(WORKFLOWS))
        parts = (
            apportion(int(who_billed), body.ms[who]),
            apportion(int(who_effective), body.ms[who]),
        )
        for status, reason in reasons.items():
            known = (TENANTS[tenant], WORKFLOWS[workflow].name, "call", status == KNOWN, reason)
            yield known, int(parts[0][status]), int(parts[1][status])


def _bound(
    clusters: Clusters, number: int, bodies: list[_Body], amount: int, scale: Fraction
) -> Fraction:
    """Quanta of this charge that may honestly stand on a wrong cause.

    OpenCost's rounding, plus for every pod its cost times the largest distance that lost evidence
    can put between true and shown shares of active time: sum |true - shown| / max(sums) (total
    variation of two normalised weights), plus one quantum for each call and kind.
    """
    bound = rounding_bound(clusters, number, amount, scale)
    for body in bodies:
        if body.pod < 0 or body.ms is None:
            continue
        true_ms = int(body.ms.sum())
        longest = max(true_ms, body.seen_ms)
        if body.seen_ms and longest:
            cost = Fraction(abs(amount) * body.cost, body.total)
            bound += cost * Fraction(body.moved_ms, longest)
        bound += 2 * (body.calls + 2)
    return bound
