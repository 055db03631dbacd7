"""Pods after late spans: only charges of pods on which a changed operation works are divided again.

Belongs here: which pods those are, whose operations must then be known one by one, rows that are
carried. Does not: the division of a node (``workloads``, with its passes).

One operation more on a pod moves the share of every other one there. So a charge is divided again
over all operations of all its pods, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from attribution_pipeline.attribution import nodes as cluster_nodes
from attribution_pipeline.attribution.dedicated import named_by_workload
from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.kernel import quanta
from attribution_pipeline.attribution.late_change import ASKED, TooMuch
from attribution_pipeline.attribution.late_classes import (
    KNOWN,
    PLACE,
    asks_for_pods,
    pools_of_standing_idle,
)
from attribution_pipeline.attribution.workloads import Clusters

if TYPE_CHECKING:
    from attribution_pipeline.attribution.shares import Shares
    from attribution_pipeline.model.policy import Policy

METERED = "0"
"""The batch of ``carried`` that ``late_meters`` puts there; the others follow."""

FOUND = ("named_once", "served", "called", "pod_operations", "serving_pods", "served_by_map")
"""Tables of a look-up which pods work for which operations."""


class Opened(NamedTuple):
    """Whether there are ``open_calls``; what makes ``closed``: all the others of ``kept_calls``."""

    has_open: bool
    view_closed: Callable[[], None]


def open_pods(db: Session, policy: Policy, view_kept: Callable[[], None]) -> Opened:
    """``touched_pods``, ``needed_pods``; ``open_calls``: operations of pods that must be divided again,
    maybe more; ``individuals``: they, with whoever a workload's label names. ``view_kept`` makes
    ``kept_calls``."""
    db.execute("create table touched_charges (charge_id varchar)")
    if _work_somewhere(db, policy):
        places = ", ".join(PLACE)
        _work_of(
            db, policy, f"select {places} from priced_come union select {places} from priced_gone"
        )
        db.execute("create table touched_pods as select distinct pod_id from pod_operations")
        _forget(db)
        db.run("late/needed_pods")
    else:
        db.execute(
            "create table touched_pods (pod_id bigint); create table needed_pods (pod_id bigint)"
        )
    if not db.one("select count(*) from needed_pods"):
        db.execute(
            f"create table individuals as select {', '.join(KNOWN)}, calls from priced_come where false"
        )

        @cache
        def view_all() -> None:
            view_kept()
            db.execute("create view closed as select * from kept_calls")

        return Opened(False, view_all)
    view_kept()
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
    return Opened(True, lambda: None)


def _work_somewhere(db: Session, policy: Policy) -> bool:
    """Whether an operation that came or is gone may work on a pod: it says one, or the policy's serving map
    may know one."""
    said = "select distinct caller_pod is not null or serving_pod is not null, server_address, model from"
    return any(
        says_pod
        or any(rule.matches(server_address=address, model=model) for rule in policy.serving)
        for says_pod, address, model in db.rows(f"{said} priced_come union {said} priced_gone")
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

    _batch = int(METERED)

    def _find_work(self) -> None:
        if asks_for_pods(self.policy) or self.db.one("select count(*) from touched_pods"):
            super()._find_work()
        else:  # classes are nowhere, and what came works on no pod
            self.db.execute("create table pod_operations (pod_id bigint, op_id bigint)")

    def _divide_over_pods(self) -> None:
        super()._divide_over_pods()
        self._carry("late/untouched_pods")
        if self.db.one(
            "select count(*) from pod_amounts where pod_id not in (select pod_id from needed_pods)"
        ):
            raise TooMuch("a charge pays for pods that share no node or volume")

    def _divide_over_operations(self, driver: str) -> None:
        if self.db.one("select count(*) from pod_amounts"):
            super()._divide_over_operations(driver)

    def idle(self, shares: Shares) -> None:
        """Phase 4, for charges with late work; the others keep these rows too."""
        pools = pools_of_standing_idle(self.policy)
        if pools:
            self._carry("late/untouched_idle", pools=", ".join(map(str, pools)))
        super().idle(shares)

    def _carry(self, name: str, **names: str) -> None:
        self._batch += 1
        db, batch = self.db, str(self._batch)
        db.run(name, batch=batch, **names)
        stage_carried(db, batch)


def stage_carried(db: Session, batch: str) -> None:
    """Rows of one batch of ``carried`` into ``staged``, added up."""
    sums = {name: quanta(f"sum(r.{name}_cost)") for name in ("billed", "effective")}
    db.run("late/carried", int=db.integer, batch=batch, **sums)


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
