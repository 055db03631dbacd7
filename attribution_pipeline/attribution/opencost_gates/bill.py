"""OpenCost's cost of nodes beside their bill: variance by node type, and unit scale.

Belongs here: which charges pay for which nodes, compared. Does not: dividing them (``workloads``).
Nothing is ever scaled by what is found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.day import Compute, Finding, Plane
from attribution_pipeline.attribution.engine import session
from attribution_pipeline.attribution.opencost_gates.scale import SMALLEST_FACTOR, named
from attribution_pipeline.model.evidence import KUBERNETES_COST_UNIT
from attribution_pipeline.model.money import SCALE

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

OPENCOST_CURRENCY = "USD"
"""OpenCost's answers have no currency; its list prices are in USD. Bills in another currency are
compared for reading, and judged by nobody."""

NODE_TYPES = (
    "select n.cluster, n.name, n.instance_type from nodes n order by n.cluster, n.name, "
    "n.instance_type"
)


@dataclass
class BilledNodes:
    """Nodes of one cluster that the bill knows as one resource, with what a day of them costs."""

    cluster: str
    resource: str
    instance_type: str
    nodes: int
    currency: str
    opencost: Decimal
    billed_cost: Decimal = Decimal(0)
    effective_cost: Decimal = Decimal(0)
    list_cost: Decimal = Decimal(0)
    quarantined: bool = False
    """Its cost by OpenCost is in doubt already."""


def against_bill(
    planes: Mapping[str, Plane], policy: Policy, day: date, compute: Compute
) -> list[BilledNodes]:
    """One entry for every node set that a charge of a pool with ``split: opencost`` pays for."""
    from attribution_pipeline.attribution.charges import load_portions
    from attribution_pipeline.attribution.nodes import load_node_slices, named_portions
    from attribution_pipeline.attribution.reconcile import load_cluster

    if not policy.nodes or not any(pool.split for pool in policy.pools):
        return []
    with session(compute) as db:
        assignments = load_portions(db, planes["billing"].files["charges"], policy, day)
        load_cluster(db, planes)
        slices = load_node_slices(db, policy)
        types = {(cluster, name): kind for cluster, name, kind in db.rows(NODE_TYPES)}
        split = {n for n, found in enumerate(assignments)
                 if found.pool >= 0 and policy.pools[found.pool].split}  # fmt: skip
        found: dict[tuple[int, str], BilledNodes] = {}
        for portion in named_portions(db, policy, split):
            number = slices.of_any(portion.named)
            if number is None:
                continue
            node = slices.slices[number]
            key = (number, portion.currency)
            if key not in found:
                kinds = sorted({types.get(place) or "" for place in node.nodes})
                found[key] = BilledNodes(
                    node.cluster or "", node.resource, " + ".join(kinds), len(node.nodes),
                    portion.currency, _opencost(sum(node.cost.values())),
                    quarantined=node.quarantined,
                )  # fmt: skip
            found[key].billed_cost += _money(portion.billed)
            found[key].effective_cost += _money(portion.effective)
            found[key].list_cost += _money(portion.listed)
    return [found[key] for key in sorted(found)]


def by_type(billed: Iterable[BilledNodes]) -> list[dict[str, Any]]:
    """Sums per cluster, node type and currency; quarantined node sets are left out and counted."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    amounts = ("opencost", "billed_cost", "effective_cost", "list_cost")
    for one in billed:
        key = (one.cluster, one.instance_type, one.currency)
        row = rows.setdefault(
            key,
            {
                "cluster": one.cluster, "node_type": one.instance_type or NO_TYPE,
                "currency": one.currency, "nodes": 0, "quarantined": 0,
                **dict.fromkeys(amounts, Decimal(0)),
            },
        )  # fmt: skip
        row["nodes"] += one.nodes
        if one.quarantined:
            row["quarantined"] += one.nodes
            continue
        for name in amounts:
            row[name] += getattr(one, name)
    for row in rows.values():
        row["opencost_over_bill"] = _share(row["opencost"], row["effective_cost"])
        row["opencost_over_list"] = _share(row["opencost"], row["list_cost"])
    return [rows[key] for key in sorted(rows)]


NO_TYPE = "(no type)"
SHARE = Decimal("0.0001")


def _share(part: Decimal, whole: Decimal) -> Decimal | None:
    return (part / whole).quantize(SHARE) if whole > 0 else None


def unit_scale(billed: Sequence[BilledNodes]) -> list[Finding]:
    """Node sets whose cost is off their bill by as much as a conversion between units.

    The band of a node is its own bill of the day, from the lowest to the highest of what it lists,
    bills and amortises; a discount is far from the smallest factor. A node that is off as a whole
    still divides its charge right, so this alerts and quarantines nothing.
    """
    found = []
    for one in billed:
        costs = [c for c in (one.list_cost, one.billed_cost, one.effective_cost) if c > 0]
        if one.quarantined or one.currency != OPENCOST_CURRENCY or not costs or not one.opencost:
            continue
        above = Fraction(one.opencost) / Fraction(max(costs))
        below = Fraction(min(costs)) / Fraction(one.opencost)
        if max(above, below) < SMALLEST_FACTOR:
            continue
        word = "above" if above > below else "below"
        found.append(
            Finding(
                "unit_scale_suspect",
                "warn",
                f"{one.cluster}/{one.resource}",
                f"OpenCost has {one.opencost:f} for the day, the bill {_band(costs)} "
                f"{one.currency}: {word} it, nearest conversion {named(max(above, below))}",
            )
        )
    return found


def _band(costs: Sequence[Decimal]) -> str:
    return " to ".join(f"{cost.normalize():f}" for cost in sorted({min(costs), max(costs)}))


def _opencost(units: int) -> Decimal:
    return Decimal(units).scaleb(-KUBERNETES_COST_UNIT)


def _money(quanta: int) -> Decimal:
    return Decimal(quanta).scaleb(-SCALE)
