"""The ladder: who caused each call, on whose word, and where the question stopped.

Belongs here: the rungs that spans can answer, in the order of the policy's ``join.identity``. Does
not: what an envelope is worth (``verdicts``), rungs that need a cluster or a bill (``nodes``,
``matching``).

A span speaks by a verified envelope, else by its attributes; one that carries an envelope which is
not believed, or that had to sign and did not, *failed*. The tenant decides the rung: all
who-columns come from where it came from, so that no call is half one span's and half another's. A
rung that failed ends the ladder: the call has no tenant, and its ``identity_source`` says which
rung that was. ``unknown`` is the call of which nothing was said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from attribution_pipeline.attribution import verdicts
from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.tokens import BUCKETS

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

TOLD = (*WHO, "originator_id")
"""What a rung answers with, beside its verdict."""

SPEAKS = ("envelope", "failed", "attributes")
"""What a span's word is worth, the best first."""

PLACES = 2**32
"""More spans than any call has twins: ``RANK`` is one number for word, duty to sign and place."""

SPAN = (
    "trace_id", "span_id", "parent_span_id", "links", "run_id", "parent_issuance_id",
    "start_unix_nano",
)  # fmt: skip
"""What the ladder needs of a span around the day."""

CALL = (
    "trace_id", "span_id", "parent_span_id", "kind", "start_unix_nano", "end_unix_nano", "scope_name",
    "scope_version", "cluster", "namespace", "pod", "provider", "operation_name", "model",
    "response_id", "server_address", "account", "region", "metered", *BUCKETS, "sampling_threshold",
    "attempt", "parent_issuance_id",
)  # fmt: skip
"""What the plane needs of a call's own span, beside what it says."""


def name_callers(db: Session, policy: Policy) -> None:
    """``identities`` (grain: call whose one span does not say by itself who caused it) of ``calls``,
    ``ranked`` and ``picks``, from ``around``, ``tokens`` and what else ``verdicts.load_verdicts``
    leaves."""
    ladder = [rung for rung in policy.join.identity if rung in RUNGS]
    db.run(
        "planes/identity_own",
        rank=_rank("s.", "r.place"),
        speaks=answers_itself("s.", policy),
    )
    db.run("planes/identity_lineage")
    db.run(
        "planes/identity_open",
        speaks=answers_itself("s.", policy),
        climbs=str(bool(ladder)).lower(),
    )
    _say(db, policy, "near_says", "near", SPAN)
    db.run("planes/identity_kin")
    who = ", ".join(f"cast(null as varchar) as {column}" for column in TOLD)
    db.execute(
        "create table answers as select cast(null as bigint) as origin, "
        "cast(null as varchar) as source, cast(null as varchar) as speaks, "
        f"cast(null as varchar) as verdict, {who}, cast(null as varchar) as issuance_id where false"
    )
    _climb(db, "path", "kin", "starts")
    if db.one("select count(*) from path"):
        _say(db, policy, "span_says", "around", SPAN)
        for rung in ladder:
            RUNGS[rung](db, policy)
    db.run(
        "planes/identity",
        own_who=", ".join(
            f"case when not o.is_denied then s.{column} end as {column}" for column in TOLD
        ),
        answered_who=", ".join(f"a.{column}" for column in TOLD),
    )


def view_calls(db: Session, policy: Policy) -> None:
    """``call_says`` (view): ``call_spans`` with what each says; see ``identity_says.sql``."""
    _say(db, policy, "call_says", "call_spans", CALL)


def answers_itself(prefix: str, policy: Policy) -> str:
    """SQL: whether a span names who caused its call, so that no rung is asked. Never null."""
    if "attributes" in policy.join.identity:
        return f"{prefix}speaks is not null"
    return f"{prefix}speaks is not null and {prefix}speaks <> 'attributes'"


def told_who(call: str, named: str, policy: Policy) -> str:
    """SQL: the who-columns of ``call``, a row of ``calls``, and ``named``, its row of
    ``identities`` where it has one."""
    return ", ".join(
        f"case when {named}.n is not null then {named}.{column} "
        + (
            f"when {answers_itself(f'{call}.', policy)} then {call}.{column} end as {column}"
            if column == "tenant_id"
            else f"else {call}.{column} end as {column}"
        )
        for column in TOLD
    )


def _say(db: Session, policy: Policy, says: str, spans: str, carried: tuple[str, ...]) -> None:
    told = []
    for column in TOLD:
        by_envelope = f"signed_{column}" if column in verdicts.SIGNED else column
        if column == "tenant_id":
            by_envelope, said = (_alias(name, policy) for name in (by_envelope, column))
        else:
            said = column
        told.append(
            f"case speaks when 'envelope' then {by_envelope} when 'failed' then null else {said} end "
            f"as {column}"
        )
    db.run(
        "planes/identity_says",
        says=says,
        spans=spans,
        carried=", ".join((*carried, "signed_tenant_id")),
        signed=", ".join(f"t.{column} as signed_{column}" for column in verdicts.SIGNED),
        told_who=", ".join(told),
    )


def _alias(column: str, policy: Policy) -> str:
    """A tenant under its own name, as SQL."""
    if not policy.join.tenant_aliases:
        return column
    pairs = " ".join(
        f"when {_quoted(alias)} then {_quoted(tenant)}"
        for alias, tenant in policy.join.tenant_aliases.items()
    )
    return f"(case {column} {pairs} else {column} end)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _rank(prefix: str, place: str) -> str:
    """The best witness of several, as a number: by what its word is worth, then whoever must sign,
    then the better span."""
    worth = " ".join(f"when '{word}' then {2 * n}" for n, word in enumerate(SPEAKS))
    return (
        f"(case {prefix}speaks {worth} end + case when {prefix}signs then 0 else 1 end) "
        f"* cast({PLACES} as bigint) + {place}"
    )


def _climb(db: Session, path: str, kin: str, starts: str) -> None:
    """Table ``path``. Grain: origin, place, span on the way up; level 0 is where it starts."""
    db.execute(
        f"create table {path} as select origin, place, 0 as level, trace_id, span_id from {starts}"
    )
    level, reached = 0, db.one(f"select count(*) from {path}")
    while reached:
        level += 1
        db.run("planes/identity_climb", path=path, kin=kin, level=str(level))
        reached = db.one(f"select count(*) from {path} where level = {level}")


def _ancestor(db: Session, policy: Policy) -> None:
    db.run(
        "planes/identity_ancestor",
        who=", ".join(WHO),
        rank=_rank("k.", "p.place"),
    )


def _link(db: Session, policy: Policy) -> None:
    """The issuance that a retry follows; then where links point, on from link to link."""
    parents = (
        _alias(f"t.{column}", policy) if column == "tenant_id"
        else f"t.{column}" if column in verdicts.SIGNED else "cast(null as varchar)"
        for column in TOLD
    )  # fmt: skip
    named = (f"{value} as {column}" for column, value in zip(TOLD, parents, strict=True))
    db.run("planes/identity_parents", told=", ".join(named))
    _agree(db, "link")
    db.execute(
        "create table followed (origin bigint, trace_id varchar, span_id varchar); "
        "create table waiting as select origin from nameless "
        "where origin not in (select origin from answers)"
    )
    path, kin = "path", "kin"
    while True:
        db.run("planes/identity_links", path=path, kin=kin)
        if path != "path":
            db.execute(f"drop table {path}; drop table {kin}")
        if not db.one("select count(*) from linked"):
            break
        path, kin = "linked_path", "linked_kin"
        db.execute(
            f"create table {kin} as select * from span_says "
            "where trace_id in (select trace_id from linked)"
        )
        _climb(db, path, kin, "linked")
        db.run("planes/identity_witnesses", told=", ".join(TOLD))
        # whoever spoke ends the search, be it that they contradict each other
        db.execute("delete from waiting where origin in (select origin from witnesses)")
        _agree(db, "link")
        db.execute("drop table linked")
    db.execute("drop table linked; drop table followed; drop table waiting")


def _run(db: Session, policy: Policy) -> None:
    db.run("planes/identity_runs", told=", ".join(f"s.{column}" for column in TOLD))
    db.execute("create table run_answers as select * from answers where false")
    _agree(db, "run", "run_answers")
    told = ", ".join(f"a.{column}" for column in TOLD)
    db.execute(
        f"insert into answers select k.origin, a.source, a.speaks, a.verdict, {told}, a.issuance_id "
        "from asked k join run_answers a on a.origin = k.run; "
        "drop table asked; drop table run_answers"
    )


def _agree(db: Session, source: str, answers: str = "answers") -> None:
    """``witnesses`` to rows of ``answers``."""
    agreed = (
        f"case when not bool_or(speaks = 'failed') and count(distinct coalesce({column}, chr(30))) = 1 "
        f"then min({column}) end"
        for column in (*TOLD, "issuance_id")
    )
    db.run("planes/identity_agree", source=source, answers=answers, agreed=", ".join(agreed))
    db.execute("drop table witnesses")


RUNGS: Mapping[str, Callable[[Session, Policy], None]] = {
    "ancestor": _ancestor,
    "link": _link,
    "run": _run,
}
"""Rungs of ``join.identity`` that spans answer, after the call's own attributes."""
