"""One day of the ledger, phase by phase (page 10, "Order").

Belongs here: which rule takes a charge, and the phases in their order. Does not: how one body of
evidence divides (``dividing``), what drivers weigh (``drivers``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from attribution_pipeline.model.policy import Policy
from attribution_pipeline_tests.oracle.book import Book, billed_to
from attribution_pipeline_tests.oracle.charges import pieces_of
from attribution_pipeline_tests.oracle.clusters import Cluster, cluster_of, label_of
from attribution_pipeline_tests.oracle.dividing import (
    divide_idle,
    divide_meter,
    divide_node,
    divide_pool,
)
from attribution_pipeline_tests.oracle.drivers import Drivers
from attribution_pipeline_tests.oracle.identity import named_by_workload
from attribution_pipeline_tests.oracle.meters import Metered, meter_slices, metered
from attribution_pipeline_tests.oracle.operations import ends_on, operations_of
from attribution_pipeline_tests.oracle.patterns import matches
from attribution_pipeline_tests.oracle.words import (
    Evidence,
    Identity,
    Operation,
    Piece,
    Record,
    Row,
)


class Pooled(NamedTuple):
    """The place of a pool in the policy."""

    pool: int


@dataclass(frozen=True)
class Day:
    """``rows``: the ledger, zero rows included. ``operations``: all that the spans show."""

    rows: list[Row]
    operations: list[Operation]
    pieces: list[Piece]
    cluster: Cluster


@dataclass(frozen=True)
class Ties:
    """Who is smaller where remainders are equal: the ledger's ids, which the oracle cannot know."""

    row: Callable[[Identity], Any] = repr
    operation: Callable[[tuple[str, ...]], Any] = repr


def reconcile(
    evidence: Evidence, policy: Policy, day: date, first_day: date, ties: Ties | None = None
) -> Day:
    """The rows of ``day``."""
    ties = ties or Ties()
    operations = operations_of(evidence, policy)
    cluster = cluster_of(evidence, operations, policy, day)
    operations = [
        named_by_workload(operation, label_of(operation, cluster, policy), policy.join.identity)
        for operation in operations
    ]
    ended = [operation for operation in operations if ends_on(operation, day)]
    cluster = cluster_of(evidence, operations, policy, day)

    def rule(line: Record, tags: Mapping[str, str]) -> Hashable:
        for index, meter in enumerate(policy.meters):
            if matches(meter.match, line, tags):
                taken = metered(policy, index, line, tags)
                if taken.model is not None:  # a meter takes what it can read the model of
                    return taken
        for index, pool in enumerate(policy.pools):
            if matches(pool.match, line, tags):
                return Pooled(index)
        return None

    pieces = pieces_of(evidence, day, first_day, rule)
    book = Book()
    outside = [piece for piece in pieces if piece.outside_range]
    within = [piece for piece in pieces if not piece.outside_range]

    # 1. meters
    by_operations = [piece for piece in within if isinstance(piece.rule, Metered)]
    for slice_ in meter_slices(by_operations, ended, policy):
        divide_meter(book, slice_, policy, ties)

    # 2. shared pools, in file order; their bases look at phase 1 alone
    rest = [piece for piece in within if not isinstance(piece.rule, Metered)]
    drivers = Drivers(evidence, policy, day, operations, cluster, book.rows)
    idle = []
    for piece in sorted(_taken(rest, policy, "shared"), key=lambda piece: piece.rule):
        pool = policy.pools[piece.rule.pool]
        if pool.split == "opencost":
            idle.append(
                (piece, pool, divide_node(book, piece, pool, cluster, drivers, policy, ties))
            )
        else:
            divide_pool(book, piece, pool, drivers, ties)

    # 3. the charge's own tag, then the built-in pools, then nothing
    by_pool = _taken(rest, policy, "shared") + _taken(rest, policy, "overhead")
    for piece in rest:
        if piece not in by_pool:
            _tag_or_open(book, piece, policy)

    # 4. idle
    drivers = Drivers(evidence, policy, day, operations, cluster, book.rows)
    for piece, pool, by_kind in idle:
        divide_idle(book, piece, pool, by_kind, cluster, drivers, ties)

    # 5. overhead, over bases that no overhead moves
    drivers = Drivers(evidence, policy, day, operations, cluster, book.rows)
    for piece in _taken(rest, policy, "overhead"):
        divide_pool(book, piece, policy.pools[piece.rule.pool], drivers, ties)

    for piece in outside:
        book.leave_open(piece, "direct", "outside_range", piece.costs, whole=True)
    return Day(book.rows, operations, pieces, cluster)


def _taken(pieces: list[Piece], policy: Policy, component: str) -> list[Piece]:
    """Pieces that a pool of this component divides, where their own tag does not go first."""
    taken = []
    for piece in pieces:
        if piece.rule is None:
            continue
        pool = policy.pools[piece.rule.pool]
        tag_first = pool.tagged == "first" or pool.driver == "none"
        if pool.component == component and not (tag_first and _tagged(piece, policy)):
            taken.append(piece)
    return taken


def _tagged(piece: Piece, policy: Policy) -> str | None:
    """The tenant that the charge's own tag names."""
    if "resource_tag" not in policy.join.identity:
        return None
    tenant = piece.tags.get(policy.join.tenant_tag)
    return policy.join.tenant_aliases.get(tenant, tenant) if tenant else None


def _tag_or_open(book: Book, piece: Piece, policy: Policy) -> None:
    tenant = _tagged(piece, policy)
    if tenant is not None:
        # page 10: an unused commitment is idle and a purchase overhead; whose it is is another matter
        component, leg = "direct", "own"
        if piece.charge.commitment_status == "Unused":
            component, leg = "idle", "idle"
        elif piece.charge.category == "Purchase":
            component = "overhead"
        identity = book.identity(piece, component, leg, billed_to(tenant, piece))
        book.write(piece, identity, "tag", piece.costs)
    elif piece.charge.commitment_status == "Unused":
        book.leave_open(piece, "idle", "unused_commitment", piece.costs, leg="idle", whole=True)
    elif piece.charge.category == "Purchase":
        book.leave_open(piece, "overhead", "no_driver", piece.costs, whole=True)
    else:
        book.leave_open(piece, "direct", "unmatched_charge", piece.costs, whole=True)
