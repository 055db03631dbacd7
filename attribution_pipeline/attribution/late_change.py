"""What late spans changed of a day's operations, and all the others added up.

Belongs here: rows that came and went between two operation planes, which of them can move a cost,
the rest as rows of ``operations``. Does not: what a class is (``late_classes``), what it or an
operation costs (``late_meters``, ``late_pods``).

Sampled operations are not added up, since each is rounded on its own. What is divided over single
operations is not for classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.dedicated import asks_pods, named_by_workload
from attribution_pipeline.attribution.engine import NULL, Session
from attribution_pipeline.attribution.kernel import actor_key, who_key
from attribution_pipeline.attribution.late_classes import (
    KNOWN,
    PLACE,
    PRICED,
    SAMPLED,
    SUMS,
    class_columns,
    load_class_parts,
)
from attribution_pipeline.attribution.operations import operations_digest
from attribution_pipeline.attribution.set_digests import add_digests, less_digest

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

ASKED = ", ".join((*KNOWN, "identity_source"))
"""What is asked of an operation before its workload's label may name it."""

SAFE_SUM = 2**62
"""Sums of a class stay under this, so that they are weighed as 64-bit integers."""


class TooMuch(Exception):
    """What came late changes more than can be brought in by itself: the day is done whole."""


def load_change(
    db: Session,
    policy: Policy,
    before: Sequence[str],
    now: Sequence[str],
    *,
    digest_before: str,
    digest_now: str,
) -> Callable[[], None]:
    """``come`` and ``gone``: rows that only the one or the other of two planes has. ``priced_come``,
    ``priced_gone``: those that can move a cost, with whoever a workload's label names. Returns what makes
    ``kept_calls``: all the other rows of the plane ``now``, as they are in it.

    The digests are what the planes say of themselves; TooMuch where the rows do not bear them out.
    """
    standing = [path for path in now if path in set(before)]
    for name, files in (
        ("come", [path for path in now if path not in standing]),
        ("gone", [path for path in before if path not in standing]),
    ):
        _view(db, f"{name}_files", files, now[:1])
    columns = [row[0] for row in db.rows("select column_name from (describe come_files)")]
    said = ", ".join(columns)
    both = len(now) > len(standing) and len(before) > len(standing)
    for name, other in (("come", "gone"), ("gone", "come")):
        # 64 bits are enough to find changes; that none was missed is what the digests say
        elsewhere = f"(operation_key, hash({said})) in (select (operation_key, hash({said})) from {other}_files)"
        db.execute(
            f"create table {name} as select {said} from {name}_files"
            + (f" where not {elsewhere}" if both else "")
        )
    less = less_digest(digest_before, operations_digest(db, "gone"))
    if add_digests(less, operations_digest(db, "come")) != digest_now:
        raise TooMuch("the planes do not follow each other")
    for name in ("come", "gone"):
        # no label is found for one that says no pod
        if not db.one(
            f"select count(*) from {name} where {asks_pods(policy)} "
            "and (caller_pod is not null or serving_pod is not null)"
        ):
            continue
        named = named_by_workload(db, policy, name)
        db.execute(
            f"create table {name}_named as {named}; drop table {name}; "
            f"alter table {name}_named rename to {name}"
        )
    differs = " or ".join(f"c.{name} is distinct from g.{name}" for name in PRICED)
    db.execute(
        "create table moved as select coalesce(c.operation_key, g.operation_key) as operation_key "
        "from come c full join gone g on g.operation_key = c.operation_key "
        f"where c.operation_key is null or g.operation_key is null or {differs}"
    )
    for name in ("come", "gone"):
        db.execute(
            f"create table priced_{name} as select {', '.join(KNOWN)}, 1 as calls "
            f"from {name} where operation_key in (select operation_key from moved)"
        )
    db.execute(
        "create table gone_ops as select row_number() over (order by operation_key) as op_id, "
        f"{who_key()} as who_key, {actor_key('unverified')} as actor_key, "
        "case when tenant_id is not null then null when unverified then 'identity_unverified' "
        "else 'identity_missing' end as reason, * from priced_gone"
    )

    @cache
    def view_kept() -> None:
        _view(db, "still_files", standing, now[:1])
        db.execute(
            f"create view kept_calls as select {said} from still_files union all "
            f"select {said} from come_files "
            "where operation_key not in (select operation_key from priced_come)"
        )

    return view_kept


def _view(db: Session, name: str, files: Sequence[str], like: Sequence[str]) -> None:
    """Files as a view; without any, an empty one with the columns of ``like``."""
    if files:
        db.view(name, files)
        return
    db.view(f"{name}_shape", like)
    db.execute(f"create view {name} as select * from {name}_shape where false")


def load_operations(
    db: Session,
    policy: Policy,
    kept: Sequence[str],
    calls: int,
    *,
    has_open: bool,
    view_closed: Callable[[], None],
) -> None:
    """``operations`` as the phases take them: classes of what is ``closed``, operations of
    ``individuals`` and what came. TooMuch where sums are beyond 64 bits.

    ``kept``: files of the classes of all ``calls`` operations of the plane, if there are any.
    ``has_open``: whether there are ``open_calls``. ``view_closed`` makes ``closed``, which is asked where
    ``kept`` will not do.
    """
    columns = class_columns(policy)
    # a class without places stands on no pod, nor does a serving map find one for it
    nowhere = {
        name: f"{NULL} as {name}" if name == "serving_pod" else f"null as {name}"
        for name in PLACE
        if name not in columns
    }
    shape = ", ".join(nowhere.get(name, name) for name in PRICED if name not in (*SUMS, *SAMPLED))
    sums = ", ".join(f"sum({name}) as {name}" for name in SUMS)
    open_calls = f"select {ASKED} from open_calls union all " if has_open else ""
    db.execute(
        f"create view apart as {open_calls}select {ASKED} from come_files "
        "where operation_key in (select operation_key from priced_come)"
    )
    load_class_parts(db, policy, kept, calls, view_closed=view_closed, apart="apart")
    db.execute(
        f"""
        create table classes as
        select {shape}, cast(sum(calls) as bigint) as calls, {sums},
               1 as counted, 1 as of_sampled, false as estimated
        from ({named_by_workload(db, policy, "class_parts")})
        where not is_sampled group by {", ".join(columns)}
        """
    )
    if db.one("select count(*) from class_parts where is_sampled"):
        view_closed()
        db.execute("create view sampled as select * from closed where counted <> of_sampled")
        db.execute(
            f"insert into classes select {shape}, 1 as calls, {', '.join(SUMS)}, counted, of_sampled, "
            f"estimated from ({named_by_workload(db, policy, 'sampled')})"
        )
    known = ", ".join((*KNOWN, "calls"))
    db.execute(
        f"""
        create table operations as
        select 'class ' || cast(row_number() over () as varchar) as operation_key,
               cast(null as bigint) as end_unix_nano, {", ".join(PRICED)}, calls from classes
        union all select {known} from individuals
        union all select {known} from priced_come
        """
    )
    total = " + ".join(f"coalesce(sum({name}), 0)" for name in SUMS)
    if db.one(f"select coalesce({total}, 0) from classes") >= SAFE_SUM:
        raise TooMuch("the day's tokens or milliseconds are too many to be added up")
