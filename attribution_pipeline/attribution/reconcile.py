"""One day, reconciled: the phases in their order, then the rows, checked.

Belongs here: the order. Does not: any formula.

1. meters; 2. pools without ``component: overhead``, in file order; 3. charges whose own tag names a
tenant; what no rule takes; 4. idle; 5. overhead pools.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution import publish
from attribution_pipeline.attribution.charges import load_portions
from attribution_pipeline.attribution.day import Compute, Finding, Outcome, Plane, Previous
from attribution_pipeline.attribution.dedicated import load_dedicated, named_by_workload
from attribution_pipeline.attribution.engine import Session, day_session
from attribution_pipeline.attribution.kernel import (
    actor_key,
    aliased_tenant,
    billed_actor,
    tenant_alone,
    who_key,
)
from attribution_pipeline.attribution.matching import Assignment
from attribution_pipeline.attribution.meters import Slice, divide_meters
from attribution_pipeline.attribution.opencost_gates import under_policy
from attribution_pipeline.attribution.revise import Stamp
from attribution_pipeline.attribution.rule_use import serving_without_pods
from attribution_pipeline.attribution.shares import BASED, Base, Shares
from attribution_pipeline.attribution.staging import OpenRow, add_open_rows
from attribution_pipeline.attribution.workloads import Clusters
from attribution_pipeline.model.evidence import KUBERNETES
from attribution_pipeline.model.ledger import WHO

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

BUILT_IN = {
    "outside": ("direct", "open", "outside_range"),
    "unused": ("idle", "idle", "unused_commitment"),
    "purchase": ("overhead", "open", "no_driver"),
    "unmatched": ("direct", "open", "unmatched_charge"),
}
"""Component, leg and reason of charges that no rule of the policy takes."""


def reconcile(
    planes: Mapping[str, Plane],
    policy: Policy,
    day: date,
    *,
    policy_digest: str,
    recorded_at: datetime,
    out: Path,
    compute: Compute,
    run_id: str = "",
    forced: bool = False,
    previous: Previous | None = None,
) -> Outcome:
    """The ledger of ``day`` under ``policy``, from its planes ``billing``, ``cluster``,
    ``operations``, ``usage`` and, where there are, ``kubernetes`` and ``closes``; as the state
    that follows ``previous``.

    Raises Refusal where evidence or policy can't be used, Broken where an invariant fails.
    """
    with day_session(compute) as db:
        slices, findings = divide_day(db, planes, policy, day)
        return publish.publish(
            db, policy, day, slices, findings,
            stamp=Stamp(policy_digest, recorded_at, run_id, forced),
            planes=planes, previous=previous, out=out,
        )  # fmt: skip


def divide_day(
    db: Session,
    planes: Mapping[str, Plane],
    policy: Policy,
    day: date,
    *,
    make_shares: type[Shares] = Shares,
    make_clusters: type[Clusters] = Clusters,
) -> tuple[list[Slice], list[Finding]]:
    """All phases in their order, staged and not yet rows. A review packet hands in makers that keep
    what each division went by (``proof.packet.trace``)."""
    assignments = load_portions(db, planes["billing"].files["charges"], policy, day)
    load_cluster(db, planes)
    load_dedicated(db, policy)
    db.view("merged_calls", planes["operations"].files["operations"])
    named = named_by_workload(db, policy, "merged_calls")
    db.execute(f"create view operations as select *, 1 as calls from ({named})")
    load_people(db, planes, policy, assignments)
    db.run("phases/staged", int=db.integer)
    slices = divide_meters(db, policy, assignments)
    shares = make_shares(db, policy, day)
    if policy.evidence_gap == "spread":
        shares.spread_gaps()
    clusters = make_clusters(db, policy, day)
    findings = divide_the_rest(db, policy, day, assignments, shares, clusters)
    called = planes["operations"].files["operations"]
    return slices, [*findings, *serving_without_pods(db, policy, called)]


def divide_the_rest(
    db: Session,
    policy: Policy,
    day: date,
    assignments: Sequence[Assignment],
    shares: Shares,
    clusters: Clusters,
) -> list[Finding]:
    """Phases 2 to 5, and what they noticed."""
    _divide_pools(policy, assignments, "shared", clusters, shares)
    _tagged(db)
    _built_in(db, assignments)
    clusters.idle(shares)
    _divide_pools(policy, assignments, "overhead", clusters, shares)
    return [
        *_without_bill(db, day),
        *under_policy.gate(db, policy, clusters.slices),
        *clusters.findings,
        *clusters.nodes_without_charge(assignments),
        *_usage_without_charge(db, policy, assignments),
    ]


def load_cluster(db: Session, planes: Mapping[str, Plane]) -> None:
    """What pods there were: ``pods_named``, ``pod_kinds``, ``nodes``, ``volumes``, ``kubernetes``."""
    for table in ("pods", "nodes", "volumes"):
        db.view(table, planes["cluster"].files[table])
    if "kubernetes" in planes:
        db.view("kubernetes", planes["kubernetes"].files["kubernetes"])
    else:
        db.load("kubernetes", KUBERNETES.empty_table())
    db.run("phases/pods_named")


def load_people(
    db: Session, planes: Mapping[str, Plane], policy: Policy, assignments: Sequence[Assignment]
) -> None:
    """Who caused what: ``actors``, ``ops``, ``usage_named``, ``pods_numbered``; from
    ``operations``, whose ``calls`` says how many calls a row stands for, and ``dedicated``."""
    import pyarrow as pa

    db.view("usage_reported", planes["usage"].files["usage"])
    tenants = {found.tenant for found in assignments if found.tenant}
    tenants |= {tenant for (tenant,) in db.rows("select distinct tenant_id from dedicated")}
    tenants |= {policy.tenant_alias(name) for pool in policy.pools for name in pool.fixed}
    db.load("extra_tenants", pa.table({"tenant_id": pa.array(sorted(tenants), pa.string())}))
    db.execute(
        "create table billed_principals as select distinct n.tenant as tenant_id, p.principal_id "
        "from portions p join assignments n on n.assignment_id = p.assignment_id "
        "where p.principal_id is not null"
    )
    _alias_usage(db, policy)
    billed = {"tenant_id": "tenant_id", "principal_id": "principal_id"}
    db.run(
        "phases/operations",
        who=", ".join(WHO),
        who_key=who_key(),
        actor_key=actor_key("unverified"),
        no_who=", ".join(["null"] * (len(WHO) - 1)),
        billed_who=", ".join(billed.get(column, "null") for column in WHO),
    )
    db.execute(
        f"create table usage_named as select a.who_id, u.* from (select *, {who_key()} as who_key "
        "from usage) u join actors a on a.actor_key = u.who_key"
    )
    db.execute(
        "create table pods_numbered as "
        "select p.*, a.who_id as tenant_who_id, d.label_source from pods_named p "
        "left join dedicated d on d.pod_id = p.pod_id "
        f"left join actors a on a.tenant_id = d.tenant_id and {tenant_alone('a.')}"
    )


def _alias_usage(db: Session, policy: Policy) -> None:
    tenant, parameters = aliased_tenant(policy.join.tenant_aliases)
    db.execute(
        f"create table usage as select * replace ({tenant} as tenant_id) from usage_reported",
        parameters,
    )


def _divide_pools(
    policy: Policy,
    assignments: Sequence[Assignment],
    component: str,
    clusters: Clusters,
    shares: Shares,
) -> None:
    taken: dict[int, list[int]] = defaultdict(list)
    for number, found in enumerate(assignments):
        if found.pool >= 0 and policy.pools[found.pool].component == component:
            taken[found.pool].append(number)
    driven = [index for index in taken if not policy.pools[index].split]
    asks_base = any(policy.pools[index].driver in BASED for index in driven)
    # what stood before the phase, for all of its pools
    base = Base.freeze(shares, policy.settlement.metric) if asks_base else Base.nothing()
    portions = shares.portions(number for index in driven for number in taken[index])
    for index in sorted(taken):
        if policy.pools[index].split:
            clusters.divide(index, assignments)
        else:
            mine = [portion for number in taken[index] for portion in portions[number]]
            shares.divide_pool(
                policy.pools[index], sorted(mine, key=attrgetter("portion_id")), base
            )
    shares.flush()


def _tagged(db: Session) -> None:
    """Phase 3: the tenant that a charge's own tag names."""
    db.execute(
        f"""
        insert into staged
        select p.portion_id,
               -- whoever's it is, an unused commitment is idle and a purchase is overhead
               case when p.commitment_status = 'Unused' then 'idle'
                    when p.charge_category = 'Purchase' then 'overhead' else 'direct' end,
               case when p.commitment_status = 'Unused' then 'idle' else 'own' end,
               'tag', a.who_id, null, null, null, null, null,
               'tag', null, null, null, null, 'allocated', p.billed, p.effective
        from portions p
        join assignments n on n.assignment_id = p.assignment_id
        join actors a on a.actor_key = {billed_actor("n.tenant", "p.principal_id")}
        where n.kind = 'tag'
        """
    )


def _built_in(db: Session, assignments: Sequence[Assignment]) -> None:
    kinds = {
        number: found.kind for number, found in enumerate(assignments) if found.kind in BUILT_IN
    }
    if not kinds:
        return
    add_open_rows(
        db,
        [
            OpenRow(portion_id, *BUILT_IN[kinds[number]])
            for number, portion_id in db.rows(
                "select assignment_id, portion_id from portions "
                f"where assignment_id in ({', '.join(map(str, kinds))}) order by all"
            )
        ],
    )


def _without_bill(db: Session, day: date) -> list[Finding]:
    if db.one("select count(*) from lines"):
        return []
    detail = "no charge falls on the day; see whether its bill was delivered, or rejected"
    return [Finding("day_without_bill", "warn", day.isoformat(), detail)]


def _usage_without_charge(
    db: Session, policy: Policy, assignments: Sequence[Assignment]
) -> list[Finding]:
    """Reported quantities that weigh on no charge: a misspelt service or metric, mostly."""
    read = {
        number: pool.driver.removeprefix("usage.")
        for number, found in enumerate(assignments)
        if found.pool >= 0
        and (pool := policy.pools[found.pool]).driver.startswith("usage.")
        and not pool.split
    }
    used = {
        (read[number], service)
        for number, service in db.rows("select distinct assignment_id, service from portions")
        if number in read
    }
    return [
        Finding(
            "usage_without_charge",
            "warn",
            f"{service} {metric}",
            f"{rows} report rows weigh on no charge: no pool reads usage.{metric} for a charge of it",
        )
        for service, metric, rows in db.rows(
            "select service, metric, count(*) from usage group by all order by all"
        )
        if (metric, service) not in used
    ]
