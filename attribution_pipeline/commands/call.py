"""``attribution call``: one model call by an id that somebody has, and all that is known of its cost.

Belongs here: the command, and its lines. Does not: the search (``views.dashboard.finding``), what is said
of a call (``views.dashboard.pages.call``): the dashboard's page says the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attribution_pipeline.commands.options import Config, MaybeFrom, MaybeTo, ordered
from attribution_pipeline.commands.recorded_span import recorded_span
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.views.dashboard.books import Books
    from attribution_pipeline.views.dashboard.finding import Found
    from attribution_pipeline.views.dashboard.pages.call import Fact, Told
    from attribution_pipeline.views.dashboard.sheets import Row
    from attribution_pipeline.views.dashboard.view import View

FACT = 22
"""Characters of a fact's name, so that answers stand below each other."""


MOST_SAID = 80
"""Letters of an id that was not found, of whatever was pasted."""


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("call", short_help="One call by its trace, span or response id, and its cost")(call)


def call(
    id_: Annotated[
        str,
        typer.Argument(metavar="ID", help="A trace id, span id, response id, operation key, "
                       "TRACE:SPAN or a traceparent header."),
    ],
    first: MaybeFrom = None,
    last: MaybeTo = None,
    config: Config = None,
) -> None:  # fmt: skip
    """What one model call cost: by charge, for whom, why, how sure, and on which invoice.

    Recorded days are looked through, the newest first. Where several calls have the id they are listed.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.views.cells import terminal_cell
    from attribution_pipeline.views.dashboard.books import Books
    from attribution_pipeline.views.dashboard.finding import find_calls

    ordered(first, last)
    books = Books(load_deployment(config))
    try:
        found = find_calls(books, id_, first, last)
        if not found.days:
            recorded_span(books.lake, first, last, None)  # refuses, and says what is recorded
        rows = found.rows.to_pylist()
        if not rows:
            raise Refusal(
                f"no call has this id in {found.span}", where=terminal_cell(id_[:MOST_SAID]),
                remedy="give a trace, span or response id of a recorded day: a day's calls are found "
                "once it was run",
            )  # fmt: skip
        for line in _told(books, rows[0]) if len(rows) == 1 else _listed(found, rows):
            typer.echo(line)
    finally:
        books.close()


def _listed(found: Found, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Several calls of one id, each by what names it alone."""
    from attribution_pipeline.views.cells import terminal_cell
    from attribution_pipeline.views.dashboard import amounts
    from attribution_pipeline.views.text_table import text_table

    cut = ", the newest; older days were not looked through" if found.is_cut else ""
    yield f"{len(rows)} calls have this id{cut}. Name one: attribution call TRACE:SPAN"
    names = ("model", "tenant_id", "workflow_id")
    cells = [
        [
            amounts.moment(row["started_at"]), *(terminal_cell(row[name]) for name in names),
            terminal_cell(f"{row['trace_id']}:{row['span_id']}"),
        ]
        for row in rows
    ]  # fmt: skip
    yield from text_table(
        ["started", "model", "tenant", "workflow", "trace:span"], cells
    ).splitlines()


def _told(books: Books, row: dict[str, Any]) -> Iterator[str]:
    """One call, a paragraph a currency that it costs in."""
    from attribution_pipeline.views.dashboard import asked
    from attribution_pipeline.views.dashboard.pages.call import told
    from attribution_pipeline.views.dashboard.place import Place
    from attribution_pipeline.views.dashboard.view import View

    day, number = row["charge_date"], row["operation_number"]
    call = asked.call(books, day, number)
    assert call is not None, "it was found"
    rows = asked.call_rows(books, day, call)
    currencies = sorted({name for name in rows["billing_currency"].to_pylist() if name is not None})
    for place, currency in enumerate(currencies or [None]):
        view = View(books, Place(day.replace(day=1), day, currency), "call", {"call": str(number)})
        yield from _lines(told(view), view, currency or "", facts=place == 0)


def _lines(said: Told, view: View, currency: str, *, facts: bool) -> Iterator[str]:
    from attribution_pipeline.views.cells import terminal_cell
    from attribution_pipeline.views.dashboard.view import METRICS

    tail = said.tail
    if facts:
        yield f"{terminal_cell(said.call['model']) or 'a model call'}, started {said.started}"
    yield (
        f"{said.cost:,f} {terminal_cell(currency)} {METRICS[view.metric]} ({said.billed:,f} billed): "
        f"{tail.said}; {tail.settlement}" + (f", policy {tail.policy}" if tail.policy else "")
    )
    yield ""
    if said.costs.rows:
        yield from _table(said)
    else:
        yield said.costs.empty
    if facts:
        for title, found in (("what it used", said.used), ("who caused it", said.who)):
            yield ""
            yield title
            yield from (_fact(one) for one in found)
    yield ""


def _table(said: Told) -> Iterator[str]:
    """The page's table: what is under a cell there has a column here."""
    from attribution_pipeline.views.cells import terminal_cell
    from attribution_pipeline.views.text_table import text_table

    columns = said.costs.columns
    beside = [column.hints for column in columns if column.hints]
    beside = [name for name in beside if any(row.record[name] for row in said.costs.rows)]
    head = [*(column.head for column in columns), "how sure", "status", *beside]
    rows = [
        [
            *(terminal_cell(column.shown(row.record)) for column in columns),
            str(row.record["confidence"]), _status(row),
            *(terminal_cell(row.record[name]) for name in beside),
        ]
        for row in said.costs.rows
    ]  # fmt: skip
    right = [column.head for column in columns if column.is_number]
    yield from text_table(head, rows, right=right).splitlines()


def _status(row: Row) -> str:
    return row.tail.settlement if row.tail is not None else ""


def _fact(fact: Fact) -> str:
    from attribution_pipeline.views.cells import terminal_cell

    name, value, why = fact
    return f"  {name:<{FACT}}{terminal_cell(value)}" + (f" ({why})" if why else "")
