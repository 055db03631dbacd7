"""``attribution export``: the ledger in a shape that others take over.

Belongs here: the command and what it says. Does not: rows and files (``export``), which states
(``orchestration.export``).
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from attribution_pipeline.commands.options import AsOf, Config, MaybeFrom, MaybeTo, ordered
from attribution_pipeline.model.errors import Refusal

SHAPES = ("focus",)
ALL_VERSIONS = ["1.2,1.3,1.4"]
ALL_FORMATS = ["parquet,csv"]


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("export", short_help="Write the ledger as a FOCUS dataset")(export)


def parse_month(text: str | date) -> date:
    """The first day of a billing period of ``YYYY-MM``."""
    if isinstance(text, date):
        return text
    try:
        if len(text) != len("YYYY-MM"):
            raise ValueError
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no month, write YYYY-MM") from None


def export(
    shape: Annotated[str, typer.Argument(metavar="SHAPE", help="focus.")] = "focus",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Required: the folder; each version gets one inside."),
    ] = None,
    version: Annotated[
        list[str],
        typer.Option("--version", metavar="V,V", help="FOCUS versions: 1.2, 1.3, 1.4. May repeat."),
    ] = ALL_VERSIONS,
    first: MaybeFrom = None,
    last: MaybeTo = None,
    period: Annotated[
        date | None,
        typer.Option("--billing-period", parser=parse_month, metavar="MONTH",
                     help="Only charges of this billing period, YYYY-MM, whichever day they are of."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="T", help="Only this tenant's rows.")
    ] = None,
    as_of: AsOf = None,
    format_: Annotated[
        list[str],
        typer.Option("--format", metavar="F,F", help="parquet, csv, or both. May repeat."),
    ] = ALL_FORMATS,
    config: Config = None,
) -> None:  # fmt: skip
    """The ledger as FOCUS CostAndUsage: allocated rows that sum to their line of the bill in every cost
    and quantity, with who, confidence and policy in x_ columns.

    A derived dataset: never add it to the bill that it is made of. Every file behind it is hashed
    before a row is written. An older export in DIR is replaced as a whole.
    """
    from attribution_pipeline.export.columns import VERSIONS
    from attribution_pipeline.export.files import FORMATS
    from attribution_pipeline.export.focus import Wanted

    if shape not in SHAPES:
        raise Refusal(f"`{shape}` is no shape to export in", remedy="use one of: focus")
    if out is None:
        raise Refusal("names no folder", where="attribution export", remedy="as in --out DIR")
    ordered(first, last)
    wanted = Wanted(
        versions=_listed(version, VERSIONS, "--version"),
        formats=_listed(format_, FORMATS, "--format"),
        tenant=tenant,
        period=period,
    )
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.export import export_focus
    from attribution_pipeline.orchestration.house import House

    done = export_focus(House(load_deployment(config)), first, last, wanted, out, as_of=as_of)
    tally = done.tally
    days = [state.day for state in done.states]
    typer.echo(
        f"{days[0]} to {days[-1]}, {len(days)} recorded: {tally.rows:,} rows of {tally.lines:,} lines "
        f"of the bill, {tally.lines_as_they_are:,} of them undivided"
    )
    missing = _missing(days, first, last)
    if missing:
        from attribution_pipeline.views.day_ranges import counted

        typer.echo(f"not recorded, so not in this: {counted(missing)}", err=True)
    if tenant is not None:
        typer.echo(f"only what is {tenant}'s: these rows do not sum to the bill", err=True)
    if tally.ledger_rows_without_a_line:
        typer.echo(
            f"{tally.ledger_rows_without_a_line:,} rows of closed periods cancel out on charges that the "
            "bill no longer has: not in this",
            err=True,
        )
    for one in done.datasets:
        typer.echo(
            f"wrote {one.folder}: FOCUS {one.version}, {len(one.files)} files and metadata.json"
        )
    typer.echo("a derived dataset: never add it to the bill that it is made of", err=True)


def _missing(days: list[date], first: date | None, last: date | None) -> list[date]:
    """Days of the range that are not recorded."""
    begin, end = first or days[0], last or days[-1]
    asked = (begin + timedelta(number) for number in range((end - begin).days + 1))
    return [day for day in asked if day not in days]


def _listed(texts: list[str], known: tuple[str, ...], where: str) -> list[str]:
    """Names of an option that may repeat, each time with one or several of them, each name once."""
    text = ",".join(texts)
    named = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in named or [text]:
        if name not in known:
            raise Refusal(f"`{name}` is unknown", where=where, remedy=f"use {', '.join(known)}")
    return named
