"""The operation plane of a day after late spans: only the calls that they belong to are merged anew.

Belongs here: finding those calls among the spans that were read before, the plane's rows, counters
and digest. Does not: how spans are merged (``operations``), or what moved costs (``late``).

Spans hang together by their (trace, span), which a delivery may repeat, and by their response id,
which twins share. Whatever does not hang together with a late span is merged as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.cluster import load_landed
from attribution_pipeline.attribution.day import Compute, Landed, Plane
from attribution_pipeline.attribution.engine import (
    Session,
    add_digests,
    less_digest,
    session,
)
from attribution_pipeline.attribution.late_files import files_without, rows_of_files
from attribution_pipeline.attribution.operations import (
    calls_window,
    load_findings,
    merge_calls,
    operations_digest,
    repeats,
)
from attribution_pipeline.model.cutting import microseconds

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

MOST_LATE = 8
"""One in so many spans at most: beyond, merging all of them anew is no slower."""

MERGED = ("delivered", "repeated", "winners", "calls", "ranked", "picks", "twins")
"""Tables that ``merge_calls`` leaves beside ``operations``."""


def late_operation_plane(
    kept: Plane,
    landed: Landed,
    late: Sequence[str],
    day: date,
    policy: Policy,
    *,
    out: Path,
    compute: Compute,
) -> Plane | None:
    """The plane of the day's spans ``landed``, from ``kept``, which was made of all of them but the
    files ``late``, under the same policy. Equal to ``operation_plane`` in rows, counters, findings
    and digest.

    ``kept``'s files stand where no row of theirs changed; new rows are in a file beside them. None
    where the late spans are too many for that to pay.
    """
    earlier = [path for path in landed.files.get("spans", ()) if path not in set(late)]
    if not earlier or rows_of_files(late) * MOST_LATE > rows_of_files(landed.files["spans"]):
        return None
    day_us = microseconds(day)
    with session(compute) as db:
        load_landed(db, landed, {"spans": "landed_spans"})
        findings = load_findings(db, day_us)
        db.execute("drop view landed_spans")
        _load_calls(db, earlier, late, day_us)
        counters = {"before": {"repeated_spans": 0, "repeated_deliveries": 0}}
        states = {"after": "found union all select * from late_calls", "before": "found"}
        if not db.one("select count(*) from found"):
            del states["before"]
        for state, spans in states.items():
            db.execute(f"create view landed_spans as select * from {spans}")
            merge_calls(db, policy, day_us)
            counters[state] = repeats(db)
            db.execute(
                f"alter table operations rename to operations_{state}; drop view landed_spans; "
                + "; ".join(f"drop table {table}" for table in MERGED)
            )
        if "before" not in states:
            db.execute(
                "create table operations_before as select * from operations_after where false"
            )
        _compare(db)
        gone, come = (int(db.one(f"select count(*) from {table}")) for table in ("gone", "come"))
        files, found = files_without(
            db, kept.files["operations"], "operation_key in (select operation_key from gone)",
            order="operation_key", out=out, name="operations",
        )  # fmt: skip
        if found != gone:
            return None
        if come or not files:
            path = out / "operations.parquet"
            db.write("select * from come order by operation_key", path)
            files.append(str(path))
        digest = less_digest(kept.digest, operations_digest(db, "gone"))
        return Plane(
            "operations",
            {"operations": files},
            add_digests(digest, operations_digest(db, "come")),
            {
                "operations": kept.rows["operations"] - gone + come,
                **_counters(kept.rows, counters),
            },
            findings,
        )


def _load_calls(db: Session, earlier: Sequence[str], late: Sequence[str], day_us: int) -> None:
    """``late_calls``, and ``found``: earlier spans that hang together with them."""
    from_ns, to_ns = calls_window(day_us)
    called = f"is_call and end_unix_nano >= {from_ns} and start_unix_nano < {to_ns}"
    db.view("earlier_spans", earlier, located=True)
    db.view("late_spans", late)
    db.execute(
        f"create table late_calls as select * from late_spans where {called}; "
        "create table names (name varchar); "
        "create table located as select trace_id, span_id, response_id, filename, file_row_number "
        "from earlier_spans where false"
    )
    known = 0
    while True:
        # looked up without their trace, or provider: what is found too much hangs together too
        db.execute(
            "insert into names select distinct name from ("
            "select unnest([span_id, response_id]) as name from ("
            "select span_id, response_id from late_calls union all "
            "select span_id, response_id from located)"
            ") where name is not null and name not in (select name from names)"
        )
        names = db.one("select count(*) from names")
        if names == known:
            break
        known = names
        # only ids are read of all spans, whole rows of few
        db.execute(
            "create or replace table located as "
            "select trace_id, span_id, response_id, filename, file_row_number from earlier_spans "
            f"where {called} and (span_id in (select name from names) "
            "or response_id in (select name from names))"
        )
    joined = "join located l on l.filename = e.filename and l.file_row_number = e.file_row_number"
    if not db.one("select count(*) from located"):
        joined = "where false"
    db.execute(
        "create table found as select e.* exclude (filename, file_row_number) from earlier_spans e "
        + joined
    )


def _compare(db: Session) -> None:
    """``gone`` and ``come``: rows that the plane had and has no more, rows that it has now."""
    db.execute(
        "create table gone as select * from operations_before except select * from operations_after; "
        "create table come as select * from operations_after except select * from operations_before"
    )


def _counters(kept: Mapping[str, int], states: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {
        name: kept[name] - before + states["after"][name]
        for name, before in states["before"].items()
    }
