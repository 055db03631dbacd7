"""One charge's amount into rows, by the evidence that explains it (page 10, "Dividing").

Belongs here: meter, node, pod, idle and pool division. Does not: their order (``day``).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from attribution_pipeline.model.policy import Policy, Pool
from attribution_pipeline_tests.oracle.book import Book, tenant_alone
from attribution_pipeline_tests.oracle.clusters import (
    Attached,
    Cluster,
    NodeSet,
    dedicated_tenant,
)
from attribution_pipeline_tests.oracle.divide import open_parts, share, share_in_order, toward_zero
from attribution_pipeline_tests.oracle.drivers import Drivers, Recipient
from attribution_pipeline_tests.oracle.meters import MeterSlice
from attribution_pipeline_tests.oracle.words import (
    KINDS_OF_POD_COST,
    Identity,
    Operation,
    Piece,
    Pod,
    PodName,
)

if TYPE_CHECKING:
    from attribution_pipeline_tests.oracle.day import Ties

Pair = tuple[int, int]
"""Billed and effective."""


def divide_meter(book: Book, slice_: MeterSlice, policy: Policy, ties: Ties) -> None:
    """Over the operations that metered it; the rest stays open, or is spread if the policy says."""
    model, kind = slice_.key.model, slice_.key.token_kind
    confidence = "metered" if slice_.covered(policy) else "estimated"
    for piece in slice_.pieces:
        if slice_.seen == 0:
            book.leave_open(
                piece, "direct", "no_operation_evidence", piece.costs, model=model, token_kind=kind
            )
            continue
        parts, rest = _meter_parts(piece, slice_, policy)
        for operation, costs in parts.items():
            identity = book.identity(
                piece, "direct", "own", operation.who,
                operation_name=operation.operation_name, model=model, token_kind=kind,
                reason=operation.reason,
            )  # fmt: skip
            book.write(
                piece, identity, "operations", costs, confidence=confidence, operation=operation
            )
        gap = slice_.billed is not None and slice_.seen < slice_.billed
        if gap and policy.evidence_gap == "spread":
            by_who: dict[Recipient, Fraction] = {}
            for operation, weight in slice_.weights.items():
                recipient = (operation.who, operation.reason)
                by_who[recipient] = by_who.get(recipient, Fraction(0)) + weight
            _share_out(
                book, piece, rest, by_who, ties, "direct", "spread",
                model=model, token_kind=kind, confidence="estimated",
            )  # fmt: skip
        else:
            # what list prices leave is no dust, whoever saw more
            rolled_up = policy.join.direction == "roll_up_operations"
            reason = "telemetry_gap" if gap or rolled_up else "rounding"
            book.leave_open(piece, "direct", reason, rest, model=model, token_kind=kind)


def _meter_parts(
    piece: Piece, slice_: MeterSlice, policy: Policy
) -> tuple[dict[Operation, Pair], Pair]:
    if policy.join.direction == "roll_up_operations":
        listed = {
            operation: toward_zero(piece.list_cost * weight / slice_.unit_base)
            for operation, weight in slice_.weights.items()
        }
        total = sum(listed.values())
        parts = {operation: (part, part) for operation, part in listed.items()}
        return parts, (piece.billed - total, piece.effective - total)
    billed, rest_billed = open_parts(piece.billed, slice_.weights, slice_.denominator)
    effective, rest_effective = open_parts(piece.effective, slice_.weights, slice_.denominator)
    return {op: (billed[op], effective[op]) for op in billed}, (rest_billed, rest_effective)


def divide_node(
    book: Book, piece: Piece, pool: Pool, cluster: Cluster, drivers: Drivers, policy: Policy,
    ties: Ties,
) -> dict[str, Pair]:  # fmt: skip
    """A node's charge to its pods and from each pod on. Returns what is idle, by kind."""
    nodes = cluster.node_set_of(piece)
    attached = cluster.attached_of(piece)
    if nodes is None and attached is not None and any(attached.shares.values()):
        _divide_attached(book, piece, pool, attached, cluster, drivers, policy, ties)
        return {}
    if nodes is None and piece.charge.commitment_status == "Unused":
        book.leave_open(
            piece, "idle", "unused_commitment", piece.costs, leg="idle", pool=pool.name, whole=True
        )
        return {}
    if nodes is not None and nodes.quarantined:
        book.leave_open(piece, "workload", "quarantined", piece.costs, pool=pool.name, whole=True)
        return {}
    if nodes is None or not any(nodes.cost.values()):
        book.leave_open(piece, "workload", "no_driver", piece.costs, pool=pool.name, whole=True)
        return {}
    of_kind = _pairs(
        [share_in_order(cost, [nodes.cost[k] for k in KINDS_OF_POD_COST]) for cost in piece.costs]
    )
    idle: dict[str, Pair] = {}
    to_pod: dict[PodName, Pair] = {}
    pods = {pod.name: pod for pod in cluster.pods}
    for kind, costs in zip(KINDS_OF_POD_COST, of_kind, strict=True):
        weights = {pod.name: _cost_on(pod, nodes, kind) for pod in cluster.pods}
        weights = {name: weight for name, weight in weights.items() if weight > 0}
        denominator = nodes.cost[kind]
        if pool.over_allocation == "scale":
            denominator = max(denominator, sum(weights.values()))
        if denominator == 0:
            continue  # the kind has no part of the amount either
        billed, idle_billed = open_parts(costs[0], weights, denominator)
        effective, idle_effective = open_parts(costs[1], weights, denominator)
        idle[kind] = (idle_billed, idle_effective)
        for name in weights:
            so_far = to_pod.get(name, (0, 0))
            to_pod[name] = (so_far[0] + billed[name], so_far[1] + effective[name])
    for name, costs in to_pod.items():
        _divide_pod(book, piece, pool, pods[name], costs, cluster, drivers, policy, ties)
    return idle


def _divide_attached(
    book: Book, piece: Piece, pool: Pool, attached: Attached, cluster: Cluster, drivers: Drivers,
    policy: Policy, ties: Ties,
) -> None:  # fmt: skip
    """A volume or balancer to the pods that have it, by OpenCost's shares; no idle, no rest."""
    weights = {name: weight for name, weight in attached.shares.items() if weight > 0}

    def by_name(name: PodName | None) -> tuple[str, ...]:
        return ("~",) if name is None else tuple(part or "" for part in name)

    billed, effective = (share(cost, weights, by_name) for cost in piece.costs)
    pods = {pod.name: pod for pod in cluster.pods}
    for name in weights:
        costs = (billed[name], effective[name])
        if name is None:
            book.leave_open(piece, "workload", "unmounted", costs, pool=pool.name)
        else:
            _divide_pod(book, piece, pool, pods[name], costs, cluster, drivers, policy, ties)


def _cost_on(pod: Pod, nodes: NodeSet, kind: str) -> int:
    return sum(cost[kind] for node, cost in pod.cost.items() if node in nodes.nodes)


def _divide_pod(
    book: Book, piece: Piece, pool: Pool, pod: Pod, costs: Pair, cluster: Cluster,
    drivers: Drivers, policy: Policy, ties: Ties,
) -> None:  # fmt: skip
    weights = {op: drivers.of_operation(pool.driver, op) for op in cluster.operations_on(pod)}
    weights = {operation: weight for operation, weight in weights.items() if weight > 0}
    if weights:

        def by_key(operation: Operation) -> object:
            return ties.operation(operation.key)

        billed, effective = (share(cost, weights, by_key) for cost in costs)
        for operation in weights:
            identity = book.identity(
                piece, "workload", "own", operation.who,
                operation_name=operation.operation_name, model=operation.model,
                reason=operation.reason,
            )  # fmt: skip
            part = (billed[operation], effective[operation])
            book.write(piece, identity, "operations", part, pool=pool.name, operation=operation)
        return
    tenant = dedicated_tenant(pod, policy)
    if tenant is not None:
        identity = book.identity(piece, "workload", "own", tenant_alone(tenant))
        book.write(piece, identity, "workload", costs, pool=pool.name)
    else:
        book.leave_open(piece, "workload", "no_operation_evidence", costs, pool=pool.name)


def divide_idle(
    book: Book, piece: Piece, pool: Pool, by_kind: Mapping[str, Pair], cluster: Cluster,
    drivers: Drivers, ties: Ties,
) -> None:  # fmt: skip
    """What no pod used, each kind over the operations beside which it lay idle."""
    nodes = cluster.node_set_of(piece)
    for kind, costs in by_kind.items():
        assert nodes is not None
        if pool.idle is None or pool.idle.keep == "visible":
            book.leave_open(piece, "idle", "no_driver", costs, leg="idle", pool=pool.name)
            continue
        if pool.idle.driver in ("cost", "even"):
            weights = drivers.recipients(pool.idle.driver, piece, pool)
            if weights:
                _share_out(book, piece, costs, weights, ties, "idle", "idle", pool=pool.name)
            else:
                book.leave_open(piece, "idle", "no_driver", costs, leg="idle", pool=pool.name)
            continue
        beside = [
            operation
            for pod in cluster.pods
            if any(
                cost[kind] > 0
                for node, cost in pod.cost.items()
                if node in nodes.nodes
                or (pool.idle.within == "cluster" and node[0] == nodes.cluster)
            )
            for operation in cluster.operations_on(pod)
        ]
        weights = drivers.by_who(pool.idle.driver or "none", beside)
        if weights:
            _share_out(book, piece, costs, weights, ties, "idle", "idle", pool=pool.name)
        else:
            book.leave_open(
                piece, "idle", "no_operation_evidence", costs, leg="idle", pool=pool.name
            )


def divide_pool(book: Book, piece: Piece, pool: Pool, drivers: Drivers, ties: Ties) -> None:
    """A charge over its driver's recipients; open where the driver has no quantities."""
    weights = drivers.recipients(pool.driver, piece, pool, pool.fixed)
    if weights:
        _share_out(book, piece, piece.costs, weights, ties, pool.component, "own", pool=pool.name)
    else:
        book.leave_open(piece, pool.component, "no_driver", piece.costs, pool=pool.name, whole=True)


def _share_out(
    book: Book, piece: Piece, costs: Pair, weights: Mapping[Recipient, Fraction], ties: Ties,
    component: str, leg: str, *, model: str | None = None, token_kind: str | None = None,
    confidence: str = "allocated", pool: str | None = None,
) -> None:  # fmt: skip
    """A ``share`` over recipients, one row each; ties to the row with the smaller id."""
    row_of: dict[Recipient, Identity] = {
        (who, reason): book.identity(
            piece, component, leg, who, model=model, token_kind=token_kind, reason=reason
        )
        for who, reason in weights
    }

    def by_row(recipient: Recipient) -> object:
        return ties.row(row_of[recipient])

    billed, effective = (share(cost, weights, by_row) for cost in costs)
    for recipient, identity in row_of.items():
        book.write(
            piece, identity, "driver", (billed[recipient], effective[recipient]),
            confidence=confidence, pool=pool,
        )  # fmt: skip


def _pairs(by_cost: list[list[int]]) -> list[Pair]:
    billed, effective = by_cost
    return list(zip(billed, effective, strict=True))
