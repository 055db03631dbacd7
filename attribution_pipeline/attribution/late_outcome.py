"""From staged and carried rows to the day's tables, most of whose files stand.

Belongs here: which rows are written, which recorded files are cut, checks. Does not: what a row
says (``publish``), revisions (``revise``).

Request rows and operations are many, and late ones stand in files beside those that are there; a file is
written again only where a row of it is no more. Of the ledger, a file stands where all of its rows do, and
the others become one, in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution import publish as whole
from attribution_pipeline.attribution.day import Finding, Outcome, Plane, Previous
from attribution_pipeline.attribution.engine import DuckDB, Session
from attribution_pipeline.attribution.late_change import TooMuch
from attribution_pipeline.attribution.late_files import (
    ROWS_A_FILE,
    files_without,
    place_in,
    rows_of_files,
)
from attribution_pipeline.attribution.late_meters import load_gone_costs
from attribution_pipeline.attribution.meters import Slice
from attribution_pipeline.attribution.revise import COLUMNS, Stamp, revise
from attribution_pipeline.attribution.writing import TABLES, write

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

CHANGED = ("gone", "come")
"""Operations that the recorded state has otherwise, and that this one has."""

TOLD = (
    "charge_id", "billing_account_id", "component", "basis", "tenant_id", "billing_currency",
    "confidence", "unallocated_reason",
)  # fmt: skip
"""What invariants and totals ask of a row of a ledger, beside its name and its costs. Rows that stand are
told to them added up by these."""

CHECKED = ", ".join(("attribution_id", *TOLD, "billed_cost", "effective_cost", "rows"))

LEDGER = ", ".join(COLUMNS)

REST = "operation_key, weight, billed_cost, effective_cost"


def publish(
    db: DuckDB,
    policy: Policy,
    day: date,
    slices: Sequence[Slice],
    findings: Sequence[Finding],
    *,
    stamp: Stamp,
    planes: Mapping[str, Plane],
    previous: Previous,
    out: Path,
) -> Outcome:
    """The outcome of the day. Raises Broken where an invariant does not hold, TooMuch where a
    closed period is held."""
    _add_up_standing(db)
    _make_rows(db, policy, day, stamp, previous)
    standing = _load_recorded_changes(db, previous)
    causes = revise(
        db, policy, day, stamp, planes, previous,
        before="recorded_changes", operations_before="gone_operations",
        # where no operation changed or vanished, none has other requests than it had
        requests_before="" if _has(db, "gone_operations") else "gone_costs",
    )  # fmt: skip
    if db.one("select count(*) from held_charges"):
        raise TooMuch("a closed period is held")
    unchanged = "attribution_id not in (select attribution_id from recorded_changes)"
    told = ", ".join(TOLD)
    db.execute(
        "alter table ledger rename to changed_ledger; "
        f"create view moving_ledger as select {LEDGER} from changed_ledger union all "
        f"select {LEDGER} from moving_rows where {unchanged}; "
        f"create table ledger as select attribution_id, {told}, billed_cost, effective_cost, 1 as rows "
        f"from changed_ledger union all select {CHECKED} from standing_rows union all "
        # a row that stands and is there a second time: the invariants name it
        f"select attribution_id, {told}, billed_cost, effective_cost, 1 from recorded "
        "where row_no in (select row_no from carried) "
        "and attribution_id in (select attribution_id from changed_ledger)"
    )
    with db.beside() as beside, ThreadPoolExecutor(max_workers=1) as other:
        # the ledger is too small for DuckDB to share among threads, and it takes the longest
        ledger = other.submit(
            whole.write_ledger, beside, policy, "moving_ledger", out, standing=bool(standing),
            known=previous.hashes, gone="recorded_changes", come="changed_ledger",
            whole=f"(select {LEDGER} from changed_ledger union all "
            f"select {LEDGER} from recorded_rows where {unchanged})",
        )  # fmt: skip
        whole.check(db, day)
        files, rows, adds_to = _write(db, previous, out)
        written = ledger.result()
        files["ledger"] = [*standing, *written.paths]
        rows["ledger"] = rows_of_files(standing) + written.rows
        return whole.outcome(
            db, slices, findings, causes=causes, files=files, rows=rows, adds_to=adds_to,
            digest=written.digest, hashes=written.hashes, stand_for="rows",
        )  # fmt: skip


def _add_up_standing(db: Session) -> None:
    """``standing_rows``: rows of ``carried`` by file of the ledger, added up as far as invariants and totals
    tell them apart. TooMuch where one has lost its owner, or came out at nothing: bases of phases may
    have looked at what it was added up from."""
    told = ", ".join(name for name in TOLD if name != "tenant_id")
    db.execute(
        "create table standing_rows as select 'standing ' || cast(row_number() over () as varchar) "
        f"as attribution_id, * from (select {told}, "
        # by whether somebody pays, not by who
        "min(tenant_id) as tenant_id, sum(billed_cost) as billed_cost, "
        "sum(effective_cost) as effective_cost, "
        f"count(*) as rows, row_no // {ROWS_A_FILE} as file_no, bool_or(who_id is null) as is_lost, "
        "bool_or(billed_cost = 0 and effective_cost = 0) as is_cancelled from recorded "
        f"where row_no in (select row_no from carried) group by {told}, tenant_id is null, file_no)"
    )
    ((lost, cancelled),) = db.rows(
        "select count(*) filter (is_lost), count(*) filter (is_cancelled) from standing_rows"
    )
    if lost:
        raise TooMuch("a recorded row names somebody whom no operation names any more")
    if cancelled:
        raise TooMuch("requests of a recorded row cancel each other out")
    if db.one(
        "select count(*) from staged where method = 'carried' and billed = 0 and effective = 0"
    ):
        raise TooMuch("recorded rows of a tenant cancel each other out")


def _load_recorded_changes(db: Session, previous: Previous) -> list[str]:
    """``recorded_changes``: recorded rows that are not carried; ``moving_rows``: all of the files that they
    are in. The other files of the ledger, which stand."""
    files = list(previous.files["ledger"])
    carried = dict(db.rows("select file_no, sum(rows) from standing_rows group by 1"))
    moving = [
        path
        for number, path in enumerate(files)
        if carried.get(number, 0) != rows_of_files([path]) or not carried.get(number)
    ]
    if moving:
        db.view("moving_rows", moving, located=True)
        changed = f"{place_in(moving, files)} not in (select row_no from carried)"
    else:
        db.execute("create view moving_rows as select * from recorded_rows where false")
        changed = "false"
    db.execute(f"create table recorded_changes as select {LEDGER} from moving_rows where {changed}")
    return [path for path in files if path not in moving]


def _write(
    db: Session, previous: Previous, out: Path
) -> tuple[dict[str, Sequence[str]], dict[str, int], frozenset[str]]:
    """Files and rows by table, but the ledger's; the tables that are only added to."""
    files: dict[str, Sequence[str]] = {}
    rows: dict[str, int] = {}
    adds_to = set()
    if db.one("select count(*) from ledger_revisions"):
        files["ledger_revisions"], rows["ledger_revisions"] = write(db, "ledger_revisions", out)
    for name, (come, gone) in _changes(db).items():
        standing = list(previous.files[name])
        if gone:
            order = TABLES[name][2]
            standing, _ = files_without(db, standing, gone, order=order, out=out, name=name)
        new, added = write(db, name, out, come)
        rows[name] = rows_of_files(standing) + added
        if standing == list(previous.files[name]):
            adds_to.add(name)
            files[name] = new if added else []
        else:
            files[name] = [*standing, *new] if added or not standing else standing
    return files, rows, frozenset(adds_to)


def _make_rows(db: Session, policy: Policy, day: date, stamp: Stamp, previous: Previous) -> None:
    """``ledger``, ``operation_costs`` and ``published_operations`` of what was divided.

    Rows of ``operation_costs`` without an operation stand for recorded ones, so that invariants see
    all of a ledger row's requests.
    """
    db.execute("delete from staged where method = 'carried'")
    has_gone = _has(db, "gone")
    # an operation that came and is not gone was not in the plane before, and had no number
    keys = "select operation_key from individuals union all select operation_key from gone"
    last = whole.load_numbers(
        db, day, previous, only=keys if has_gone or _has(db, "individuals") else None
    )
    whole.make_ledger(db, policy, day, stamp, last)
    db.execute(
        "create table numbers_named as select operation_key, operation_number from numbers_before "
        "union select o.operation_key, n.operation_number from numbers n "
        "join ops o on o.op_id = n.op_id"
    )
    for name in CHANGED if has_gone else CHANGED[1:]:
        whole.make_operations(
            db, f"(select c.*, n.operation_number from {name} c "
            "left join numbers_named n on n.operation_key = c.operation_key)",
        )  # fmt: skip
        if name == "gone":
            db.execute("alter table published_operations rename to gone_operations")
    if not has_gone:
        db.execute("create table gone_operations as select * from published_operations where false")
    load_gone_costs(db)
    request = f"attribution_id, charge_id, operation_number, {REST}"
    for name, columns, come, gone in (
        ("same_costs", request, "operation_costs", "gone_costs"),
        (
            "same_operations",
            "* exclude (place, end_unix_nano)",
            "published_operations",
            "gone_operations",
        ),
    ):
        # most late operations are new ones: nothing that was there is compared then
        if has_gone:
            both = f"select {columns} from {come} intersect select {columns} from {gone}"
            db.execute(f"create table {name} as {both}")
    db.execute(
        """
        insert into operation_costs
        select attribution_id, charge_id, null, null, null, billed_cost, effective_cost, 0, null, null
        from standing_rows where basis = 'operations'
        union all
        select attribution_id, charge_id, null, null, null, billed_cost, effective_cost, 0, null, null
        from recorded
        where basis = 'operations' and attribution_id in (select attribution_id from meter_changes)
        union all
        select attribution_id, charge_id, null, null, null, -billed_cost, -effective_cost, 0, null, null
        from gone_costs
        """
    )


def _has(db: Session, rows: str) -> bool:
    return bool(db.one(f"select count(*) from {rows}"))


def _changes(db: Session) -> dict[str, tuple[str, str]]:
    """By table: which rows at hand are new, and which recorded ones are no more, as conditions."""
    request, changed = "(attribution_id, operation_number)", []
    has_gone = _has(db, "gone")
    if db.one("select count(*) from touched_charges"):
        changed.append(
            "attribution_id in (select attribution_id from recorded where basis = 'operations' "
            "and component = 'workload' and charge_id in (select charge_id from touched_charges))"
        )
    if has_gone and db.one(
        "select (select count(*) from gone_costs) - (select count(*) from same_costs)"
    ):
        changed.append(
            f"{request} in (select {request} from gone_costs "
            f"where {request} not in (select {request} from same_costs))"
        )
    ended = ""
    if has_gone and db.one(
        "select (select count(*) from gone_operations) - (select count(*) from same_operations)"
    ):
        ended = (
            "operation_number in (select operation_number from gone_operations "
            "where operation_number not in (select operation_number from same_operations))"
        )
    return {
        "operation_costs": (
            "operation_number is not null"
            + (f" and {request} not in (select {request} from same_costs)" if has_gone else ""),
            " or ".join(changed),
        ),
        "operations": (
            "operation_number not in (select operation_number from same_operations)"
            if has_gone
            else "true",
            ended,
        ),
    }
