"""Divisions that give a tenant a part, as records: own weights, others under salted ids.

Belongs here: meters, nodes, volumes and pods. Does not: shares (``shares``), charges (``charges``).

Of a meter others are added up by tenant: each call's part is truncated alone, so what the tenant has
does not depend on how others' tokens lie. Of a pod each call's weight is given, without whose it is,
because the largest remainder needs them; and others added up by tenant beside it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.nodes import KINDS
from attribution_pipeline.model.money import to_text

if TYPE_CHECKING:
    from attribution_pipeline.proof.packet.hiding import Hider
    from attribution_pipeline.proof.packet.trace import Traced

Record = dict[str, Any]


def pool_names(trace: Traced, hider: Hider) -> dict[int, str]:
    """What the packet calls the policy's pools."""
    return {n: hider.text(pool.name) for n, pool in enumerate(trace.found.policy.pools)}


def meters(trace: Traced, hider: Hider) -> list[Record]:
    """One record per slice in which the tenant has calls."""
    db = trace.db
    return [
        _meter(trace, hider, slice_id)
        for (slice_id,) in db.rows("select slice_id from my_slices order by 1")
    ]


def _meter(trace: Traced, hider: Hider, slice_id: int) -> Record:
    found, db = trace.slices[slice_id], trace.db
    mine = []
    others: dict[str | None, tuple[int, int]] = {}
    for key, weight in db.rows(
        "select o.operation_key, w.weight from meter_weights w join ops o on o.op_id = w.op_id "
        "where w.slice_id = ? and o.who_id in (select who_id from mine) order by 1",
        [slice_id],
    ):
        mine.append([key, str(weight)])
    for tenant, weight, count in db.rows(
        "select a.tenant_id, sum(w.weight), count(*) from meter_weights w "
        "join ops o on o.op_id = w.op_id join actors a on a.who_id = o.who_id "
        "where w.slice_id = ? and o.who_id not in (select who_id from mine) group by 1",
        [slice_id],
    ):
        others[tenant] = (int(weight), int(count))
    order = sorted(others, key=hider.other)
    amounts = {
        (portion, tenant): (to_text(int(billed)), to_text(int(effective)))
        for portion, tenant, billed, effective in db.rows(
            "select p.portion_id, a.tenant_id, sum(p.billed), sum(p.effective) from meter_parts p "
            "join ops o on o.op_id = p.op_id join actors a on a.who_id = o.who_id "
            "where p.slice_id = ? group by 1, 2",
            [slice_id],
        )
    }
    nothing = (to_text(0), to_text(0))
    return {
        "kind": "meter",
        "slice": slice_id,
        **{name: value for name, value in found.key._asdict().items() if value is not None},
        **({} if found.billed_tokens is None else {"billed_tokens": str(found.billed_tokens)}),
        "seen": str(found.seen),
        "mine": mine,
        "others": [[hider.other(tenant), *map(str, others[tenant])] for tenant in order],
        "charges": [
            {
                "part": portion,
                "others": [list(amounts.get((portion, tenant), nothing)) for tenant in order],
                "rest": [to_text(int(billed)), to_text(int(effective))],
            }
            for portion, billed, effective in db.rows(
                "select portion_id, billed, effective from meter_rests where slice_id = ? order by 1",
                [slice_id],
            )
        ],
    }


class Pods:
    """The clusters' part of a day, for one tenant."""

    def __init__(self, trace: Traced, hider: Hider) -> None:
        self.trace = trace
        self.db = trace.db
        self.pools = pool_names(trace, hider)
        self.hider = hider
        self.names: dict[int, str] = {}
        self.mine: set[int] = set()
        self._name_pods()

    def _name_pods(self) -> None:
        """A pod that worked for the tenant is shown, any other has a salted id."""
        self.mine = {pod_id for (pod_id,) in self.db.rows("select pod_id from my_pods")}
        for pod_id, *words in self.db.rows(
            "select pod_id, coalesce(cluster, ''), coalesce(namespace, ''), coalesce(pod, '') "
            "from pods_numbered"
        ):
            shown = pod_id in self.mine
            self.names[pod_id] = (
                self.hider.text("/".join(words)) if shown else self.hider.id("pod", *words)
            )

    def records(self) -> list[Record]:
        """Nodes, volumes, and the pods that worked for the tenant."""
        if not self.trace.clusters.has("kinds"):
            return []
        nodes = self._nodes()
        volumes = self._volumes()
        return [*nodes, *volumes, *self._pods()]

    def resource(self, slice_id: int) -> str:
        """What the bill calls a node, and its cluster."""
        found = self.trace.clusters.slices.slices[slice_id]
        return self.hider.text(f"{found.cluster}/{found.resource}")

    def _nodes(self) -> list[Record]:
        weights: dict[int, dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
        for slice_id, kind, pod_id, weight in self.db.rows(
            "select slice_id, kind, pod_id, weight from pod_weights where slice_id in (select slice_id "
            "from kept_kinds where portion_id in (select portion_id from my_portions))"
        ):
            weights[slice_id][pod_id][kind] = weight
        return [
            {
                "kind": "node",
                "part": portion,
                "pool": self.pools[pool],
                "resource": self.resource(slice_id),
                "cost": {
                    kind: str(self.trace.clusters.slices.slices[slice_id].cost[kind])
                    for kind in KINDS
                },
                "pods": sorted(
                    [self.names[pod_id], *(str(of.get(kind, 0)) for kind in KINDS)]
                    for pod_id, of in weights[slice_id].items()
                ),
            }
            for pool, portion, slice_id in self.db.rows(
                "select distinct pool, portion_id, slice_id from kept_kinds "
                "where portion_id in (select portion_id from my_portions) order by 2, 3"
            )
        ]

    def _volumes(self) -> list[Record]:
        mine = {n for (n,) in self.db.rows("select portion_id from my_portions")}
        found: dict[int, list[list[str]]] = defaultdict(list)
        for _, portion, pod_id, weight in self.trace.clusters.volume_rows:
            if portion in mine:  # in the order of pods, which breaks ties
                found[portion].append([self.names[pod_id], str(weight)])
        return [
            {"kind": "volume", "part": portion, "pods": pods}
            for portion, pods in sorted(found.items())
        ]

    def _pods(self) -> list[Record]:
        """One record for each pool and pod: all weights in the order that breaks ties."""
        labels = dict(
            self.db.rows(
                "select pod_id, label_source from pods_numbered "
                "where tenant_who_id in (select who_id from mine)"
            )
        )
        calls: dict[tuple[int, int], list[tuple[int, str | None, str]]] = defaultdict(list)
        for pool, pod_id, weight, tenant, key in self.db.rows(
            "select w.pool, w.pod_id, w.weight, a.tenant_id, o.operation_key from kept_weights w "
            "join ops o on o.op_id = w.op_id join actors a on a.who_id = o.who_id "
            "where w.pod_id in (select pod_id from my_pods) order by w.pool, w.pod_id, w.op_id"
        ):
            calls[pool, pod_id].append((int(weight), tenant, key))
        return [
            self._pod(pool, pod_id, calls[pool, pod_id], labels.get(pod_id))
            for pool, pod_id in self.db.rows(
                """
                select pool, pod_id from kept_pods
                where portion_id in (select portion_id from my_portions)
                  and pod_id in (select pod_id from my_pods)
                union
                select k.pool, w.pod_id from kept_kinds k
                join pod_weights w on w.slice_id = k.slice_id
                where k.portion_id in (select portion_id from my_portions)
                  and w.pod_id in (select pod_id from my_pods)
                order by 1, 2
                """
            )
        ]

    def _pod(
        self,
        pool: int,
        pod_id: int,
        calls: list[tuple[int, str | None, str]],
        label: str | None,
    ) -> Record:
        """``label``: which label says that the pod is the tenant's own; null where none does."""
        tenant = self.trace.tenant
        weighing = [call for call in calls if call[0]]
        places = {key: place for place, (_, _, key) in enumerate(weighing)}
        others: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for weight, whose, _ in weighing:
            if whose != tenant:
                others[self.hider.other(whose)][0] += weight
                others[self.hider.other(whose)][1] += 1
        return {
            "kind": "pod",
            "pool": self.pools[pool],
            "driver": self.trace.found.policy.pools[pool].driver,
            "pod": self.names[pod_id],
            "weights": " ".join(str(weight) for weight, _, _ in weighing),
            "mine": [[places.get(key), key] for _, whose, key in calls if whose == tenant],
            "others": [[one, str(w), str(n)] for one, (w, n) in sorted(others.items())],
            **({"dedicated": label} if label else {}),
        }
