"""``attribution ledger``: reads what is recorded.

Belongs here: the command. Does not: sums and formats (``views.ledger``), files (``lake``).
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attribution_pipeline.commands.options import Config, MaybeFrom, MaybeTo, ordered
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.lake import Lake

DAYS_NAMED = 5
"""Missing days that a note names; more are counted."""


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("ledger", short_help="Read the ledger")(ledger)


def ledger(
    first: MaybeFrom = None,
    last: MaybeTo = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLS", help="Sum both costs by these columns: a,b,c.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME", help="Not in this version.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="table, csv, json or parquet. "
                     "Default: by the ending of --out, else table."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="F", help="Write to a file.")] = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Read the ledger: every row, or sums by columns; exact amounts in every format."""
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.views import ledger as view

    if as_of is not None:
        raise Refusal(
            "this version keeps a day's newest state only",
            where="--as-of",
            remedy="leave it out to read the ledger as it stands",
        )
    ordered(first, last)
    chosen = _format(format_, out)
    view.require_target(chosen, out)
    deployment = load_deployment(config)

    from attribution_pipeline.lake import Lake

    columns = view.grouping(by) if by is not None else None
    lake = Lake(deployment.storage_folder)
    first, last = _recorded(lake, first, last)
    if columns is None:
        rows = view.in_order(lake.read("ledger", first, last))
    else:
        needed = [*columns, view.CURRENCY, *view.COSTS]
        rows = view.summed(lake.read("ledger", first, last, needed), columns)
    view.write(rows, chosen, out, typer.echo)
    if out is not None:
        typer.echo(f"wrote {out}: {rows.num_rows:,} rows", err=True)


def _format(named: str | None, out: Path | None) -> str:
    from attribution_pipeline.views.ledger import FORMATS

    if named is None:
        ending = out.suffix.lower().removeprefix(".") if out is not None else ""
        return ending if ending in FORMATS else "table"
    if named not in FORMATS:
        raise Refusal(
            f"`{named}` is no format", where="--format", remedy=f"use one of: {', '.join(FORMATS)}"
        )
    return named


def _recorded(lake: Lake, first: date | None, last: date | None) -> tuple[date, date]:
    """The range to read. Days of it that are not recorded are told on stderr, never hidden."""
    days = lake.days()
    inside = [day for day in days if (not first or first <= day) and (not last or day <= last)]
    if not inside:
        known = f"recorded are {days[0]} to {days[-1]}" if days else "nothing is recorded yet"
        raise Refusal(
            f"no day of the range is recorded ({known})",
            where=str(lake.storage),
            remedy="run it first: attribution run --from DAY --to DAY",
        )
    first, last = first or inside[0], last or inside[-1]
    there = set(inside)
    span = ((last - first).days + 1) if last >= first else 0
    missing = [
        day for day in (first + timedelta(days=n) for n in range(span)) if day not in there
    ]  # fmt: skip
    if missing:
        named = ", ".join(day.isoformat() for day in missing[:DAYS_NAMED])
        more = ", ..." if len(missing) > DAYS_NAMED else ""
        typer.echo(
            f"not recorded, so not in this: {len(missing)} of {span} days ({named}{more})", err=True
        )
    return first, last
