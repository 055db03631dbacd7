"""What a filter moved: tenant totals of the day as recorded, and under either identity of its nodes.

Belongs here: the day divided as if doubtful nodes had one price. Does not: publishing anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.day import Compute, Plane
from attribution_pipeline.attribution.engine import session

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

IDENTITIES = {"filled": "instance_type <> ''", "empty": "instance_type = ''"}
"""Under which name of itself a node is taken, and which of its prices that is."""

UNALLOCATED = "(unallocated)"

NEVER = datetime.fromtimestamp(0, UTC)
"""When a day is recorded that is not."""

ONE_PRICE = """
select n.* replace (
    coalesce(p.cpu_cost, n.cpu_cost) as cpu_cost,
    coalesce(p.gpu_cost, n.gpu_cost) as gpu_cost,
    coalesce(p.ram_cost, n.ram_cost) as ram_cost,
    n.quarantined and p.name is null as quarantined
)
from nodes n
left join (select cluster, name, max(cpu_cost) as cpu_cost, max(gpu_cost) as gpu_cost,
                  max(ram_cost) as ram_cost
           from node_prices where {which} group by cluster, name) p
    on coalesce(p.cluster, '') = coalesce(n.cluster, '') and p.name = n.name
"""


def tenant_totals(
    planes: Mapping[str, Plane],
    ledger: Sequence[str],
    policy: Policy,
    day: date,
    *,
    out: Path,
    compute: Compute,
) -> list[dict[str, Any]]:
    """Grain: tenant and currency. ``recorded``: the ledger as it is, doubtful nodes quarantined;
    ``filled``, ``empty``: the day divided again with every such node at that one price. Costs are
    the settlement metric's; those that it moves most stand first, those that it doesn't move not at
    all.
    """
    metric = policy.settlement.metric
    found = {"recorded": _by_tenant(ledger, metric, compute)}
    for identity, which in IDENTITIES.items():
        folder = out / identity
        folder.mkdir()
        again = _divided({**planes, "cluster": _one_price(planes["cluster"], which, folder, compute)},
                         policy, day, folder, compute)  # fmt: skip
        found[identity] = _by_tenant(again, metric, compute)
    rows: list[tuple[Decimal, dict[str, Any]]] = []
    for tenant, currency in sorted({key for totals in found.values() for key in totals}):
        costs = {name: totals.get((tenant, currency), Decimal(0)) for name, totals in found.items()}
        moved = max(abs(costs[name] - costs["recorded"]) for name in IDENTITIES)
        rows.append((moved, {"tenant": tenant, "currency": currency, **costs}))
    return [row for moved, row in sorted(rows, key=lambda row: -row[0]) if moved]


def _one_price(cluster: Plane, which: str, out: Path, compute: Compute) -> Plane:
    path = out / "nodes.parquet"
    with session(compute) as db:
        db.view("nodes", cluster.files["nodes"])
        db.view("node_prices", cluster.files["node_prices"])
        db.write(ONE_PRICE.format(which=which), path)
    return replace(cluster, files={**cluster.files, "nodes": [str(path)]})


def _divided(
    planes: Mapping[str, Plane], policy: Policy, day: date, out: Path, compute: Compute
) -> Sequence[str]:
    from attribution_pipeline.attribution.reconcile import reconcile

    outcome = reconcile(
        planes, policy, day, policy_digest=policy.digest, recorded_at=NEVER, out=out,
        compute=compute,
    )  # fmt: skip
    return outcome.files["ledger"]


def _by_tenant(
    ledger: Sequence[str], metric: str, compute: Compute
) -> dict[tuple[str, str], Decimal]:
    if not ledger:
        return {}
    with session(compute) as db:
        db.view("ledger", ledger)
        return {
            (tenant, currency): total
            for tenant, currency, total in db.rows(
                f"select coalesce(tenant_id, '{UNALLOCATED}'), coalesce(billing_currency, ''), "
                f"sum({metric}) from ledger group by all"
            )
        }
