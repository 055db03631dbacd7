"""The operation plane of a day after late spans: only what they hang together with is done anew.

Belongs here: finding those spans among the ones that were read before, the plane's rows, counters
and digest. Does not: how spans are merged and named (``operations``), or what moved costs (``late``).

Spans of one trace hang together: twins and ancestors are looked for in it. Traces hang together by
the response id of a call, by a span link, by a run, and by an issuance, whose second claim or second
trace is news for every span that carries it. Whatever does not hang together with a late span stays
as it was.
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
    MERGED_ORDER,
    calls_window,
    load_findings,
    merge_calls,
    merged_counts,
    operations_digest,
    repeats,
    said,
)
from attribution_pipeline.attribution.verdicts import TOKENS, unverified_calls, verify_tokens
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
    with session(compute) as db:
        load_landed(db, landed, {"spans": "landed_spans"})
        findings = load_findings(db, day_us)
        db.execute("drop view landed_spans")
        tokens = _verify_late(db, kept, earlier, late, keys, day_us, out)
        if not _load_found(db, policy, spans):
            return None
        repeated = _repeats_before(db)
        if repeated is None:
            return None
        db.execute(
            "create view landed_spans as select * from found union all select * from late_window"
        )
        merge_calls(db, policy, day_us, keys, verified="tokens_known")
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


def _verify_late(
    db: Session,
    kept: Plane,
    earlier: Sequence[str],
    late: Sequence[str],
    keys: KeyRing | None,
    day_us: int,
    out: Path,
) -> list[str]:
    """Views ``earlier_window`` and ``late_window``; ``tokens_known``: every envelope in them, in the
    files that are returned: ``kept``'s, and one for late ones."""
    from_ns, to_ns = calls_window(day_us)
    within = f"end_unix_nano >= {from_ns} and start_unix_nano < {to_ns}"
    db.view("earlier_spans", earlier)
    db.view("late_spans", late)
    db.execute(
        f"create view earlier_window as select * from earlier_spans where {within}; "
        f"create table late_window as select * from late_spans where {within}"
    )
    tokens = list(kept.files["tokens"])
    db.view("tokens_kept", tokens)
    verify_tokens(db, "late_window", keys, known="tokens_kept", table="tokens_new")
    if db.one("select count(*) from tokens_new"):
        path = out / "tokens.parquet"
        db.write(f"select {', '.join(TOKENS)} from tokens_new order by envelope", path)
        tokens.append(str(path))
    db.view("tokens_known", tokens)
    return tokens


def _load_found(db: Session, policy: Policy, spans: int) -> bool:
    """``found``: earlier spans that hang together with ``late_window``, of all ``traces`` that do.
    False where they are too many of ``spans``.

    Whole rows of the late spans' own traces first: hardly ever does another trace hang on them.
    """
    run = said("run_id", policy)
    ids = f"trace_id, is_call, response_id, envelope, parent_issuance_id, {run}"
    db.execute(
        "create table traces (trace_id varchar); "
        "create table hanging_more as select distinct trace_id from late_window; "
        "create table found as select * from earlier_window where false; "
        "create view hanging_known as select * from found union all select * from late_window"
    )
    while db.one("select count(*) from hanging_more"):
        db.execute(
            "insert into found select * from earlier_window "
            "where trace_id in (select trace_id from hanging_more); "
            "insert into traces select distinct trace_id from hanging_more"
        )
        if int(db.one("select count(*) from found")) * MOST_LATE > spans:
            return False
        db.execute(
            f"""
            create or replace table hanging_answers as
            select distinct response_id from hanging_known where is_call and response_id is not null;
            create or replace table hanging_runs as
            select distinct run_id from (select {run} from hanging_known) where run_id is not null;
            create or replace table hanging_issuances as
            select issuance_id from tokens_known
            where issuance_id is not null and envelope in (select envelope from hanging_known)
            union select parent_issuance_id from hanging_known where parent_issuance_id is not null;
            create or replace table hanging_envelopes as
            select envelope from tokens_known
            where issuance_id in (select issuance_id from hanging_issuances);
            create or replace table hanging_ends as
            select split_part(link, ':', 1) as trace_id
            from (select unnest(string_split(links, ' ')) as link from hanging_known where links is not null)
            union select trace_id from traces;
            create or replace table hanging_more as
            select trace_id from hanging_ends
            union select trace_id
            from (select trace_id, unnest(string_split(links, ' ')) as link
                  from earlier_spans where links is not null)
            where split_part(link, ':', 1) in (select trace_id from hanging_ends)
            """
        )
        for hangs in (
            "is_call and response_id in (select response_id from hanging_answers)",
            "envelope in (select envelope from hanging_envelopes)",
            "parent_issuance_id in (select issuance_id from hanging_issuances)",
            "run_id in (select run_id from hanging_runs)",
        ):
            there, ours = (
                f"(select {ids} from {name}) s where {hangs}" for name in ("earlier_spans", "found")
            )
            # to count spans costs half of what it costs to say whose they are
            if db.one(f"select (select count(*) from {there}) - (select count(*) from {ours})"):
                db.execute(f"insert into hanging_more select distinct trace_id from {there}")
        db.execute("delete from hanging_more where trace_id in (select trace_id from traces)")
    return True


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
