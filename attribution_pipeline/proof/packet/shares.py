"""Shares that give a tenant a part, as records: pools, spread gaps, idle.

Belongs here: members with their weights, ties where they decide. Does not: pods (``divisions``).

Two parts whose remainders are equal at the cut are ordered by the ids of their rows. Others' ids are
not given (``hiding``), so where the order decides, and there alone, it is stated as ``tie``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.workloads import OPERATION_WEIGHTS, PODS_BESIDE_IDLE
from attribution_pipeline.model.division import truncated
from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.money import to_text
from attribution_pipeline.proof.packet.divisions import Pods, pool_names
from attribution_pipeline.proof.packet.trace import Member, Share, actors

if TYPE_CHECKING:
    from attribution_pipeline.proof.packet.hiding import Hider
    from attribution_pipeline.proof.packet.trace import Traced

Record = dict[str, Any]


def shares(trace: Traced, hider: Hider, pods: Pods) -> list[Record]:
    """One record per share in which the tenant has a part."""
    return _Shares(trace, hider, pods).records()


class _Shares:
    def __init__(self, trace: Traced, hider: Hider, pods: Pods) -> None:
        self.trace = trace
        self.hider = hider
        self.pods = pods
        self.pools = pool_names(trace, hider)
        self.actors = actors(trace.db)
        self.mine = {who_id for (who_id,) in trace.db.rows("select who_id from mine")}
        self.pool_of = dict(
            trace.db.rows(
                "select p.portion_id, n.pool from portions p "
                "join assignments n on n.assignment_id = p.assignment_id"
            )
        )
        self.slice_of = dict(trace.db.rows("select portion_id, slice_id from meter_portions"))

    def records(self) -> list[Record]:
        found = [
            self._share(share)
            for share in self.trace.shares
            if any(member.who_id in self.mine for member in share.members)
        ]
        return [*found, *self._idle()]

    def _share(self, share: Share) -> Record:
        stamp = share.stamp
        said: Record = {"of": "charge"}
        if stamp.leg == "spread":
            said = {"of": "gap", "slice": self.slice_of[share.portion_id]}
            said |= {"model": stamp.model, "token_kind": stamp.token_kind}
        elif share.idle is not None:
            said = {"of": "idle", "resource": self.pods.resource(share.idle[0])}
            said["resource_kind"] = share.idle[1]
        return {
            "kind": "share",
            "part": share.portion_id,
            "component": stamp.component,
            "leg": stamp.leg,
            "driver": stamp.driver,
            "unit": stamp.unit,
            **said,
            "members": self._members(share.amounts, share.members, {}),
        }

    def _idle(self) -> list[Record]:
        """Idle over operations, of each kind of a node."""
        if not self.trace.clusters.has("idle"):
            return []
        members: dict[tuple[int, int, int, str], list[Member]] = defaultdict(list)
        for (
            pool,
            portion,
            slice_id,
            kind,
            who,
            weight,
            tie,
            billed,
            effective,
        ) in self.trace.db.rows(
            "select pool, portion_id, slice_id, kind, member, weight, tie, billed, effective "
            "from kept_idle where portion_id in (select portion_id from my_portions) order by all"
        ):
            members[pool, portion, slice_id, kind].append(
                Member(who, None, int(weight), tie, int(billed), int(effective))
            )
        operations = {pool: self._operations(pool) for pool in {key[0] for key in members}}
        found = []
        for (pool, portion, slice_id, kind), shared in members.items():
            if not any(member.who_id in self.mine for member in shared):
                continue
            idle = self.trace.found.policy.pools[pool].idle
            assert idle is not None  # idle without a rule is divided by nobody
            amounts = (sum(m.billed for m in shared), sum(m.effective for m in shared))
            by_who = {
                who: keys
                for (s, k, who), keys in operations[pool].items()
                if (s, k) == (slice_id, kind)
            }
            found.append({
                "kind": "share",
                "of": "idle",
                "part": portion,
                "resource": self.pods.resource(slice_id),
                "resource_kind": kind,
                "component": "idle",
                "leg": "idle",
                "driver": idle.driver,
                "within": idle.within,
                "unit": OPERATION_WEIGHTS[str(idle.driver)][1],
                "members": self._members(amounts, shared, by_who),
            })  # fmt: skip
        return found

    def _operations(self, pool: int) -> dict[tuple[int, str, int], list[str]]:
        """The tenant's operations behind its weights: (slice, kind, who) to keys."""
        idle = self.trace.found.policy.pools[pool].idle
        assert idle is not None  # see above
        expression = OPERATION_WEIGHTS[str(idle.driver)][0]
        found: dict[tuple[int, str, int], list[str]] = defaultdict(list)
        for slice_id, kind, who, key in self.trace.db.rows(
            f"select distinct k.slice_id, k.kind, o.who_id, n.operation_key "
            f"from {PODS_BESIDE_IDLE[idle.within]} k join pod_operations m on m.pod_id = k.pod_id "
            "join worked o on o.op_id = m.op_id "
            "join (select op_id, operation_key from ops) n on n.op_id = o.op_id "
            f"where o.who_id in (select who_id from mine) and ({expression}) > 0 order by all"
        ):
            found[slice_id, kind, who].append(key)
        return found

    def _members(
        self,
        amounts: tuple[int, int],
        members: Sequence[Member],
        operations: Mapping[int, list[str]],
    ) -> list[Record]:
        ties = decisive_ties(amounts, members)
        records = []
        for member in members:
            said = self._who(member)
            if member.who_id in operations:
                said["operations"] = operations[member.who_id]
            if member.tie in ties:
                said["tie"] = ties[member.tie]
            said["weight"] = str(member.weight)
            said["amounts"] = [to_text(member.billed), to_text(member.effective)]
            records.append(said)
        # by what is shown: the order in which they came is that of names
        return sorted(
            records,
            key=lambda one: (
                "who" not in one,
                str(one.get("id")),
                str(one.get("reason")),
                str(one),
            ),
        )

    def _who(self, member: Member) -> Record:
        if member.who_id in self.mine:
            who = self.actors[member.who_id]
            return {"who": {name: who[name] for name in WHO if who[name] is not None}}
        tenant = self.actors[member.who_id]["tenant_id"]
        if tenant is not None:
            return {"id": self.hider.other(tenant)}
        return {"reason": member.reason or "-"}


def decisive_ties(amounts: tuple[int, int], members: Sequence[Member]) -> dict[str, int]:
    """Places of the members whose remainders are equal at the cut, by what orders them."""
    total = sum(member.weight for member in members)
    decisive: set[str] = set()
    for amount in amounts:
        left = abs(amount - sum(truncated(amount, m.weight, total) for m in members))
        remainders = {m.tie: abs(amount) * m.weight % total for m in members}
        ranked = sorted(remainders, key=lambda tie: -remainders[tie])
        if 0 < left < len(ranked) and remainders[ranked[left - 1]] == remainders[ranked[left]]:
            decisive |= {tie for tie in ranked if remainders[tie] == remainders[ranked[left]]}
    return {tie: place for place, tie in enumerate(sorted(decisive))}
