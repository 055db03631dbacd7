"""Pods after late spans: only charges of pods on which a changed operation works are divided again.

Belongs here: which pods those are, whose operations must then be known one by one, rows that are
carried. Does not: the division of a node (``workloads``, with its passes).

One operation more on a pod moves the share of every other one there. So a charge is divided again
over all operations of all its pods, or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attribution_pipeline.attribution import nodes as cluster_nodes
from attribution_pipeline.attribution.dedicated import named_by_workload
from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.late_change import ASKED, TooMuch
from attribution_pipeline.attribution.late_classes import KNOWN, PLACE, asks_for_pods
from attribution_pipeline.attribution.workloads import OPERATION_WEIGHTS, Clusters

if TYPE_CHECKING:
    from attribution_pipeline.attribution.shares import Shares
    from attribution_pipeline.model.policy import Policy

FOUND = ("named_once", "served", "called", "pod_operations", "serving_pods", "served_by_map")
"""Tables of a look-up which pods work for which operations."""


def open_pods(db: Session, policy: Policy) -> None:
    """``touched_pods``, ``needed_pods``; ``open_calls``: operations of pods that must be divided again,
    maybe more; ``individuals``: they, with whoever a workload's label names; ``closed``: all the
    others of ``kept_calls``."""
    places = ", ".join(PLACE)
    db.execute("create table touched_charges (charge_id varchar)")
    _work_of(db, policy, f"select {places} from priced_come union select {places} from priced_gone")
    db.execute("create table touched_pods as select distinct pod_id from pod_operations")
    _forget(db)
    db.run("late/needed_pods")
    if not db.one("select count(*) from needed_pods"):
        db.execute(
            "create view closed as select * from kept_calls; "
            f"create view open_calls as select {ASKED} from closed where false; "
            f"create table individuals as select {', '.join(KNOWN)}, calls from priced_come where false"
        )
        return
    db.execute(
        "create table open_names as select distinct n.pod from pods_named n "
        "join needed_pods p on p.pod_id = n.pod_id"
    )
    mapped = "false"
    if policy.serving:
        _work_of(
            db, policy, f"select distinct {places} from (select * replace (null as serving_cluster, "
            "null as serving_namespace, null as caller_cluster, null as caller_namespace, "
            "null as caller_pod) from kept_calls where serving_pod is null)",
        )  # fmt: skip
        route = "concat_ws(chr(31), coalesce(server_address, chr(30)), coalesce(model, chr(30)))"
        db.execute(
            f"create table open_routes as select distinct {route} as route from serving_pods "
            "where pod_id in (select pod_id from needed_pods)"
        )
        _forget(db)
        mapped = f"serving_pod is null and {route} in (select route from open_routes)"
    # by the pod's name alone: a namesake's operations are then known one by one, too
    is_open = (
        "(coalesce(caller_pod, '') in (select pod from open_names) "
        f"or coalesce(serving_pod, '') in (select pod from open_names) or {mapped})"
    )
    db.execute(
        f"create table open_calls as select {ASKED} from kept_calls where {is_open}; "
        f"create view closed as select * from kept_calls where not {is_open}"
    )
    db.execute(
        f"create table individuals as select {', '.join(KNOWN)}, 1 as calls "
        f"from ({named_by_workload(db, policy, 'open_calls')})"
    )


def _work_of(db: Session, policy: Policy, places: str) -> None:
    """``pod_operations`` of distinct ``places``, as ``phases/pods`` finds them."""
    db.execute(
        "create view pods_numbered as select * from pods_named; "
        f"create table ops as select row_number() over () as op_id, * from ({places})"
    )
    cluster_nodes.load_serving_map(db, policy)
    db.run("phases/pods")


def _forget(db: Session) -> None:
    tables = "; ".join(f"drop table {name}" for name in (*FOUND, "ops"))
    db.execute(f"{tables}; drop view pods_numbered")


class LateClusters(Clusters):
    """Clusters of which charges without late work keep their rows."""

    def _divide_over_pods(self) -> None:
        super()._divide_over_pods()
        self.db.run("late/untouched_pods")
        if self.db.one(
            "select count(*) from pod_amounts where pod_id not in (select pod_id from needed_pods)"
        ):
            raise TooMuch("a charge pays for pods that share no node or volume")
        stage_carried(self.db)

    def idle(self, shares: Shares) -> None:
        """Phase 4, for charges with late work; the others keep these rows too."""
        pools = [
            str(index)
            for index, pool in enumerate(self.policy.pools)
            if pool.idle is not None and pool.idle.driver in OPERATION_WEIGHTS
        ]
        if pools and not asks_for_pods(self.policy):
            self.db.run("late/untouched_idle", pools=", ".join(pools))
        super().idle(shares)
        stage_carried(self.db)


def refuse_shared_charges(db: Session) -> None:
    """TooMuch where tag sets of one charge go ways that may meet in one row of pods or of idle."""
    if db.one(
        "select count(*) from (select p.charge_id from portions p join assignments n "
        "on n.assignment_id = p.assignment_id "
        "where n.kind = 'split' or p.commitment_status = 'Unused' and n.kind in ('tag', 'unused') "
        "group by p.charge_id having bool_or(n.kind = 'split') "
        "and count(distinct n.kind || cast(n.pool as varchar)) > 1)"
    ):
        raise TooMuch("a charge of pods is divided in two ways")


def stage_carried(db: Session) -> None:
    """Rows of ``carried`` into ``staged``. TooMuch where one has lost its owner, or came out at
    nothing: bases of later phases may look at what it was added up from."""
    ((owners_lost, cancelled),) = db.rows(
        "select count(*) filter (r.who_id is null), "
        "count(*) filter (r.billed = 0 and r.effective = 0) from carried c "
        "join recorded r on r.row_no = c.row_no where not c.is_staged"
    )
    if owners_lost:
        raise TooMuch("a recorded row names somebody whom no operation names any more")
    if cancelled:
        raise TooMuch("requests of a recorded row cancel each other out")
    db.run("late/carried", int=db.integer)
    if db.one(
        "select count(*) from staged where method = 'carried' and billed = 0 and effective = 0"
    ):
        raise TooMuch("recorded rows of a tenant cancel each other out")
