"""A recorded day after late spans: what they touch is divided, every other row is carried.

Belongs here: when that is sound, and the order. Does not: spans (``late_plane``), what a phase does
with its late part (``late_meters``, ``late_pods``), files (``late_outcome``).

The result equals that of ``reconcile`` in every row and digest. Where this cannot be seen from the
recorded state the answer is None, and the day is reconciled whole. The phases are those of
``reconcile``; they see most operations added up by class (``late_change``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution import KERNEL, late_change, late_outcome, layout
from attribution_pipeline.attribution.charges import load_portions
from attribution_pipeline.attribution.day import Compute, Outcome, Plane, Previous
from attribution_pipeline.attribution.dedicated import load_dedicated
from attribution_pipeline.attribution.engine import DuckDB, Session, session
from attribution_pipeline.attribution.late_change import TooMuch
from attribution_pipeline.attribution.late_compute import late_compute
from attribution_pipeline.attribution.late_files import place_in
from attribution_pipeline.attribution.late_meters import divide_late_meters
from attribution_pipeline.attribution.late_plane import late_operation_plane
from attribution_pipeline.attribution.late_pods import (
    LateClusters,
    open_pods,
    refuse_shared_charges,
)
from attribution_pipeline.attribution.nodes import load_node_slices
from attribution_pipeline.attribution.reconcile import divide_the_rest, load_cluster, load_people
from attribution_pipeline.attribution.revise import Stamp, moved_planes
from attribution_pipeline.attribution.rule_use import serving_without_pods
from attribution_pipeline.attribution.shares import Shares
from attribution_pipeline.model.ledger import WHO

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

__all__ = ["late_operation_plane", "reconcile_late"]

ASKED = (
    "attribution_id", *late_outcome.TOLD, "billed_cost", "effective_cost", "leg", "operation_name", "model", "token_kind",
    "driver_quantity",
)  # fmt: skip
"""Columns that are looked at of every row of a ledger, be it carried. All are of few."""

MOST_FILES = 4 * layout.MOST_FILES
"""Files of one table that a day gathers before it is written whole again: request rows begin with
two cuts of them."""


def reconcile_late(
    planes: Mapping[str, Plane],
    operations_before: Sequence[str],
    policy: Policy,
    day: date,
    *,
    policy_digest: str,
    recorded_at: datetime,
    out: Path,
    compute: Compute,
    previous: Previous,
    run_id: str = "",
    forced: bool = False,
) -> Outcome | None:
    """What ``reconcile`` would give, at the cost of what is late; None where it must be asked.

    ``operations_before``: the files of the operation plane that ``previous`` was computed from.
    Those that ``planes["operations"]`` still has are not compared.
    In ``Outcome.files`` a path that ``previous`` has names a file that stands as it is.
    """
    if not _follows(planes, operations_before, previous, policy_digest):
        return None
    stamp = Stamp(policy_digest, recorded_at, run_id, forced)
    with session(late_compute(compute, planes["operations"].rows["operations"])) as db:
        try:
            return _reconcile(db, planes, operations_before, policy, day, stamp, previous, out)
        except TooMuch:
            return None


def _follows(
    planes: Mapping[str, Plane],
    operations_before: Sequence[str],
    previous: Previous,
    policy_digest: str,
) -> bool:
    """Whether operations alone moved since, and nothing is held."""
    return (
        previous.kernel == KERNEL
        and previous.policy_digest == policy_digest
        and set(previous.inputs) == set(planes)
        and moved_planes(planes, previous) == {"operations"}
        and not previous.files.get("variances")
        and all(len(files) < MOST_FILES for files in previous.files.values())
        and bool(previous.files.get("ledger"))
    )


def _reconcile(
    db: DuckDB,
    planes: Mapping[str, Plane],
    operations_before: Sequence[str],
    policy: Policy,
    day: date,
    stamp: Stamp,
    previous: Previous,
    out: Path,
) -> Outcome:
    operations = planes["operations"]
    assignments = load_portions(db, planes["billing"].files["charges"], policy, day)
    refuse_shared_charges(db)
    load_cluster(db, planes)
    load_dedicated(db, policy)
    node_slices = load_node_slices(db, policy)
    view_kept = late_change.load_change(
        db, policy, operations_before, operations.files["operations"],
        digest_before=previous.inputs["operations"], digest_now=operations.digest,
    )  # fmt: skip
    opened = open_pods(db, policy, view_kept)
    late_change.load_operations(
        db, policy, operations.files.get("classes", ()), operations.rows["operations"],
        has_open=opened.has_open, view_closed=opened.view_closed,
    )  # fmt: skip
    load_people(db, planes, policy, assignments)
    _load_recorded(db, previous)
    db.run("phases/staged", int=db.integer)
    slices = divide_late_meters(db, policy, day, assignments)
    shares = Shares(db, policy, day)
    if policy.evidence_gap == "spread":
        shares.spread_gaps()
    clusters = LateClusters(db, policy, day, node_slices)
    findings = divide_the_rest(db, policy, day, assignments, shares, clusters)
    findings += serving_without_pods(db, policy, operations.files["operations"])
    return late_outcome.publish(
        db, policy, day, slices, findings,
        stamp=stamp, planes=planes, previous=previous, out=out,
    )  # fmt: skip


def _load_recorded(db: Session, previous: Previous) -> None:
    """``recorded_rows``: the ledger as it stands; ``recorded``: what is asked of all of its rows, with who
    they are of (amounts as they are: to make quanta of all takes as long as to read them); ``carried``,
    empty yet: those that stand, by their place in the files, since ids take twice as long to join."""
    files = previous.files["ledger"]
    db.view("recorded_rows", files, located=True)
    asked = ", ".join(f"r.{column}" for column in ASKED)
    # columns as they are at rest take half as long to join as the text of all of them
    who = " and ".join(f"a.{column} is not distinct from r.{column}" for column in WHO)
    db.execute(
        f"""
        create table recorded as
        select {place_in(files, files)} as row_no, {asked}, a.who_id
        from recorded_rows r
        left join actors a on {who}
            and a.unverified = (coalesce(r.unallocated_reason, '') = 'identity_unverified');
        create table carried (row_no bigint, portion_id bigint, batch integer)
        """
    )
