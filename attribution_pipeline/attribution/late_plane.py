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
    unmerge_calls,
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
        counters: dict[str, dict[str, int]] = {"before": {}}
        states = {"after": "found union all select * from late_window", "before": "found"}
        if not db.one("select count(*) from found"):
            del states["before"]
        for state, rows in states.items():
            db.execute(f"create view landed_spans as select * from {rows}")
            merge_calls(db, policy, day_us, keys, verified=tokens)
            counters[state] = {**repeats(db), **merged_counts(db)}
            for table in TABLES:
                db.execute(f"create table {table}_{state} as select * from {table}")
            unmerge_calls(db)
            db.execute("drop table operations; drop view landed_spans")
        files: dict[str, Sequence[str]] = {"tokens": tokens}
        more: dict[str, int] = {}
        for table in TABLES:
            if "before" not in states:
                db.execute(
                    f"create table {table}_before as select * from {table}_after where false"
                )
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
    db.view("earlier_spans", earlier, located=True)
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
    """``found``: earlier spans that hang together with ``late_window``. False where they are too many."""
    run = said("run_id", policy)
    columns = f"trace_id, links, envelope, {run}, parent_issuance_id"
    hooks = " union ".join(
        f"""
        select trace_id, 'run ' || run_id as hook from ({source}) where run_id is not null
        union select s.trace_id, 'issuance ' || t.issuance_id from ({source}) s
        join tokens_known t on t.envelope = s.envelope where t.issuance_id is not null
        union select trace_id, 'issuance ' || parent_issuance_id from ({source})
        where parent_issuance_id is not null
        union select trace_id, 'trace ' || split_part(link, ':', 1) from (
            select trace_id, unnest(string_split(links, ' ')) as link from ({source})
            where links is not null)
        union select split_part(link, ':', 1), 'trace ' || split_part(link, ':', 1) from (
            select unnest(string_split(links, ' ')) as link from ({source}) where links is not null)
        """
        for source in (
            f"select {columns} from late_window",
            f"select {columns} from earlier_window where links is not null or envelope is not null "
            f"or parent_issuance_id is not null or {run.removesuffix(' as run_id')} is not null",
        )
    )
    db.execute(
        f"create table hooks as {hooks}; "
        "create table traces as select distinct trace_id from late_window; "
        "create table responses as select distinct response_id from late_window "
        "where is_call and response_id is not null"
    )
    known = -1
    while (reached := _reached(db)) != known:
        known = reached
        db.execute(
            """
            insert into traces
            select distinct trace_id from hooks
            where hook in (select hook from hooks where trace_id in (select trace_id from traces))
                and trace_id not in (select trace_id from traces);
            create or replace table told as
            select distinct trace_id, case when is_call then response_id end as response_id
            from earlier_window
            where trace_id in (select trace_id from traces)
                or is_call and response_id in (select response_id from responses);
            insert into traces
            select distinct trace_id from told where trace_id not in (select trace_id from traces);
            insert into responses
            select distinct response_id from told
            where response_id is not null
                and response_id not in (select response_id from responses)
            """
        )
    located = (
        "select filename, file_row_number from earlier_window "
        "where trace_id in (select trace_id from traces)"
    )
    if int(db.one(f"select count(*) from ({located})")) * MOST_LATE > spans:
        return False
    db.execute(f"create table located as {located}")
    # only ids are read of all spans, whole rows of few
    joined = "join located l on l.filename = e.filename and l.file_row_number = e.file_row_number"
    if not db.one("select count(*) from located"):
        joined = "where false"
    db.execute(
        "create table found as select e.* exclude (filename, file_row_number) from earlier_spans e "
        f"{joined}; "
        "drop table hooks; drop table traces; drop table responses; drop table told; "
        "drop table located"
    )
    return True


def _reached(db: Session) -> int:
    return int(db.one("select (select count(*) from traces) + (select count(*) from responses)"))


def _counters(kept: Mapping[str, int], states: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {
        name: kept[name] - states["before"].get(name, 0) + after
        for name, after in states["after"].items()
    }
