"""Operations added up by class: what a day's rules weigh of all those that stay as they are.

Belongs here: what makes a class, classes kept beside an operation plane, so that late spans need not
read its operations to have them. Does not: which operations stay (``late_change``), what one costs.

A *class* is one row for all operations that agree in every column that a rule may look at. Drivers
weigh sums over operations, and a class has the sums: so they are weighed by the same passes, as if
it were one operation with so many ``calls``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.dedicated import asks_pods
from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.workloads import OPERATION_WEIGHTS
from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.tokens import BUCKETS

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

PLACE = (
    "caller_cluster", "caller_namespace", "caller_pod", "serving_cluster", "serving_namespace",
    "serving_pod", "server_address", "model",
)  # fmt: skip
"""What decides on which pods an operation works."""

LABELLED_BY = (
    "caller_cluster", "caller_namespace", "caller_pod", "serving_cluster", "serving_namespace",
    "serving_pod",
)  # fmt: skip
"""By what a workload's label is found for an operation that nobody named."""

CLASS = (
    *WHO, "unverified", "operation_name", "provider", "account", "region", "metered", "ends_today",
    "model",
)  # fmt: skip
"""What rules look at, apart from pods."""

SUMS = ("active_ms", *BUCKETS)
"""What drivers weigh, beside ``calls``."""

SAMPLED = ("counted", "of_sampled", "estimated")

PRICED = (*dict.fromkeys((*CLASS, *PLACE)), *SUMS, *SAMPLED)
"""Columns of an operation that can move a cost."""

KNOWN = ("operation_key", "end_unix_nano", *PRICED)
"""Columns that the phases, and the cut into files, read of a single operation."""

WHOLE = "decimal(38, 0)"
"""The type of a sum at rest: Parquet has no integer as wide as a sum's."""

LEAST_CALLS = 8
"""Calls a class at least, on average: where they hardly agree, to keep classes is to keep them twice."""


def asks_for_pods(policy: Policy) -> bool:
    """Whether a driver looks at pods that no late operation need touch: at all pods of a cluster, or
    at whether some other pod of an operation has a GPU."""
    return any(
        pool.driver == "gpu_time"
        or (
            pool.idle is not None
            and (
                pool.idle.driver == "gpu_time"
                or (pool.idle.driver in OPERATION_WEIGHTS and pool.idle.within == "cluster")
            )
        )
        for pool in policy.pools
    )


def pools_of_standing_idle(policy: Policy) -> list[int]:
    """Pools, by their place in the policy, of which idle is divided over operations of the charge's own pods:
    it stands while none of these changes."""
    if asks_for_pods(policy):
        return []
    return [
        index
        for index, pool in enumerate(policy.pools)
        if pool.idle is not None and pool.idle.driver in OPERATION_WEIGHTS
    ]


def class_columns(policy: Policy) -> list[str]:
    """The columns by which operations are of one class under a policy."""
    columns = [name for name in CLASS if name != "model" or not asks_for_pods(policy)]
    return [*columns, *(PLACE if asks_for_pods(policy) else ())]


def asked_columns(policy: Policy) -> list[str]:
    """More of them, of operations that nobody named: by what a workload's label is found."""
    columns = class_columns(policy)
    return [name for name in (*LABELLED_BY, "identity_source") if name not in columns]


def class_parts(policy: Policy, operations: str) -> str:
    """``operations`` by class, as SQL. Most were named by their own spans: of these a label is not
    asked, nor where they were. Sampled ones are apart, since each is rounded on its own."""
    asked = "".join(
        f"case when {asks_pods(policy)} then {name} end as {name}, "
        for name in asked_columns(policy)
    )
    sums = ", ".join(f"sum({name}) as {name}" for name in SUMS)
    return (
        f"select {', '.join(class_columns(policy))}, {asked}count(*) as calls, {sums}, "
        f"counted <> of_sampled as is_sampled from {operations} group by all"
    )


def keep_classes(
    db: Session, policy: Policy, operations: str, path: Path, *, less: str = "", kept: str = ""
) -> list[str]:
    """The classes of ``operations`` without those of ``less``, as a file; none where they are many.

    ``kept``: only where that view of kept classes has some of this policy's, to which these are added.
    """
    way = _way(policy)
    if kept and not db.one(f"select count(*) from {kept} where way = '{way}'"):
        return []
    rows = f"select {_names(policy)}, {_sums()} from ({class_parts(policy, operations)})"
    if less:
        rows += (
            f" union all select {_names(policy)}, {_sums('-')} from ({class_parts(policy, less)})"
        )
    db.execute(f"create table classes_to_keep as select *, '{way}' as way from ({rows})")
    ((classes, calls),) = db.rows("select count(*), sum(calls) from classes_to_keep")
    pays = bool(kept) or classes * LEAST_CALLS <= (calls or 0)
    if pays:
        db.write("select * from classes_to_keep order by all", path)
    db.execute("drop table classes_to_keep")
    return [str(path)] if pays else []


def load_class_parts(
    db: Session,
    policy: Policy,
    kept: Sequence[str],
    calls: int,
    *,
    view_closed: Callable[[], None],
    apart: str,
) -> None:
    """``class_parts``: the view ``closed``, which ``view_closed`` makes, by class.

    From ``kept``, files of the classes of all ``calls`` operations, without the view ``apart`` of those
    that ``closed`` lacks. Where they are not of this policy, or not of so many calls: from ``closed``.
    """
    if kept:
        db.view("classes_kept", kept)
        of_policy = f"classes_kept where way = '{_way(policy)}'"
        if db.one(f"select coalesce(sum(calls), 0) from {of_policy}") == calls:
            names, sums = _names(policy), _sums()
            wide = ", ".join(f"cast(sum({name}) as hugeint) as {name}" for name in SUMS)
            db.execute(
                f"create table class_parts as select {names}, cast(sum(calls) as bigint) as calls, "
                f"{wide} from (select {names}, {sums} from {of_policy} "
                f"union all select {names}, {_sums('-')} from ({class_parts(policy, apart)})) "
                f"group by {names} having sum(calls) <> 0"
            )
            return
    view_closed()
    db.execute(f"create table class_parts as {class_parts(policy, 'closed')}")


def _names(policy: Policy) -> str:
    return ", ".join((*class_columns(policy), *asked_columns(policy), "is_sampled"))


def _sums(sign: str = "") -> str:
    return ", ".join(f"cast({sign}{name} as {WHOLE}) as {name}" for name in ("calls", *SUMS))


def _way(policy: Policy) -> str:
    """Which classes a policy asks for, as a digest."""
    return hashlib.sha256(class_parts(policy, "operations").encode()).hexdigest()
