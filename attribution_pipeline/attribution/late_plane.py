"""The operation plane of a day after late spans: only what they hang together with is done anew.

Belongs here: the plane's rows, counters and digest. Does not: which spans hang together
(``late_spans``), how they are merged and named (``operations``), or what moved costs (``late``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.cluster import view_landed
from attribution_pipeline.attribution.day import Compute, Landed, Plane
from attribution_pipeline.attribution.engine import (
    DuckDB,
    Session,
    session,
)
from attribution_pipeline.attribution.late_classes import keep_classes
from attribution_pipeline.attribution.late_compute import late_compute
from attribution_pipeline.attribution.late_files import files_without, rows_of_files
from attribution_pipeline.attribution.late_spans import load_found, view_spans
from attribution_pipeline.attribution.operations import (
    MERGED_ORDER,
    load_findings,
    merge_calls,
    merged_counts,
    operations_digest,
    repeats,
)
from attribution_pipeline.attribution.parts import Digest
from attribution_pipeline.attribution.set_digests import add_digests, lanes_text, less_digest
from attribution_pipeline.attribution.verdicts import unverified_calls
from attribution_pipeline.model.cutting import microseconds

if TYPE_CHECKING:
    from attribution_pipeline.envelope import KeyRing
    from attribution_pipeline.model.policy import Policy

MOST_LATE = 8
"""One in so many spans at most: beyond, doing all of them anew is no slower."""

TABLES = {"operations": "operation_key", "merged": MERGED_ORDER}
"""Tables of the plane that late spans change, and what names a row."""


def late_operation_plane(
    kept: Plane,
    landed: Landed,
    late: Sequence[str],
    day: date,
    policy: Policy,
    *,
    out: Path,
    compute: Compute,
    keys: KeyRing | None = None,
) -> Plane | None:
    """The plane of the day's spans ``landed``, from ``kept``, which was made of all of them but the
    files ``late``, under the same policy and keys. Equal to ``operation_plane`` in rows, counters,
    findings and digest.

    ``kept``'s files stand where no row of theirs changed; new rows are in a file beside them. None
    where the late spans, or those that hang together with them, are too many for that to pay.
    """
    earlier = [path for path in landed.files.get("spans", ()) if path not in set(late)]
    spans = rows_of_files(landed.files["spans"]) if earlier else 0
    if not earlier or rows_of_files(late) * MOST_LATE > spans:
        return None
    day_us = microseconds(day)
    with session(late_compute(compute, spans)) as db:
        view_landed(db, landed, "spans", "landed_spans")
        findings = load_findings(db, day_us)
        db.execute("drop view landed_spans")
        view_spans(db, earlier, late, day_us)
        tokens = load_found(db, policy, kept, keys, out, spans=spans, one_in=MOST_LATE)
        if tokens is None:
            return None
        repeated = _repeats_before(db)
        if repeated is None:
            return None
        # one table of few rows: a view of two is planned again wherever it is read
        db.execute(
            "insert into found select * from late_window; "
            "create view landed_spans as select * from found"
        )
        merge_calls(db, policy, day_us, keys, verified="tokens_here")
        for table in TABLES:
            db.view(f"{table}_kept", kept.files[table])
            db.execute(f"alter table {table} rename to {table}_after")
        _load_before(db, "merged")
        counters = {"before": {**repeated, **merged_counts(db, "merged_before")}}
        counters["after"] = {**repeats(db), **merged_counts(db, "merged_after")}
        files: dict[str, Sequence[str]] = {"tokens": tokens}
        more: dict[str, int] = {}
        is_marked = rows_of_files(kept.files.get("marks", ())) == kept.rows["operations"]
        if is_marked:
            _compare_marks(db, kept)
        else:
            _load_before(db, "operations")
            _compare(db, "operations")
        _compare(db, "merged")
        for table in TABLES:
            found = _changed_files(db, kept, table, out)
            if found is None:
                return None
            files[table], more[table] = found
        marks = _changed_marks(db, kept, out) if is_marked else []
        if marks is None:
            return None
        classes = _changed_classes(db, policy, kept, out)
        files |= {name: found for name, found in (("marks", marks), ("classes", classes)) if found}
        less = less_digest(kept.digest, operations_digest(db, "gone_operations"))
        come = _digest_of_marked(db) if is_marked else operations_digest(db, "come_operations")
        db.view("operations_now", files["operations"])
        return Plane(
            "operations",
            files,
            add_digests(less, come),
            {
                "operations": kept.rows["operations"] + more["operations"],
                **_counters(kept.rows, counters),
            },
            [*findings, *unverified_calls(db, "operations_now")],
        )


def _load_before(db: Session, table: str) -> None:
    """``<table>_before``: what the plane had of the traces."""
    db.execute(
        f"create table {table}_before as select * from {table}_kept "
        "where trace_id in (select trace_id from traces)"
    )


def _compare(db: Session, table: str) -> None:
    """``gone_<table>`` and ``come_<table>``: rows that the plane had and has no more, rows that it has
    now."""
    for name, one, other in (("gone", "before", "after"), ("come", "after", "before")):
        db.execute(
            f"create table {name}_{table} as "
            f"select * from {table}_{one} except select * from {table}_{other}"
        )


def _compare_marks(db: DuckDB, kept: Plane) -> None:
    """The same of operations, by their marks: an operation is looked at whole only where it is gone."""
    db.view("marks_kept", kept.files["marks"])
    db.mark("operations_after", "operation_key", "marks_after")
    db.execute(
        """
        create table keys_before as
        select operation_key from operations_kept where trace_id in (select trace_id from traces);
        create table keys_same as
        select operation_key from marks_after
        where mark in (select mark from marks_kept where mark in (select mark from marks_after))
            and operation_key in (select operation_key from keys_before);
        create table come_operations as
        select * from operations_after
        where operation_key not in (select operation_key from keys_same);
        delete from keys_before where operation_key in (select operation_key from keys_same)
        """
    )
    some = db.one("select count(*) from keys_before")
    db.execute(
        "create table gone_operations as "
        + (
            "select * from operations_kept "
            "where operation_key in (select operation_key from keys_before)"
            if some
            else "select * from operations_after where false"
        )
    )


def _digest_of_marked(db: DuckDB) -> str:
    """The set digest of ``come_operations``, from the hashes that their marks are the first half of."""
    digest = Digest()
    digest.add_hashes(
        b"".join(
            found
            for (found,) in db.rows(
                "select row_hash from marks_after "
                "where operation_key in (select operation_key from come_operations)"
            )
        )
    )
    return lanes_text(digest.lanes)


def _changed_marks(db: DuckDB, kept: Plane, out: Path) -> list[str] | None:
    """The files of marks; None where ``kept`` lacks what it should have."""
    standing = list(kept.files["marks"])
    gone = db.one("select count(*) from gone_operations")
    if gone:
        db.mark("gone_operations", "operation_key", "marks_gone")
        standing, found = files_without(
            db,
            standing,
            "mark in (select mark from marks_gone)",
            order="mark",
            out=out,
            name="marks",
        )
        if found != gone:
            return None
    if db.one("select count(*) from come_operations"):
        path = out / "marks.parquet"
        db.write(
            "select mark from marks_after "
            "where operation_key in (select operation_key from come_operations) order by mark", path,
        )  # fmt: skip
        standing.append(str(path))
    return standing


def _changed_classes(db: Session, policy: Policy, kept: Plane, out: Path) -> list[str]:
    """The files of classes; none where ``kept`` has none of this policy."""
    standing = list(kept.files.get("classes", ()))
    if not standing or not db.one(
        "select (select count(*) from gone_operations) + (select count(*) from come_operations)"
    ):
        return standing
    db.view("classes_kept", standing)
    changed = keep_classes(
        db, policy, "come_operations", out / "classes.parquet",
        less="gone_operations", kept="classes_kept",
    )  # fmt: skip
    return [*standing, *changed] if changed else []


def _changed_files(db: Session, kept: Plane, table: str, out: Path) -> tuple[list[str], int] | None:
    """The files of a table of which rows are ``gone_<table>`` and others ``come_<table>``, and how many rows
    more they have; None where ``kept`` lacks what it should have."""
    named = TABLES[table]
    gone, come = (int(db.one(f"select count(*) from {name}_{table}")) for name in ("gone", "come"))
    files = list(kept.files[table])
    if gone:
        files, found = files_without(
            db, files, f"({named}) in (select ({named}) from gone_{table})",
            order=named, out=out, name=table,
        )  # fmt: skip
        if found != gone:
            return None
    if come or not files:
        path = out / f"{table}.parquet"
        db.write(f"select * from come_{table} order by {named}", path)
        files.append(str(path))
    return files, come - gone


def _repeats_before(db: Session) -> dict[str, int] | None:
    """What ``operations.repeats`` would say of ``found``; None where deliveries of one span differ in
    whether it is a call, so that only a merge of them could say."""
    ((spans, deliveries, mixed),) = db.rows(
        "select count(*) filter (calls > 0), coalesce(sum(deliveries - 1) filter (calls > 0), 0), "
        "count(*) filter (calls > 0 and calls < deliveries) from ("
        "select count(*) as deliveries, count(*) filter (is_call) as calls from found "
        "group by trace_id, span_id having count(*) > 1) f"
    )
    if mixed:
        return None
    return {"repeated_spans": int(spans), "repeated_deliveries": int(deliveries)}


def _counters(kept: Mapping[str, int], states: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {
        name: kept[name] - states["before"].get(name, 0) + after
        for name, after in states["after"].items()
    }
