"""Outcomes of one call and the calls behind each, without reading a week of calls for all of them.

Belongs here: which outcomes can be of a call, by what its own trace says; then the view's own join
(``views.outcomes``) of these few, so that calls of other traces and days behind them are there, too.
Does not: the join, layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.requests import of_files
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

MOST_CALLS = 10_000
"""Calls behind the outcomes of one call that are kept with these: about two megabytes. Where they are
more, those of one outcome are looked for when somebody opens it."""


@dataclass(frozen=True)
class Opened:
    """What came of a call. ``calls``: as ``calls_of_outcome`` of each, with its ``outcome``; None where
    they are more than ``MOST_CALLS``."""

    outcomes: pa.Table
    calls: pa.Table | None

    @property
    def nbytes(self) -> int:
        """What keeping it takes."""
        return int(self.outcomes.nbytes + (self.calls.nbytes if self.calls is not None else 0))


def outcomes_of_call(
    books: Books, day: date, call: Mapping[str, Any], patience_s: float | None = None
) -> pa.Table | None:
    """Grain: outcome and currency of its cost; the columns of ``views.outcomes`` and ``outcome``, its
    id: a digest of what was reported. Cost is that of all calls behind the outcome. None where it takes
    longer than ``patience_s``."""
    found = _kept(books, day, call, patience_s)
    return found.outcomes if found is not None else None


def calls_of_outcome(books: Books, day: date, call: Mapping[str, Any], outcome: str) -> pa.Table:
    """Grain: call behind an outcome of ``call`` and currency, with its cost, in the order in which they
    ran. They were worked out with the outcomes of the call."""
    import pyarrow.compute as pc

    found = _kept(books, day, call, None)
    assert found is not None, "it was waited for"
    calls = found.calls
    if calls is None:
        key = ("calls of outcome", *_of(books, day, call), outcome)
        calls = books.kept(key, lambda: _opened(books, day, call, outcome).calls)
    assert calls is not None, "of one outcome there are however many"
    return calls.filter(pc.equal(calls["outcome"], outcome)).drop_columns(["outcome"])


def _of(books: Books, day: date, call: Mapping[str, Any]) -> tuple[object, ...]:
    """All that an answer about a call depends on."""
    return books.version, books.landed.head, day, call["operation_number"]


def _kept(
    books: Books, day: date, call: Mapping[str, Any], patience_s: float | None
) -> Opened | None:
    key = ("outcomes", *_of(books, day, call))
    return books.later(key, lambda: _opened(books, day, call), patience_s)


def _opened(books: Books, day: date, call: Mapping[str, Any], only: str | None = None) -> Opened:
    """Relations of ``open_outcomes`` for the outcomes near one trace, asked once for both. ``only``: the
    calls of this outcome alone, however many they are."""
    with books.session() as db:
        _load_near(books, db, day, call["trace_id"])
        ((first, last),) = db.rows("select min(date), max(date) from outcomes")
        join_outcomes(db, books.lake, books.landed, first or day, last or day)
        every = outcome_rows(db)
        mine = {
            found for (found,) in db.rows(
                f"select outcome_number from links where operation_number = {call['operation_number']}"
            )
        }  # fmt: skip
        rows = [row for row in every.to_pylist() if row["outcome_number"] in mine]
        ids = {row["outcome_number"]: _id(row) for row in rows}
        asked = sorted(number for number, one in ids.items() if only in (None, one))
        listed = ", ".join(map(str, asked)) or "0"
        behind = db.one(f"select count(*) from links where outcome_number in ({listed})")
        calls = None
        if only is not None or behind <= MOST_CALLS:
            metric = books.metric_of(day, day)
            query = sql_text("outcome_calls").format(
                outcomes=listed, metric=metric, tail=tail(metric)
            )
            calls = _with_ids(db.table(query), ids).drop_columns(["outcome_number"])
        return Opened(_with_ids(_rows(rows, every.schema), ids), calls)


def _load_near(books: Books, db: Session, day: date, trace: str) -> None:
    """``outcomes`` that can be of a call of this trace: by its id, or by an id that its calls answer
    to, be it of the calls of another trace as well."""
    days = [one for one in books.days() if abs(one - day) <= DAY]
    ids = [*_said(books, db, days, trace), *_answered(books, db, days, trace)]
    db.load("near_ids", _texts({"id": sorted(set(ids))}))
    load_outcomes(
        db, books.landed, day - DAY, day + timedelta(days=LOOKBACK_DAYS),
        f"trace_id = {quoted(trace)} or operation_id in (select id from near_ids)",
    )  # fmt: skip


def _said(books: Books, db: Session, days: list[date], trace: str) -> list[str]:
    """Operation ids that the spans of the trace say."""
    from attribution_pipeline.envelope.token import Unreadable, read_token

    landed = books.landed
    files = landed.files("spans", days[0], days[-1]) if days else []
    landed.verify(files)
    if not files:
        return []
    db.view("near_spans", landed.local(files), by_name=True)
    found = []
    for operation, token in db.rows(
        f"select distinct operation_id, envelope from near_spans where trace_id = {quoted(trace)}"
    ):
        if operation is not None:
            found.append(operation)
        elif token is not None:
            try:
                found.append(read_token(token).claims.operation_id)
            except Unreadable:
                continue  # the call's verdict says so
    return found


def _answered(books: Books, db: Session, days: list[date], trace: str) -> list[str]:
    """Ids of the calls of the trace: a provider's response, or trace and span."""
    found = []
    for paths in (books.paths("operations", day) for day in days):
        if paths:
            found += db.rows(
                f"select response_id, span_id from {of_files(paths)} where trace_id = {quoted(trace)}"
            )
    return [
        one for response, span in found for one in (response, f"{trace}:{span}") if one is not None
    ]


def _rows(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=schema)


def _with_ids(rows: pa.Table, ids: Mapping[int, str]) -> pa.Table:
    """Rows with ``outcome_number``, and the id of each outcome beside it."""
    import pyarrow as pa

    field = pa.field("outcome", pa.string())
    values = [ids[number] for number in rows["outcome_number"].to_pylist()]
    return rows.append_column(field, pa.array(values, pa.string()))


def _id(row: Mapping[str, Any]) -> str:
    said = "\x1f".join(
        str(row[name]) for name in ("observed_at", "kind", "trace_id", "operation_id", "value")
    )
    return hashlib.sha256(said.encode()).hexdigest()[:OUTCOME_ID_LENGTH]


def _texts(columns: Mapping[str, list[str]]) -> pa.Table:
    import pyarrow as pa

    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
