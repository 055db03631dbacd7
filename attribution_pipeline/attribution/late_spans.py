"""Which spans that were read before hang together with late ones: these are merged and named again.

Belongs here: finding them, and what is known of their envelopes. Does not: what becomes of them
(``late_plane``).

Spans of one trace hang together: twins and ancestors are looked for in it. Traces hang together by
the response id of a call, by a span link, by a run, and by an issuance, whose second claim or second
trace is news for every span that carries it. Whatever does not hang together with a late span stays
as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.day import Plane
from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.operations import calls_window, said
from attribution_pipeline.attribution.verdicts import TOKENS, verify_tokens

if TYPE_CHECKING:
    from attribution_pipeline.envelope import KeyRing
    from attribution_pipeline.model.policy import Policy

NOWHERE = (
    "replace (cast(null as varchar) as source, cast(null as varchar) as object_id, "
    "cast(null as bigint) as position)"
)
"""Where a span was delivered is not asked, and of many spans it takes long to read."""

HANGING = {
    "hanging_answers": "is_call and response_id",
    "hanging_envelopes": "envelope",
    "hanging_issuances": "parent_issuance_id",
    "hanging_runs": "run_id",
}
"""What traces hang together by, beside links: tables of names, and what of a span is such a name."""


def view_spans(db: Session, earlier: Sequence[str], late: Sequence[str], day_us: int) -> None:
    """Views ``earlier_spans``, ``earlier_window``; ``late_window``: spans around the day."""
    from_ns, to_ns = calls_window(day_us)
    within = f"end_unix_nano >= {from_ns} and start_unix_nano < {to_ns}"
    db.view("earlier_spans", earlier)
    db.view("late_spans", late)
    db.execute(
        f"create view earlier_window as select * {NOWHERE} from earlier_spans where {within}; "
        f"create table late_window as select * {NOWHERE} from late_spans where {within}"
    )


def _verify_late(db: Session, kept: Plane, keys: KeyRing | None, out: Path) -> list[str]:
    """``tokens_here``: envelopes of ``late_window`` and ``found``; ``tokens_known``: every envelope
    around the day, in the files that are returned: ``kept``'s, and one for late ones."""
    tokens = list(kept.files["tokens"])
    db.view("tokens_kept", tokens)
    columns = ", ".join(TOKENS)
    db.execute(
        f"create table tokens_here as select {columns} from tokens_kept "
        "where envelope in (select envelope from hanging_known)"
    )
    verify_tokens(db, "late_window", keys, known="tokens_here", table="tokens_new")
    if db.one("select count(*) from tokens_new"):
        path = out / "tokens.parquet"
        db.write(f"select {columns} from tokens_new order by envelope", path)
        tokens.append(str(path))
        db.execute("insert into tokens_here select * from tokens_new")
    db.view("tokens_known", tokens)
    return tokens


def load_found(
    db: Session,
    policy: Policy,
    kept: Plane,
    keys: KeyRing | None,
    out: Path,
    *,
    spans: int,
    one_in: int,
) -> list[str] | None:
    """``found``: earlier spans that hang together with ``late_window``, of all ``traces`` that do. The
    files of tokens (``_verify_late``); None where ``found`` are more than one in so many ``spans``.

    Whole rows of the late spans' own traces first: hardly ever does another trace hang on them.
    """
    run = said("run_id", policy)
    ids = f"trace_id, is_call, response_id, envelope, parent_issuance_id, {run}"
    db.execute(
        "create table traces (trace_id varchar); "
        "create table hanging_more as select distinct trace_id from late_window"
    )
    tokens: list[str] | None = None
    while True:
        db.execute(
            f"{'create table found as' if tokens is None else 'insert into found'} "
            "select * from earlier_window where trace_id in (select trace_id from hanging_more); "
            "insert into traces select distinct trace_id from hanging_more"
        )
        if int(db.one("select count(*) from found")) * one_in > spans:
            return None
        if tokens is None:
            db.execute(
                "create view hanging_known as select * from found union all select * from late_window"
            )
            tokens = _verify_late(db, kept, keys, out)
        else:
            db.execute(
                f"insert into tokens_here select {', '.join(TOKENS)} from tokens_kept "
                "where envelope in (select envelope from found) "
                "and envelope not in (select envelope from tokens_here)"
            )
        db.execute(
            f"""
            create or replace table hanging_answers as
            select distinct response_id from hanging_known where is_call and response_id is not null;
            create or replace table hanging_runs as
            select distinct run_id from (select {run} from hanging_known) where run_id is not null;
            create or replace table hanging_issuances as
            select issuance_id from tokens_here where issuance_id is not null
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
        sizes = ", ".join(f"(select count(*) from {name})" for name in HANGING)
        for (name, hangs), size in zip(HANGING.items(), db.rows(f"select {sizes}")[0], strict=True):
            if not size:
                continue
            there, ours = (
                f"(select {ids} from {spans_of}) s where {hangs} in (select * from {name})"
                for spans_of in ("earlier_spans", "found")
            )
            # to count spans costs half of what it costs to say whose they are
            if db.one(f"select (select count(*) from {there}) - (select count(*) from {ours})"):
                db.execute(f"insert into hanging_more select distinct trace_id from {there}")
        db.execute("delete from hanging_more where trace_id in (select trace_id from traces)")
        if not db.one("select count(*) from hanging_more"):
            return tokens
