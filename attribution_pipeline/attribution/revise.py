"""A day that was recorded before: the same row, its next revision.

Belongs here: what of a computed day stands (closed periods may be held), revisions, settlement,
causes, rows that lost their support. Does not: how rows are computed (the phases), how a state is
published (``lake``).

A revision is a change of a cost. A row whose costs did not change keeps its revision and the time
of it, whatever its settlement or its policy columns become. A row that nothing supports any more
stays at zero. See design page 10, "Late data".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from attribution_pipeline.attribution import KERNEL
from attribution_pipeline.attribution.day import Plane, Previous
from attribution_pipeline.attribution.engine import NULL, Session
from attribution_pipeline.attribution.kernel import attribution_id
from attribution_pipeline.attribution.requests import request_rows
from attribution_pipeline.model.ledger import LEDGER, NOT_CONTENT, WHO

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

COLUMNS = tuple(name for name in LEDGER.names if name != "charge_date")

CHARGE_COLUMNS = (
    "billing_period", "provider", "service", "billing_account_id", "sub_account_id", "resource_id",
    "region", "charge_category", "charge_class", "surface", "billing_currency",
)  # fmt: skip
"""What a row has from its charge."""

HELD = {"component": "direct", "leg": "open", "basis": "none", "confidence": "unallocated",
        "unallocated_reason": "held", "method": "held"}  # fmt: skip
"""The one row of a closed charge whose amount its vendor changed."""

CAUSE_OF_PLANE = (
    ("billing", "late_billing"), ("cluster", "late_snapshot"), ("usage", "late_usage"),
    ("operations", "late_spans"), ("kubernetes", "identity"), ("closes", "reopened"),
)  # fmt: skip
"""Why rows move that no charge of their own and no request explains: the first plane that moved."""

NO_REQUESTS = "select cast(null as varchar) as attribution_id where false"


@dataclass(frozen=True)
class Stamp:
    """What a state says of itself in its rows. ``forced``: a policy reaches over a closed period."""

    policy_digest: str
    recorded_at: datetime
    run_id: str = ""
    forced: bool = False

    @property
    def instant(self) -> str:
        """``recorded_at`` as SQL."""
        return f"make_timestamptz({int(self.recorded_at.astimezone(UTC).timestamp()) * 1_000_000})"


def revise(
    db: Session,
    policy: Policy,
    day: date,
    stamp: Stamp,
    planes: Mapping[str, Plane],
    previous: Previous | None,
    *,
    before: str = "",
    operations_before: str = "",
    requests_before: str = "",
) -> dict[str, int]:
    """Make ``ledger`` and ``operation_costs``, as computed, the state that follows ``previous``.

    ``before``: a table of those of its ledger's rows that the computed ones follow, where these are
    not all. ``operations_before``, ``requests_before``: tables of its operations and request rows, where
    not all of them matter. Leaves ``ledger`` with revisions, times and settlement, ``ledger_revisions`` with this state's
    changes, ``variances``, ``held_charges``, and ``computed_ledger``, which nothing holds back.
    Returns the changed rows by cause.
    """
    _load(db, planes, previous, before)
    if previous is None:
        _first(db)
        return {}
    _hold(db, policy, day, stamp, previous)
    now = {
        "revision": "greatest(c.old_revision + cast(c.is_moved as integer), 1)",
        "first_recorded_at": f"coalesce(c.first_recorded_at, {stamp.instant})",
        "recorded_at": f"case when c.is_moved then {stamp.instant} "
        f"else coalesce(c.recorded_at, {stamp.instant}) end",
        "settlement": "case when t.is_settled is not true then 'provisional' "
        "when c.is_moved and (c.old_settlement <> 'provisional' or c.is_new and t.was_settled) "
        "then 'restated' else coalesce(nullif(c.old_settlement, 'provisional'), 'settled') end",
    }
    gone = {
        **now,
        "billed_cost": "cast(0 as decimal(38, 12))",
        "effective_cost": "cast(0 as decimal(38, 12))",
        "driver_quantity": "cast(0 as decimal(38, 0))",
        **_policy_where_moved(policy, stamp),
    }
    db.run("revise/ledger", revised_columns=_columns("s", now))
    if db.one("select count(*) from changes where is_gone"):
        db.run("revise/gone", gone_columns=_columns("s", gone))
    causes = _revisions(
        db, policy, stamp, planes, previous,
        operations_before=operations_before, requests_before=requests_before,
    )  # fmt: skip
    db.execute(
        "alter table ledger rename to computed_ledger; alter table revised_ledger rename to ledger"
    )
    return causes


def _first(db: Session) -> None:
    """The first state of a day: every row is new at revision 1, and nothing is held."""
    db.run("revise/first")
    if db.one("select count(*) from closed_charges"):
        db.execute(
            "alter table ledger rename to computed_ledger; create table ledger as select l.* replace "
            "(case when c.charge_id is null then l.settlement else 'settled' end as settlement) "
            "from computed_ledger l left join closed_charges c on c.charge_id = l.charge_id"
        )


def _load(db: Session, planes: Mapping[str, Plane], previous: Previous | None, before: str) -> None:
    """``before``, ``settled`` and ``settled_before``; empty where there is nothing."""
    nothing = (
        "select cast(null as varchar) as charge_id, cast(null as varchar) as issuer, "
        "cast(null as varchar) as account, cast(null as date) as billing_period, "
        "cast(null as boolean) as is_settled where false"
    )
    said = "charge_id, issuer, account, billing_period, is_settled"
    for name, files in (
        ("settled", planes["closes"].files["settled"] if "closes" in planes else ()),
        ("settled_before", previous.settled if previous else ()),
    ):
        if files:
            db.view(f"all_{name}", files)
        db.execute(
            f"create table {name} as " + (f"select {said} from all_{name}" if files else nothing)
        )
    if previous and not before:
        db.view("before", previous.files["ledger"])
    else:
        rows = before or "ledger where false"
        db.execute(f"create view before as select * from {rows}")


def _hold(db: Session, policy: Policy, day: date, stamp: Stamp, previous: Previous) -> None:
    """``standing``, ``variances``; request costs of held charges as they were."""
    if policy.settlement.closed_period != "hold" or stamp.forced:
        db.execute("create table held_charges (charge_id varchar)")
    else:
        charge_columns = ", ".join(f"min({column}) as {column}" for column in CHARGE_COLUMNS)
        nobody = f"concat_ws(chr(31), {', '.join([NULL] * len(WHO))})"
        nothing = f"concat_ws(chr(31), {', '.join([NULL] * 3)})"
        db.run(
            "revise/held",
            attribution_id=attribution_id(
                day.isoformat(), "charge_id", f"'{HELD['component']}'", f"'{HELD['leg']}'", nobody,
                nothing, f"'{HELD['unallocated_reason']}'",
            ),
            charge_columns=charge_columns,
            charge_columns_plain=", ".join(CHARGE_COLUMNS),
        )  # fmt: skip
    if not db.one("select count(*) from held_charges"):
        db.execute(
            f"create view standing as select {', '.join(COLUMNS)} from ledger; "
            "create table variances as select *, billed_cost as held_billed_cost, "
            "effective_cost as held_effective_cost from ledger where false"
        )
        return
    content = [name for name in COLUMNS if name not in NOT_CONTENT]
    vanished = {
        "billed_cost": "cast(0 as decimal(38, 12))",
        "effective_cost": "cast(0 as decimal(38, 12))",
        "driver_quantity": "cast(0 as decimal(38, 0))",
    }
    db.run(
        "revise/standing",
        columns=", ".join(COLUMNS),
        held_columns=_held_columns(db, policy, stamp),
        differs=" or ".join(f"w.{name} is distinct from b.{name}" for name in content),
        vanished_columns=_columns("b", vanished),
    )
    db.view("operation_costs_before", previous.files["operation_costs"], by_name=True)
    db.view("operations_held", previous.files["operations"])
    # an operation that the day has no more is named by its key from now on
    still = "operation_number in (select operation_number from published_operations)"
    db.execute(
        "delete from operation_costs where charge_id in (select charge_id from held_charges); "
        "insert into operation_costs select attribution_id, charge_id, operation_number, "
        f"case when not {still} then operation_key end, weight, billed_cost, effective_cost, 0, null, null "
        f"from ({request_rows('operation_costs_before', 'operations_held')}) "
        "where charge_id in (select charge_id from held_charges)"
    )


def _held_columns(db: Session, policy: Policy, stamp: Stamp) -> str:
    """The held row in the shape of the ledger, its columns typed as the ledger's."""
    types = dict(db.rows("select column_name, column_type from (describe ledger)"))
    own = {
        **{column: column for column in (*CHARGE_COLUMNS, "attribution_id", "charge_id")},
        "billed_cost": "billed_cost",
        "effective_cost": "effective_cost",
        **{column: f"'{value}'" for column, value in HELD.items()},
        **_policy_columns(policy, stamp),
    }
    return ", ".join(
        f"cast({own.get(column, 'null')} as {types[column]}) as {column}" for column in COLUMNS
    )


def _revisions(
    db: Session,
    policy: Policy,
    stamp: Stamp,
    planes: Mapping[str, Plane],
    previous: Previous,
    *,
    operations_before: str,
    requests_before: str,
) -> dict[str, int]:
    """``ledger_revisions``. Counts by cause."""
    moved = moved_planes(planes, previous)
    all_by = "null"
    if previous.kernel != KERNEL:
        all_by = "'kernel'"
    elif previous.policy_digest != stamp.policy_digest:
        all_by = "'policy_change'"
    else_by = next((cause for plane, cause in CAUSE_OF_PLANE if plane in moved), "kernel")
    regrouped = NO_REQUESTS
    if "operations" in moved and all_by == "null":
        regrouped = _regrouped(db, previous, operations_before, requests_before)
        if else_by == "late_spans" and not db.one("select count(*) from come_or_gone"):
            else_by = "identity"
    db.execute(f"create table regrouped as {regrouped}")
    db.run(
        "revise/revisions",
        all_by=all_by,
        else_by=f"'{else_by}'",
        billing_moved=str("billing" in moved).lower(),
        forced=str(stamp.forced).lower(),
        run_id="'" + stamp.run_id.replace("'", "''") + "'",
        recorded_at=stamp.instant,
        **_policy_columns(policy, stamp),
    )
    return dict(
        db.rows("select cause, count(*) from ledger_revisions group by cause order by cause")
    )


def moved_planes(planes: Mapping[str, Plane], previous: Previous | None) -> frozenset[str]:
    """Planes whose evidence is not what the previous state was computed from."""
    if previous is None:
        return frozenset()
    return frozenset(
        name for name, plane in planes.items() if previous.inputs.get(name) != plane.digest
    )


def _regrouped(
    db: Session, previous: Previous, operations_before: str, requests_before: str
) -> str:
    """Rows from or to which requests went whose owner is known to be another now. Also
    ``come_or_gone``: operations that only one of the two states has."""
    if operations_before and not db.one(f"select count(*) from {operations_before}"):
        db.execute("create table come_or_gone as select operation_number from published_operations")
        return NO_REQUESTS
    if not operations_before:
        db.view("operations_before", previous.files["operations"])
        operations_before = "operations_before"
    if not requests_before:
        requests_before = "operation_costs_before"
        if not db.one("select count(*) from held_charges"):
            db.view(requests_before, previous.files["operation_costs"], by_name=True)
    differs = " or ".join(f"n.{column} is distinct from b.{column}" for column in WHO)
    db.execute(
        f"""
        create table come_or_gone as
        select coalesce(n.operation_number, b.operation_number) as operation_number
        from published_operations n
        full join {operations_before} b on b.operation_number = n.operation_number
        where n.operation_number is null or b.operation_number is null;
        create table changed_owner as
        select n.operation_number from published_operations n
        join {operations_before} b on b.operation_number = n.operation_number
        where {differs}
        """
    )
    return (
        "select attribution_id from operation_costs where operation_number in "
        "(select operation_number from changed_owner) "
        f"union select attribution_id from {requests_before} where operation_number in "
        "(select operation_number from changed_owner)"
    )


def _policy_columns(policy: Policy, stamp: Stamp) -> dict[str, str]:
    return {
        "policy_id": "'" + policy.policy.replace("'", "''") + "'",
        "policy_version": str(policy.version),
        "policy_digest": f"'{stamp.policy_digest}'",
        "kernel": f"'{KERNEL}'",
    }


def _policy_where_moved(policy: Policy, stamp: Stamp) -> dict[str, str]:
    """A row that goes to zero says which rule took its support."""
    return {
        column: f"case when c.is_moved then cast({value} as "
        f"{'integer' if column == 'policy_version' else 'varchar'}) else s.{column} end"
        for column, value in _policy_columns(policy, stamp).items()
    }


def _columns(prefix: str, changed: Mapping[str, str], columns: Sequence[str] = COLUMNS) -> str:
    """The ledger's columns from one table, some of them otherwise."""
    return ", ".join(f"{changed.get(name, f'{prefix}.{name}')} as {name}" for name in columns)
