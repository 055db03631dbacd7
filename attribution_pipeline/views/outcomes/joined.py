"""Which operations an outcome is of: relations in a session, made once for any number of tables.

Belongs here: opening landed outcomes and published tables, ids to traces. Does not: sums and columns
(``table``).

An operation id is, in this order: a provider's response id or ``trace:span`` of the call; else the
logical operation that a span says (``attribution.operation_id``), or that its envelope says where the
call's verdict is ``verified``. An outcome with a trace alone is of all calls of the trace.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.model.evidence import OUTCOMES, SPANS
from attribution_pipeline.views.outcomes import few

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.landed import LandedView

SQL = Path(__file__).parent / "sql"

LOOKBACK_DAYS = 7
"""How long after its operation an outcome may come. Ids are random, so that every day looked back to is
a day whose operations are read."""

JOIN_VERSION = 1
"""Raise it by hand where code here, not SQL, decides anew which operations an outcome is of: what is
kept of joined outcomes is made again then."""

BATCH = 50_000
"""Envelopes that are looked at at a time."""

_DAY = timedelta(days=1)
"""An operation may end after its outcome: it runs over midnight, or a clock is off."""


@dataclass(frozen=True)
class Found:
    """What the view is made of, in figures."""

    records: int
    """Landed records of the days; less are outcomes where one came twice."""
    outcomes: int
    matched: int
    """Outcomes with an operation that is recorded."""
    operations: int
    """Operations with an outcome."""

    @property
    def unmatched(self) -> int:
        """Outcomes that no recorded operation answers to."""
        return self.outcomes - self.matched

    @property
    def repeated(self) -> int:
        """Records that say what another says."""
        return self.records - self.outcomes


def open_outcomes(
    db: Session, lake: Lake, landed: LandedView, first: date, last: date,
    *, as_of: datetime | None = None,
) -> Found:  # fmt: skip
    """Relations ``outcomes`` (of [first, last]), ``links`` and ``costs`` in ``db``, and ``published``:
    the operations looked at.

    Operations are looked for from a week before ``first`` on. Raises Refusal where a landed or a
    recorded file was changed.
    """
    load_outcomes(db, landed, first, last)
    ((records, outcomes),) = db.rows("select coalesce(sum(records), 0), count(*) from outcomes")
    join_outcomes(db, lake, landed, first, last, as_of=as_of)
    matched = db.one("select count(distinct outcome_number) from links")
    operations = db.one(
        "select count(*) from (select distinct charge_date, operation_number from links)"
    )
    return Found(int(records), outcomes, matched, operations)


def join_outcomes(
    db: Session, lake: Lake, landed: LandedView, first: date, last: date,
    *, as_of: datetime | None = None,
) -> None:  # fmt: skip
    """``published``, ``links`` and ``costs`` of the relation ``outcomes``, whose days [first, last] are."""
    outcomes = db.one("select count(*) from outcomes")
    begin, end = first - timedelta(days=LOOKBACK_DAYS), last + _DAY
    days = [day for day in lake.days(as_of) if begin <= day <= end] if outcomes else []
    if outcomes:
        _load_spans(db, landed, (begin, end))
    else:
        _load_no_ids(db)
    _load_published(db, lake, days, as_of)
    db.execute(_sql("links"))
    linked = {day for (day,) in db.rows("select distinct charge_date from links")}
    # a call that ran over midnight has a part of its cost on the day before it ended
    costly = [day for day in days if day in linked or day + _DAY in linked]
    named = few.costs(db)
    _open(
        db, lake, "operation_costs", costly,
        "attribution_id, operation_number, operation_key, billed_cost, effective_cost", as_of,
        where=named or (),
    )  # fmt: skip
    _open(
        db, lake, "ledger", costly,
        "attribution_id, confidence, settlement, policy_version, billing_currency", as_of,
        where=(few.PAID,) if named else (),
    )  # fmt: skip
    db.execute(_sql("costs"))


def recipe() -> list[str]:
    """What decides links and costs, beside the data: equal text, equal rows."""
    from attribution_pipeline.views.outcomes.table import rows_query

    files = sorted(SQL.glob("*.sql"))
    said = [f"join {JOIN_VERSION}, {LOOKBACK_DAYS} days", rows_query()]
    return said + [file.read_text(encoding="utf-8") for file in files]


def load_outcomes(
    db: Session, landed: LandedView, first: date, last: date, near: str = "true"
) -> None:
    """``outcomes``: those that were observed in [first, last], each once; of landed rows that a
    condition ``near`` on what makes them one leaves."""
    import pyarrow as pa

    files = landed.files("outcomes", first, last)
    landed.verify(files)
    if files:
        db.view("all_landed_outcomes", landed.local(files))
        db.execute(f"create view landed_outcomes as select * from all_landed_outcomes where {near}")
    else:
        fields = [pa.field("source", pa.string()), *OUTCOMES]
        db.load("landed_outcomes", pa.schema(fields).empty_table())
    current = landed.current_objects("outcomes")
    pairs = [(source, one) for source, ids in current.items() for one in ids]
    db.load("standing", _texts(("source", "object_id"), pairs))
    db.execute(_sql("outcomes").format(first=first, last=last))


def _load_spans(db: Session, landed: LandedView, days: tuple[date, date]) -> None:
    """``said``: which operation ids the traces say that an outcome may be of."""
    wanted = "select distinct operation_id from outcomes where operation_id is not null"
    files = landed.files("spans", *days) if db.rows(f"{wanted} limit 1") else []
    if not files:
        _load_no_ids(db)
        return
    landed.verify(files)
    db.view("spans", landed.local(files), by_name=True)
    ids = {found for (found,) in db.rows(wanted)}
    db.load("wanted_tokens", _tokens(db, "select envelope from spans", ids))
    db.execute(
        "create table of_traces as select distinct trace_id from spans where operation_id in "
        f"({wanted}) or envelope in (select envelope from wanted_tokens)"
    )
    # what else these traces say: a trace of two operations answers for neither as a whole
    inside = (
        "select distinct envelope from spans where trace_id in (select trace_id from of_traces)"
    )
    db.load("tokens", _tokens(db, inside, None))
    db.execute(_sql("said"))


def _load_no_ids(db: Session) -> None:
    import pyarrow as pa

    names = ("trace_id", "span_id", "operation_id")
    fields = [SPANS.field(name) for name in names]
    db.load("said", pa.schema([*fields, pa.field("signed", pa.bool_())]).empty_table())


def _tokens(db: Session, query: str, wanted: set[str] | None) -> pa.Table:
    """Envelopes of a query with the operation id in each, of the wanted ids if any are named."""
    from attribution_pipeline.envelope.token import Unreadable, read_token

    found: dict[str, str] = {}
    # no signature is looked at: what a call's verdict is worth is said beside the call
    for batch in db.batches(f"select envelope from ({query}) where envelope is not null", BATCH):
        for token in batch.column(0).unique().to_pylist():  # calls of a trace have one
            if token in found or (wanted is not None and not _may_name(token, wanted)):
                continue
            try:
                claims = read_token(token).claims
            except Unreadable:
                continue  # the day's verdict says so
            if wanted is None or claims.operation_id in wanted:
                found[token] = claims.operation_id
    return _texts(("envelope", "operation_id"), list(found.items()))


def _may_name(token: str, wanted: set[str]) -> bool:
    """Whether it is worth taking apart: a week has a million envelopes, and few are asked for. One that
    is spelled in another way than issuers do is always worth it."""
    _, _, rest = token.partition(".")
    try:
        payload = urlsafe_b64decode(rest.partition(".")[0] + "==")
    except ValueError:
        return False  # no envelope
    ids = _OPERATION_ID.findall(payload)
    return len(ids) != 1 or b"\\" in payload or ids[0].decode("ascii") in wanted


_OPERATION_ID = re.compile(rb'"operation_id":"([ -~]*?)"')


def _load_published(db: Session, lake: Lake, days: Sequence[date], as_of: datetime | None) -> None:
    """``published``: operations of traces and ids that an outcome names."""
    from attribution_pipeline.attribution.requests import operation_key

    columns = (
        "operation_number, trace_id, span_id, response_id, verdict, started_at, tenant_id, feature, "
        "workflow_id, "
        f"agent, model, {operation_key()} as operation_key, "
        "trace_id || ':' || span_id as span_key"
    )
    every = (
        "trace_id in (select trace_id from outcomes where trace_id is not null) "
        "or trace_id in (select trace_id from said) "
        "or response_id in (select operation_id from outcomes where operation_id is not null) "
        "or trace_id || ':' || span_id in "
        "(select operation_id from outcomes where operation_id is not null)"
    )
    named = few.operations(db)
    where = [every] if named is None else named
    _open(db, lake, "operations", days, columns, as_of, where=where, name="published")


def _open(
    db: Session, lake: Lake, table: str, days: Sequence[date], columns: str,
    as_of: datetime | None, *, where: Sequence[str] = (), name: str = "",
) -> None:  # fmt: skip
    """A published table's rows as a relation, each day's files hashed first; of no days, empty. The
    rows under each condition of ``where``; without any, all."""
    from attribution_pipeline.attribution.requests import of_files
    from attribution_pipeline.lake.shapes import schema_of

    parts = []
    for day in days:
        paths = [path for _, path in lake.file_paths(table, day, day, as_of=as_of)]
        if paths:
            rows = f"select {columns}, date '{day}' as charge_date from {of_files(paths)}"
            parts += [f"{rows} where {condition}" for condition in where] or [rows]
    if not parts:
        db.load(f"no_{table}", schema_of(table).empty_table())
        parts = [f"select {columns}, charge_date from no_{table}"]
    kind = "table" if where else "view"
    db.execute(f"create {kind} {name or table} as " + " union all by name ".join(parts))


def _texts(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> pa.Table:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table([pa.array(values, pa.string()) for values in columns], names=list(names))


@cache
def _sql(name: str) -> str:
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")
