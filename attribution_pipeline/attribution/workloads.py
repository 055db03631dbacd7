"""Phases 2 and 4 of clusters: a node's charge over its pods, pods over operations, idle after them.

Belongs here: which charge pays for which nodes, and the order of the passes. Does not: finding
nodes and tenants (``nodes``), the formulas (``kernel``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution import nodes as cluster_nodes
from attribution_pipeline.attribution.day import Finding
from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.kernel import (
    WEIGHT_BOUND,
    attribution_id,
    part,
    remainder,
    what_key,
)
from attribution_pipeline.attribution.matching import Assignment
from attribution_pipeline.attribution.meters import adjusted, weight
from attribution_pipeline.attribution.staging import OpenRow, add_open_rows
from attribution_pipeline.model.division import largest_remainder
from attribution_pipeline.model.tokens import BUCKETS

if TYPE_CHECKING:
    from attribution_pipeline.attribution.shares import Shares
    from attribution_pipeline.model.policy import Policy

OPERATION_WEIGHTS = {
    "active_time": (adjusted("active_ms"), "ms"),
    "gpu_time": (f"case when on_gpu then {adjusted('active_ms')} else 0 end", "ms"),
    "requests": (f"case when ends_today then {adjusted('calls')} else 0 end", "requests"),
    "tokens": (f"case when ends_today then {weight('total')} else 0 end", "tokens"),
}
"""Driver to an operation's weight as SQL, and its unit.

Time is clipped to each day that it touches; tokens and requests belong to the day of the end. GPU
time is active time of operations on a pod with GPU cost.
A sampled call weighs its adjusted count.
"""


WORKED = (
    "o.op_id", "o.who_id", "o.active_ms", "o.ends_today", "o.calls", "o.counted", "o.of_sampled",
    *(f"o.{bucket}" for bucket in BUCKETS),
)  # fmt: skip
"""What drivers weigh of an operation: numbers only, so that no text is copied for them."""

OF_NO_RULE = {
    "unused": "an unused commitment",
    "purchase": "a purchase",
    "outside": "outside of the computed range",
}
"""Charges that stand by what they are."""

PODS_BESIDE_IDLE = {
    "node": "pod_weights",
    "cluster": "(select distinct s.slice_id, p.kind, p.pod_id from slice_nodes s "
    "join pod_kinds p on p.cluster = s.cluster)",
}
"""``within`` of a pool's idle: the pods with cost of a kind, as (slice, kind, pod)."""


class Clusters:
    """The clusters of one day. ``divide`` once per pool that splits by OpenCost, then ``idle``."""

    def __init__(
        self,
        db: Session,
        policy: Policy,
        day: date,
        slices: cluster_nodes.NodeSlices | None = None,
    ) -> None:
        self.db = db
        self.policy = policy
        self.day = day
        self.slices = slices or cluster_nodes.load_node_slices(db, policy)
        self.allocated = cluster_nodes.allocated(db)
        self.findings: list[Finding] = []
        self._charged: set[int] = set()
        self._find_work()
        db.execute(
            f"create table worked as select {', '.join(WORKED)}, g.op_id is not null as on_gpu "
            "from ops o left join ("
            "select distinct m.op_id from pod_operations m join pods_numbered p on p.pod_id = m.pod_id "
            "where p.on_gpu) g on g.op_id = o.op_id"
        )
        db.execute(
            f"create table idle_todo (pool bigint, portion_id bigint, slice_id bigint, kind varchar, "
            f"billed {db.integer}, effective {db.integer})"
        )

    def _find_work(self) -> None:
        """``pod_operations``: which operations each pod worked for."""
        cluster_nodes.load_serving_map(self.db, self.policy)
        self.db.run("phases/pods")

    def divide(self, pool_index: int, assignments: Sequence[Assignment]) -> None:
        """Phase 2 for one pool: workload rows; what no pod used waits in ``idle_todo``."""
        pool = self.policy.pools[pool_index]
        self._load_kind_amounts(pool_index, assignments)
        self._divide_over_pods()
        self._divide_over_operations(pool.driver)
        self.db.execute(
            f"insert into idle_todo select {pool_index}, portion_id, slice_id, kind, billed, effective "
            "from idle_amounts where billed <> 0 or effective <> 0"
        )

    def _divide_over_pods(self) -> None:
        """``idle_amounts`` and ``pod_amounts`` of the pool at hand."""
        integer = self.db.integer
        denominator = f"cast(k.denominator as {integer})"
        self.db.run(
            "phases/workload_pods",
            int=integer,
            billed_part=part("k.billed", "w.weight", denominator),
            effective_part=part("k.effective", "w.weight", denominator),
        )

    def _divide_over_operations(self, driver: str) -> None:
        """Workload rows of ``pod_amounts``."""
        db = self.db
        self._weigh_operations(driver)
        db.run("phases/workload_operations")
        share(db)
        unit = OPERATION_WEIGHTS[driver][1] if driver != "none" else ""
        db.run("phases/workload_rows", int=db.integer, driver=driver, unit=unit)

    def _weigh_operations(self, driver: str) -> None:
        expression = OPERATION_WEIGHTS[driver][0] if driver != "none" else "0"
        self.db.execute(
            "create or replace table weighed_pod_operations as "
            f"select m.pod_id, m.op_id, cast({expression} as bigint) as weight from pod_operations m "
            "join worked o on o.op_id = m.op_id"
        )

    def _load_kind_amounts(self, pool_index: int, assignments: Sequence[Assignment]) -> None:
        """``kind_amounts`` (a node's charge by kind) and ``volume_parts`` (a volume's by pod)."""
        mine = {n for n, found in enumerate(assignments) if found.pool == pool_index}
        kinds: list[tuple[Any, ...]] = []
        volumes: list[tuple[Any, ...]] = []
        open_rows: list[OpenRow] = []
        for portion in cluster_nodes.named_portions(self.db, self.policy, mine):
            portion_id, resource_id = portion.portion_id, portion.named["ResourceId"]
            number = self.slices.of_any(portion.named)
            amounts = (portion.billed, portion.effective)
            if number is None:
                found = self._volume_parts(portion_id, amounts, resource_id)
                volumes += found
                if portion.commitment_status == "Unused" and not found:
                    open_rows.append(OpenRow(portion_id, "idle", "idle", "unused_commitment"))
                elif not found:
                    open_rows.append(OpenRow(portion_id, "workload", "open", "no_driver"))
                    self.findings.append(_without_node(portion.named))
                continue
            self._charged.add(number)
            node = self.slices.slices[number]
            if node.quarantined:
                open_rows.append(OpenRow(portion_id, "workload", "open", "quarantined"))
            elif not any(node.cost.values()):
                open_rows.append(OpenRow(portion_id, "workload", "open", "no_driver"))
            else:
                kinds += self._by_kind(pool_index, portion_id, amounts, number)
        _load_amounts(self.db, kinds, volumes)
        add_open_rows(self.db, open_rows)

    def nodes_without_charge(self, assignments: Sequence[Assignment]) -> list[Finding]:
        """Nodes that no charge of the day pays for, as the bill would call them where it could, and
        where the charge went that names them."""
        unpaid_slices = set(range(len(self.slices.slices))) - self._charged
        elsewhere = (
            cluster_nodes.taken_elsewhere(self.db, self.policy, assignments, self.slices)
            if unpaid_slices
            else {}
        )
        unpaid = [
            (
                f"{found.cluster}/{found.resource}",
                _without_split(self.policy, elsewhere.get(number)),
            )
            for number, found in enumerate(self.slices.slices)
            if number in unpaid_slices
        ]
        unnamed = self.db.rows(
            "select n.cluster || '/' || n.name from nodes n where not exists (select 1 from "
            "slice_nodes s where s.cluster = n.cluster and s.node = n.name) order by 1"
        )
        unpaid += [(subject, "no rule under `nodes:` names its resource") for (subject,) in unnamed]
        return [
            Finding("node_without_charge", "warn", subject, f"OpenCost lists the node, {detail}")
            for subject, detail in unpaid
        ]

    def _by_kind(
        self, pool_index: int, portion_id: int, amounts: tuple[int, int], number: int
    ) -> list[tuple[Any, ...]]:
        cost = self.slices.slices[number].cost
        ordered = dict(enumerate(cost[kind] for kind in cluster_nodes.KINDS))
        billed, effective = (largest_remainder(amount, ordered) for amount in amounts)
        scale = self.policy.pools[pool_index].over_allocation == "scale"
        rows = []
        for index, kind in enumerate(cluster_nodes.KINDS):
            denominator = cost[kind]
            if scale:
                denominator = max(denominator, self.allocated.get((number, kind), 0))
            rows.append((portion_id, number, kind, billed[index], effective[index], denominator))
        return rows

    def _volume_parts(
        self, portion_id: int, amounts: tuple[int, int], resource_id: str | None
    ) -> list[tuple[Any, ...]]:
        """A volume's or balancer's charge by pod: ``share`` over OpenCost's parts of it."""
        weights = self.volume_weights(resource_id)
        if not any(weights.values()):
            return []
        billed, effective = (largest_remainder(amount, weights) for amount in amounts)
        return [(portion_id, pod_id, billed[pod_id], effective[pod_id]) for pod_id in weights]

    def volume_weights(self, resource_id: str | None) -> dict[int, int]:
        """Pods behind a volume or balancer, with OpenCost's parts of it in 1e-5."""
        if resource_id is None:
            return {}
        folded = resource_id.casefold()
        return {
            pod_id: int(cost)
            for pod_id, cost in self.db.rows(
                "select p.pod_id, sum(v.cost) from volumes v join pods_numbered p "
                "on p.cluster = v.cluster and p.namespace = v.namespace and p.pod = v.pod "
                "where lower(v.provider_id) in (?, ?) or lower(v.name) in (?, ?) "
                "group by p.pod_id order by p.pod_id",
                [folded, folded.rpartition("/")[2]] * 2,
            )
        }

    def idle(self, shares: Shares) -> None:
        """Phase 4: what no pod used, over the operations of the node's (or cluster's) pods."""
        from attribution_pipeline.attribution.shares import BASED, Base

        db = self.db
        asks_base = any(p.idle is not None and p.idle.driver in BASED for p in self.policy.pools)
        base = Base.freeze(shares, self.policy.settlement.metric) if asks_base else Base.nothing()
        for (pool_index,) in db.rows("select distinct pool from idle_todo order by 1"):
            pool = self.policy.pools[pool_index]
            if pool.idle is None or pool.idle.keep == "visible":
                _keep(db, pool_index, "no_driver")
            elif pool.idle.driver in OPERATION_WEIGHTS:
                self._idle_over_operations(pool_index, pool.idle.driver, pool.idle.within)
            else:
                shares.divide_idle(pool_index, pool, base)

    def _idle_over_operations(self, pool_index: int, driver: str, within: str) -> None:
        db = self.db
        expression, unit = OPERATION_WEIGHTS[driver]
        db.run(
            "phases/idle",
            int=db.integer,
            pool=str(pool_index),
            scope=PODS_BESIDE_IDLE[within],
            weight=expression,
            tie=attribution_id(
                self.day.isoformat(), "p.charge_id", "'idle'", "'idle'", "a.who_key",
                what_key("null", "null", "null"),
                "a.reason",
            ),
        )  # fmt: skip
        share(db)
        db.run("phases/idle_rows", int=db.integer, driver=driver, unit=unit)


def _without_split(policy: Policy, found: Assignment | None) -> str:
    """Why nothing pays for a node: no charge names it, or who took the charge that does."""
    if found is None:
        return "no charge that a pool splits by OpenCost names it"
    match found.kind:
        case "driver":
            taker = f"pool `{policy.pools[found.pool].name}` did, which does not split"
        case "meter":
            taker = f"meter {found.meter + 1} did"
        case "tag":
            taker = "its own tag gave it to a tenant"
        case "unused" | "purchase" | "outside":
            taker = f"no rule did: it is {OF_NO_RULE[found.kind]}"
        case _:
            taker = "no rule did: it is `unmatched_charge`"
    return (
        f"and no pool with `split: opencost` took the charge that names it ({taker}): widen the `match` of "
        "one, or add one above the rule that took it"
    )


def _without_node(named: Mapping[str, str | None]) -> Finding:
    said = ", ".join(f"{column} {value}" for column, value in named.items() if value is not None)
    return Finding(
        "charge_without_node",
        "warn",
        said or "(no resource)",
        "its pool splits by OpenCost, but no node or volume there is this resource: see `nodes:`",
    )


def share(db: Session) -> None:
    """Largest remainder over ``shared_amounts`` and ``members``, into ``shares``.

    In 64 bits where every slice's weights allow it. A busy model server's active time passes them
    (40 calls at once, all day), so these sums may be wider; what is divided stays the same.
    """
    wide = db.one(
        "select count(*) from (select a.amount_id from shared_amounts a "
        "join members m on m.amount_id = a.amount_id group by a.amount_id, a.total "
        f"having cast(a.total as hugeint) * max(m.weight) >= {WEIGHT_BOUND})"
    )
    total = f"cast(a.total as {'hugeint' if wide else db.integer})"
    db.run(
        "kernel/share",
        int=db.integer,
        billed_part=part("a.billed", "m.weight", total),
        effective_part=part("a.effective", "m.weight", total),
        billed_remainder=remainder("a.billed", "m.weight", total),
        effective_remainder=remainder("a.effective", "m.weight", total),
    )


def _keep(db: Session, pool_index: int, reason: str) -> None:
    portions = db.rows(
        "select portion_id, sum(billed), sum(effective) from idle_todo where pool = ? "
        "group by portion_id order by portion_id",
        [pool_index],
    )
    add_open_rows(
        db,
        [
            OpenRow(portion_id, "idle", "idle", reason, (int(billed), int(effective)))
            for portion_id, billed, effective in portions
        ],
    )


def _load_amounts(
    db: Session, kinds: Sequence[tuple[Any, ...]], volumes: Sequence[tuple[Any, ...]]
) -> None:
    import pyarrow as pa

    wide = pa.decimal128(38, 0)
    names = ("portion_id", "slice_id", "kind", "billed", "effective", "denominator")
    types = (pa.int64(), pa.int64(), pa.string(), wide, wide, pa.int64())
    _load_as(db, "kind_amounts", names, types, kinds)
    _load_as(
        db,
        "volume_parts",
        ("portion_id", "pod_id", "billed", "effective"),
        (pa.int64(), pa.int64(), wide, wide),
        volumes,
    )


def _load_as(
    db: Session,
    name: str,
    names: Sequence[str],
    types: Sequence[Any],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    arrays = {
        column: pa.array(values, kind)
        for column, kind, values in zip(names, types, columns, strict=True)
    }
    db.execute("drop table if exists loaded")
    db.load("loaded", pa.table(arrays))
    db.execute(
        f"create or replace table {name} as select * exclude (billed, effective), "
        f"cast(billed as {db.integer}) as billed, cast(effective as {db.integer}) as effective "
        "from loaded"
    )
