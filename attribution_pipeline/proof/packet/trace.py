"""A day computed again from frozen inputs, with what each division went by.

Belongs here: the phases run with makers that keep their weights, and the proof that the result is
what was recorded. Does not: turning it into records (``divisions``), comparing every column
(``proof.replay``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution import KERNEL
from attribution_pipeline.attribution.engine import Session, session
from attribution_pipeline.attribution.publish import load_numbers, make_rows
from attribution_pipeline.attribution.reconcile import divide_day
from attribution_pipeline.attribution.revise import Stamp
from attribution_pipeline.attribution.shares import Portion, Shares, Weights
from attribution_pipeline.attribution.shares import Stamp as ShareStamp
from attribution_pipeline.attribution.workloads import Clusters
from attribution_pipeline.model.errors import Broken, Refusal
from attribution_pipeline.model.ledger import LEDGER, NOT_CONTENT
from attribution_pipeline.proof import replay_frozen

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.attribution.matching import Assignment
    from attribution_pipeline.attribution.meters import Slice
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.proof.replay_frozen import Frozen

KEPT = {
    "kinds": "portion_id, slice_id, kind, billed, effective, denominator",
    "volumes": "portion_id, pod_id, weight",
    "pods": "portion_id, pod_id, billed, effective",
    "weights": "pod_id, op_id, weight",
    "idle": "portion_id, slice_id, kind, member, weight, tie, billed, effective",
}
"""Tables ``kept_<name>`` of a traced session, each with ``pool`` in front: what the phases leave and
the next pool writes over."""


@dataclass(frozen=True)
class Member:
    """One recipient of a share. ``tie``: what orders equal remainders."""

    who_id: int
    reason: str | None
    weight: int
    tie: str
    billed: int
    effective: int


@dataclass(frozen=True)
class Share:
    """One share as it was divided. ``idle``: (slice, kind) where it divides idle."""

    portion_id: int
    stamp: ShareStamp
    amounts: tuple[int, int]
    members: Sequence[Member]
    idle: tuple[int, str] | None = None


@dataclass
class Traced:
    """A traced day, while its session is open."""

    lake: Lake
    db: Session
    tenant: str
    found: Frozen
    slices: Sequence[Slice]
    clusters: TracedClusters
    shares: Sequence[Share]
    held: frozenset[str] = field(default_factory=frozenset)
    """Charges whose recorded rows are those of an earlier state, because the policy holds them."""


class TracedShares(Shares):
    """Keeps every share that it divides."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.divided: list[Share] = []
        self._idle_of: dict[tuple[int, int, int], list[tuple[int, str]]] = {}

    def _divide(self, portion: Portion, weights: Weights, stamp: ShareStamp) -> None:
        before = len(self._rows)
        super()._divide(portion, weights, stamp)
        made = self._rows[before:]
        members = [
            Member(
                recipient.who_id, recipient.reason, weight,
                self._attribution_id(portion, recipient, stamp), _whole(row[-2]), _whole(row[-1]),
            )
            for (recipient, weight), row in zip(weights.items(), made, strict=True)
        ]  # fmt: skip
        amounts = (portion.billed, portion.effective)
        idle = None
        if stamp.leg == "idle":
            # of two kinds with equal amounts either may stand for the other
            idle = self._idle_of[portion.portion_id, *amounts].pop(0)
        self.divided.append(Share(portion.portion_id, stamp, amounts, members, idle=idle))

    def _idle_portions(self, pool_index: int) -> list[Portion]:
        for portion_id, slice_id, kind, billed, effective in self.db.rows(
            "select portion_id, slice_id, kind, billed, effective from idle_todo where pool = ? "
            "order by portion_id, slice_id, kind",
            [pool_index],
        ):
            key = (portion_id, int(billed), int(effective))
            self._idle_of.setdefault(key, []).append((slice_id, kind))
        return super()._idle_portions(pool_index)


class TracedClusters(Clusters):
    """Keeps what each pool leaves in tables that the next one writes over. Also ``my_pods``: pods that
    worked for the tenant, or are its own."""

    tenant = ""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.db.execute(
            """
            create table my_pods as
            select m.pod_id from pod_operations m
            join ops o on o.op_id = m.op_id join actors a on a.who_id = o.who_id
            where a.tenant_id = $1
            union
            select p.pod_id from pods_numbered p join actors a on a.who_id = p.tenant_who_id
            where a.tenant_id = $1
            """,
            [self.tenant],
        )
        self.volume_rows: list[tuple[int, int, int, int]] = []
        self._pool = -1
        self._made: set[str] = set()

    def divide(self, pool_index: int, assignments: Sequence[Assignment]) -> None:
        """See ``Clusters``."""
        self._pool = pool_index
        super().divide(pool_index, assignments)
        self._keep("kinds", "kind_amounts")
        self._keep("pods", "pod_amounts")
        self._keep(
            "weights",
            "(select * from weighed_pod_operations where pod_id in (select pod_id from my_pods))",
        )

    def _volume_parts(
        self, portion_id: int, amounts: tuple[int, int], resource_id: str | None
    ) -> list[tuple[Any, ...]]:
        parts = super()._volume_parts(portion_id, amounts, resource_id)
        if parts:
            self.volume_rows += [
                (self._pool, portion_id, pod_id, weight)
                for pod_id, weight in self.volume_weights(resource_id).items()
            ]
        return parts

    def _idle_over_operations(self, pool_index: int, driver: str, within: str) -> None:
        super()._idle_over_operations(pool_index, driver, within)
        self._pool = pool_index
        self._keep(
            "idle",
            "(select a.portion_id, a.slice_id, a.kind, s.member, s.weight, m.tie, s.billed, "
            "s.effective from shares s join shared_amounts a on a.amount_id = s.amount_id "
            "join members m on m.amount_id = s.amount_id and m.member = s.member)",
        )

    def _keep(self, name: str, source: str) -> None:
        query = f"select {self._pool} as pool, {KEPT[name]} from {source}"
        if name in self._made:
            self.db.execute(f"insert into kept_{name} {query}")
        else:
            self.db.execute(f"create table kept_{name} as {query}")
            self._made.add(name)

    def has(self, name: str) -> bool:
        """Whether any pool left something of this name."""
        return name in self._made


@contextlib.contextmanager
def traced(lake: Lake, found: Frozen, tenant: str, compute: Compute) -> Iterator[Traced]:
    """The day of ``found``, computed again in a session of its own.

    Raises Refusal where that gives other rows than the recorded ones: a packet is of books that can
    be reproduced.
    """
    makers: list[Any] = []

    class _Shares(TracedShares):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            makers.append(self)

    whose = tenant

    class _Clusters(TracedClusters):
        tenant = whose

        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            makers.append(self)

    day, policy = found.state.day, found.policy
    if found.manifest["kernel"] != KERNEL:
        raise _other(
            found, f"kernel {found.manifest['kernel']} computed it, this is kernel {KERNEL}"
        )
    with session(compute) as db:
        try:
            slices, _ = divide_day(
                db, found.planes, policy, day, make_shares=_Shares, make_clusters=_Clusters
            )
            stamp = Stamp(found.state.policy_digest, found.recorded_at)
            # the recorded rows say what their operations are called
            make_rows(db, policy, day, stamp, load_numbers(db, day, None))
        except (Refusal, Broken) as problem:
            raise _other(found, str(problem)) from problem
        shares, clusters = makers
        yield Traced(
            lake,
            db,
            tenant,
            found,
            slices,
            clusters,
            shares.divided,
            frozenset(_held(lake, db, found)),
        )


def _whole(value: Any) -> int:
    return int(value)


def _held(lake: Lake, db: Session, found: Frozen) -> list[str]:
    """Charges that the recorded state holds as they were. Any other difference is refused."""
    recorded = replay_frozen.files_of(lake, found.manifest, "ledger")
    variances = replay_frozen.files_of(lake, found.manifest, "variances")
    db.view("recorded", recorded)
    columns = [name for name in LEDGER.names if name not in (*NOT_CONTENT, "charge_date")]
    differing = [
        charge
        for (charge,) in db.rows(
            "select distinct coalesce(r.charge_id, l.charge_id) from recorded r "
            "full join ledger l on l.attribution_id = r.attribution_id where ("
            + " or ".join(f"r.{name} is distinct from l.{name}" for name in columns)
            # a row that nothing supports any more stays at zero
            + ") and (l.attribution_id is not null or r.billed_cost <> 0 or r.effective_cost <> 0) "
            "order by 1"
        )
    ]
    held = {
        charge
        for (charge,) in db.rows(
            "select distinct charge_id from recorded where unallocated_reason = 'held'"
        )
    }
    if variances:
        db.view("held_back", variances)
        held |= {charge for (charge,) in db.rows("select distinct charge_id from held_back")}
    unexplained = [charge for charge in differing if charge not in held]
    if unexplained:
        raise _other(found, f"charge {unexplained[0]} is divided otherwise")
    return differing


def _other(found: Frozen, what: str) -> Refusal:
    day = found.state.day
    return Refusal(
        f"{day} does not come out as it was recorded: {what}",
        where=f"state {found.state.state} of {day}",
        remedy=f"see what differs: attribution replay --from {day}",
    )


def actors(db: Session) -> Mapping[int, Mapping[str, Any]]:
    """Who-columns by ``who_id``."""
    rows: list[dict[str, Any]] = db.table("select * from actors").to_pylist()
    return {row["who_id"]: row for row in rows}
