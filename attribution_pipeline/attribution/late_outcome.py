"""From staged and carried rows to the day's tables, most of whose files stand.

Belongs here: which rows are written, which recorded files are cut, checks. Does not: what a row
says (``publish``), revisions (``revise``).

The ledger is written whole: it is small. Request rows and operations are many, and late ones stand
in files beside those that are there; a file is written again only where a row of it is no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution import publish as whole
from attribution_pipeline.attribution.day import Finding, Outcome, Plane, Previous
from attribution_pipeline.attribution.engine import DuckDB, Session
from attribution_pipeline.attribution.late_change import TooMuch
from attribution_pipeline.attribution.late_files import files_without, rows_of_files
from attribution_pipeline.attribution.late_meters import load_gone_costs
from attribution_pipeline.attribution.meters import Slice
from attribution_pipeline.attribution.revise import COLUMNS, Stamp, revise
from attribution_pipeline.attribution.writing import TABLES, write

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

CHANGED = ("gone", "come")
"""Operations that the recorded state has otherwise, and that this one has."""

CHECKED = (
    "attribution_id", "charge_id", "billing_account_id", "component", "basis", "tenant_id",
    "billed_cost", "effective_cost", "billing_currency", "confidence", "unallocated_reason",
)  # fmt: skip
"""What invariants and totals ask of every row of a ledger."""

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
    _make_rows(db, policy, day, stamp, previous)
    columns = ", ".join(COLUMNS)
    db.execute(
        f"create table recorded_changes as select {columns} from recorded_rows "
        "where file_row_number not in (select row_no from carried)"
    )
    causes = revise(
        db, policy, day, stamp, planes, _previous_of_changes(db, previous, out),
        before="recorded_changes",
    )  # fmt: skip
    if db.one("select count(*) from held_charges"):
        raise TooMuch("a closed period is held")
    checked = ", ".join(CHECKED)
    carried = "attribution_id not in (select attribution_id from recorded_changes)"
    db.execute(
        "alter table ledger rename to changed_ledger; "
        f"create view whole_ledger as select {columns} from changed_ledger union all "
        f"select {columns} from recorded_rows where {carried}; "
        f"create table ledger as select {checked} from changed_ledger union all "
        f"select {checked} from recorded where {carried}"
    )
    with db.beside() as beside, ThreadPoolExecutor(max_workers=1) as other:
        # the ledger is too small for DuckDB to share among threads, and it takes the longest
        ledger = other.submit(
            whole.write_ledger, beside, "whole_ledger", out,
            known=previous.hashes, gone="recorded_changes", come="changed_ledger",
        )  # fmt: skip
        whole.check(db, day)
        files, rows, adds_to = _write(db, previous, out)
        written = ledger.result()
        rows["ledger"] = written.rows
        return whole.outcome(
            db, slices, findings, causes=causes, files={**files, "ledger": [written.path]},
            rows=rows, adds_to=adds_to, digest=written.digest, hashes=written.hashes,
        )  # fmt: skip


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
    # an operation that came and is not gone was not in the plane before, and had no number
    keys = "select operation_key from individuals union all select operation_key from gone"
    last = whole.load_numbers(
        db, day, previous, only=keys if _has(db, "individuals") or _has(db, "gone") else None
    )
    whole.make_ledger(db, policy, day, stamp, last)
    db.execute(
        "create table numbers_named as select operation_key, operation_number from numbers_before "
        "union select o.operation_key, n.operation_number from numbers n "
        "join ops o on o.op_id = n.op_id"
    )
    for name in CHANGED:
        whole.make_operations(
            db, f"(select c.*, n.operation_number from {name} c "
            "left join numbers_named n on n.operation_key = c.operation_key)",
        )  # fmt: skip
        if name == "gone":
            db.execute("alter table published_operations rename to gone_operations")
    load_gone_costs(db)
    request = f"attribution_id, charge_id, operation_number, {REST}"
    for name, columns, come, gone in (
        ("same_costs", request, "operation_costs", "gone_costs"),
        ("same_operations", "* exclude (place)", "published_operations", "gone_operations"),
    ):
        # most late operations are new ones: nothing that was there is compared then
        also = f"intersect select {columns} from {gone}" if _has(db, gone) else "where false"
        db.execute(f"create table {name} as select {columns} from {come} {also}")
    db.execute(
        """
        insert into operation_costs
        select attribution_id, charge_id, null, null, null, billed_cost, effective_cost, 0, null, null
        from recorded
        where basis = 'operations' and (row_no in (select row_no from carried)
            or attribution_id in (select attribution_id from meter_changes))
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
    if db.one("select count(*) from touched_charges"):
        changed.append(
            "attribution_id in (select attribution_id from recorded where basis = 'operations' "
            "and component = 'workload' and charge_id in (select charge_id from touched_charges))"
        )
    if db.one("select (select count(*) from gone_costs) - (select count(*) from same_costs)"):
        changed.append(
            f"{request} in (select {request} from gone_costs "
            f"where {request} not in (select {request} from same_costs))"
        )
    ended = ""
    if db.one(
        "select (select count(*) from gone_operations) - (select count(*) from same_operations)"
    ):
        ended = (
            "operation_number in (select operation_number from gone_operations "
            "where operation_number not in (select operation_number from same_operations))"
        )
    return {
        "operation_costs": (
            f"operation_number is not null and {request} not in (select {request} from same_costs)",
            " or ".join(changed),
        ),
        "operations": (
            "operation_number not in (select operation_number from same_operations)",
            ended,
        ),
    }


def _previous_of_changes(db: Session, previous: Previous, out: Path) -> Previous:
    """The recorded state as far as causes are asked of it: operations that changed or vanished, and
    request rows only where such operations may have had some."""
    rows = {"operations": "select * from gone_operations"}
    if not db.one("select count(*) from gone_operations"):
        rows["operation_costs"] = "select * from gone_costs where false"
    files = dict(previous.files)
    for name, query in rows.items():
        path = out / f"changed-{name}.parquet"
        db.write(query, path)
        files[name] = [str(path)]
    return replace(previous, files=files)
