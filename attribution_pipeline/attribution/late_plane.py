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
    Session,
    add_digests,
    less_digest,
    session,
)
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
            db.execute(
                f"alter table {table} rename to {table}_after; "
                f"create table {table}_before as select * from {table}_kept "
                "where trace_id in (select trace_id from traces)"
            )
        counters = {"before": {**repeated, **merged_counts(db, "merged_before")}}
        counters["after"] = {**repeats(db), **merged_counts(db, "merged_after")}
        files: dict[str, Sequence[str]] = {"tokens": tokens}
        more: dict[str, int] = {}
        for table in TABLES:
            found = _changed_files(db, kept, table, out)
            if found is None:
                return None
            files[table], more[table] = found
        digest = less_digest(kept.digest, operations_digest(db, "gone_operations"))
        db.view("operations_now", files["operations"])
        return Plane(
            "operations",
            files,
            add_digests(digest, operations_digest(db, "come_operations")),
            {
                "operations": kept.rows["operations"] + more["operations"],
                **_counters(kept.rows, counters),
            },
            [*findings, *unverified_calls(db, "operations_now")],
        )


def _changed_files(db: Session, kept: Plane, table: str, out: Path) -> tuple[list[str], int] | None:
    """``gone_<table>`` and ``come_<table>``: rows that the plane had and has no more, rows that it has
    now. Its files, and how many rows more they have; None where ``kept`` lacks what it should have."""
    named = TABLES[table]
    for name, one, other in (("gone", "before", "after"), ("come", "after", "before")):
        db.execute(
            f"create table {name}_{table} as "
            f"select * from {table}_{one} except select * from {table}_{other}"
        )
    gone, come = (int(db.one(f"select count(*) from {name}_{table}")) for name in ("gone", "come"))
    files, found = files_without(
        db, kept.files[table], f"({named}) in (select ({named}) from gone_{table})",
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
