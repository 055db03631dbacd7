"""Outcomes of one call, without reading a week of calls for all of them.

Belongs here: which outcomes can be of a call, by what its own trace says; then the view's own join
(``views.outcomes``) of these few, so that calls of other traces and days behind them are there, too.
Does not: the join, layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.requests import of_files, operation_key
from attribution_pipeline.proof.relations import quoted
from attribution_pipeline.views.dashboard.books import Books, sql_text
from attribution_pipeline.views.outcomes import LOOKBACK_DAYS, outcome_rows
from attribution_pipeline.views.outcomes.joined import join_outcomes, load_outcomes
from attribution_pipeline.views.spend.table import tail

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.engine import Session

DAY = timedelta(days=1)

OUTCOME_ID_LENGTH = 16


def outcomes_of_call(
    books: Books, day: date, call: Mapping[str, Any], patience_s: float | None = None
) -> pa.Table | None:
    """Grain: outcome and currency of its cost; the columns of ``views.outcomes`` and ``outcome``, its
    id: a digest of what was reported. Cost is that of all calls behind the outcome. None where it takes
    longer than ``patience_s``."""
    number, trace = call["operation_number"], call["trace_id"]
    key = ("outcomes", books.version, books.landed.head, day, number)
    return books.later(key, lambda: _opened(books, day, trace, number, "rows"), patience_s)


def calls_of_outcome(books: Books, day: date, call: Mapping[str, Any], outcome: str) -> pa.Table:
    """Grain: call behind an outcome of ``call``, with its cost, in the order in which they ran."""
    number, trace = call["operation_number"], call["trace_id"]
    key = ("calls of outcome", books.version, books.landed.head, day, number, outcome)
    return books.kept(key, lambda: _opened(books, day, trace, number, "calls", outcome))


def _opened(
    books: Books, day: date, trace: str, number: int, wanted: str, outcome: str = ""
) -> pa.Table:
    """Relations of ``open_outcomes`` for the outcomes near one trace, then the question."""
    near = _near(books, day, trace)
    observed = near["date"].to_pylist() or [day]
    with books.session() as db:
        db.load("outcomes", near)
        join_outcomes(db, books.lake, books.landed, min(observed), max(observed))
        rows = outcome_rows(db)
        mine = {
            found for (found,) in db.rows(
                f"select outcome_number from links where operation_number = {number}"
            )
        }  # fmt: skip
        rows = _with_ids(rows, mine)
        if wanted == "rows":
            return rows
        numbers = [
            row["outcome_number"] for row in rows.to_pylist() if row["outcome"] == outcome
        ] or [0]
        metric, text = books.metric_of(day, day), sql_text("outcome_calls")
        return db.table(text.format(outcome=numbers[0], metric=metric, tail=tail(metric)))


def _near(books: Books, day: date, trace: str) -> pa.Table:
    """Outcomes that can be of a call of this trace: by its id, or by an id that its calls answer to."""
    days = [one for one in books.days() if abs(one - day) <= DAY]
    with books.session() as db:
        load_outcomes(db, books.landed, day - DAY, day + timedelta(days=LOOKBACK_DAYS))
        _load_said(books, db, days, trace)
        _load_published(books, db, days, trace)
        return db.table(
            f"select * from outcomes where trace_id = {quoted(trace)} or operation_id in ("
            "select operation_id from said union select response_id from published "
            "where response_id is not null union select span_key from published)"
        )


def _load_said(books: Books, db: Session, days: list[date], trace: str) -> None:
    """Which operation ids the spans of the trace say."""
    from attribution_pipeline.envelope.token import Unreadable, read_token

    landed = books.landed
    files = landed.files("spans", days[0], days[-1]) if days else []
    landed.verify(files)
    said: list[tuple[str, str, str, str]] = []
    if files:
        db.view("all_spans", landed.local(files), by_name=True)
        rows = db.rows(
            "select distinct span_id, operation_id, envelope from all_spans "
            f"where trace_id = {quoted(trace)}"
        )
        for span, operation, token in rows:
            if operation is not None:
                said.append((trace, span, operation, ""))
            elif token is not None:
                try:
                    said.append((trace, span, read_token(token).claims.operation_id, "signed"))
                except Unreadable:
                    continue  # the call's verdict says so
    db.load("said_texts", _texts(("trace_id", "span_id", "operation_id", "said_by"), said))
    db.execute(
        "create table said as select distinct trace_id, span_id, operation_id, "
        "said_by = 'signed' as signed from said_texts"
    )


def _load_published(books: Books, db: Session, days: list[date], trace: str) -> None:
    parts = [
        f"select *, date '{day}' as charge_date from {of_files(paths)} "
        f"where trace_id = {quoted(trace)}"
        for day in days
        if (paths := books.paths("operations", day))
    ]
    rows = " union all by name ".join(parts)
    db.execute(
        f"create table published as select * replace ({operation_key()} as operation_key), "
        f"trace_id || ':' || span_id as span_key from ({rows})"
    )


def _with_ids(rows: pa.Table, mine: set[int]) -> pa.Table:
    """Rows of the numbers in ``mine``, each with the digest of what was reported."""
    import pyarrow as pa

    kept = [row for row in rows.to_pylist() if row["outcome_number"] in mine]
    field = pa.field("outcome", pa.string())
    made = pa.Table.from_pylist(kept, schema=rows.schema)
    ids = [_id(row) for row in kept]
    return made.append_column(field, pa.array(ids, pa.string()))


def _id(row: Mapping[str, Any]) -> str:
    said = "\x1f".join(
        str(row[name]) for name in ("observed_at", "kind", "trace_id", "operation_id", "value")
    )
    return hashlib.sha256(said.encode()).hexdigest()[:OUTCOME_ID_LENGTH]


def _texts(names: Sequence[str], rows: Sequence[tuple[str, ...]]) -> pa.Table:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table([pa.array(values, pa.string()) for values in columns], names=list(names))
