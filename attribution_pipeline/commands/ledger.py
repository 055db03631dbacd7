"""``attribution ledger``: reads what is recorded, as it stands or as it stood.

Belongs here: the command. Does not: which days it reads (``recorded_span``), sums, order and formats
(``views``), files (``lake``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from attribution_pipeline.commands.options import (
    AsOf,
    Config,
    Format,
    MaybeFrom,
    MaybeTo,
    Out,
    ordered,
)
from attribution_pipeline.commands.recorded_span import recorded_span
from attribution_pipeline.model.errors import Refusal

LEDGER = "ledger"
TABLES = {LEDGER: LEDGER, "revisions": "ledger_revisions", "variances": "variances"}
"""``--table`` to the table that is read."""


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("ledger", short_help="Read the ledger")(ledger)


def ledger(
    first: MaybeFrom = None,
    last: MaybeTo = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLS", help="Sum both costs by these columns: a,b,c.")
    ] = None,
    as_of: AsOf = None,
    table: Annotated[
        str,
        typer.Option(metavar="TABLE", help="ledger; revisions: every change of a row; variances: "
                     "what closed periods hold back."),
    ] = LEDGER,
    revisions: Annotated[
        bool, typer.Option("--revisions", help="The same as --table revisions.")
    ] = False,
    format_: Format = None,
    out: Out = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Read the ledger: every row, or sums by columns; exact amounts in every format.

    With --as-of each day is read in the newest state that was published by then. With --out every
    file behind the rows, and every log, is hashed before a row is written.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.views import ledger as view
    from attribution_pipeline.views import revisions as changes
    from attribution_pipeline.views.output import chosen_format

    ordered(first, last)
    read = _table(table, revisions=revisions, by=by)
    chosen = chosen_format(format_, out)
    deployment = load_deployment(config)

    from attribution_pipeline.lake import Lake

    columns = view.grouping(by) if by is not None else None
    lake = Lake(deployment.place)
    span = recorded_span(lake, first, last, as_of)
    if out is not None:
        # what leaves the house is believed elsewhere: everything that it stands on is hashed first
        lake.verify(span.first, span.last, as_of)
    if read != LEDGER:
        rows = changes.in_order(lake.read(read, span.first, span.last, as_of=as_of), read)
        changes.write(rows, read, chosen, out, typer.echo)
        if chosen != "table" or out is not None:
            for line in changes.footer(rows, read):
                typer.echo(line, err=True)
    else:
        needed = [*columns, view.CURRENCY, *view.COSTS] if columns is not None else None
        rows = lake.read(LEDGER, span.first, span.last, needed, as_of=as_of)
        shown = None
        if columns is None:
            rows = view.in_order(rows)
        else:
            shown = view.summed_at_some_cost(rows, columns) if chosen == "table" else None
            rows = view.summed(rows, columns)
        view.write(rows, chosen, out, typer.echo, shown)
    if out is not None:
        typer.echo(f"wrote {out}: {rows.num_rows:,} rows", err=True)


def _table(named: str, *, revisions: bool, by: str | None) -> str:
    if named not in TABLES:
        raise Refusal(
            f"`{named}` is no table", where="--table", remedy=f"use one of: {', '.join(TABLES)}"
        )
    if revisions and named == "variances":
        raise Refusal("--revisions and --table variances are two", remedy="leave one out")
    read = TABLES["revisions"] if revisions else TABLES[named]
    if by is not None and read != LEDGER:
        raise Refusal(
            "sums are of the ledger", where="--by", remedy="leave it out, or leave out --table"
        )
    return read
