"""``attribution rejected``: what was delivered and could not be read.

Belongs here: the command. Does not: which records stand (``lake.landed``), formats (``views``).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from attribution_pipeline.commands.options import Config, Format, Out, ordered, parse_day
from attribution_pipeline.model.errors import Refusal


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("rejected", short_help="List records that could not be read")(rejected)


def rejected(
    first: Annotated[
        date | None,
        typer.Option(
            "--from", parser=parse_day, metavar="DAY",
            help="Only files that touch a day from this one on, or no day at all.",
        ),
    ] = None,
    last: Annotated[
        date | None,
        typer.Option("--to", parser=parse_day, metavar="DAY", help="The same, up to this day."),
    ] = None,
    format_: Format = None,
    out: Out = None,
    config: Config = None,
) -> None:  # fmt: skip
    """List every rejected record with source, reason, file, position and detail, and what waits.

    Of what every file holds now: a delivery that was put right is not listed any more. On a terminal
    a line for each file and reason; CSV, JSON and Parquet have a row for each record. Status 0; 2 where
    nothing was ever landed: the storage may be another one.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.views import rejected as view
    from attribution_pipeline.views.output import chosen_format

    ordered(first, last)
    chosen = chosen_format(format_, out)
    deployment = load_deployment(config)

    from attribution_pipeline.lake.landed import LandedStore
    from attribution_pipeline.lake.landed.rejected import rejected_rows
    from attribution_pipeline.sources.awaiting import from_document

    landed = LandedStore(deployment.place)
    if landed.last_landing() is None and not landed.waiting():
        # a mistyped storage is empty, and would be told as one in which all was read
        raise Refusal(
            "nothing was ever landed here",
            where=str(deployment.place),
            remedy=f"see that `storage:` of {deployment.path} names the lake, or land a day: "
            "attribution run --from DAY --to DAY",
        )
    rows = rejected_rows(landed, first, last)
    waiting = view.with_accepted(from_document(landed.waiting()), deployment.policies_folder)
    view.write(rows, waiting, chosen, out, typer.echo)
    if chosen != "table" or out is not None:
        for line in view.footer(rows, waiting):
            typer.echo(line, err=True)
    if out is not None:
        typer.echo(f"wrote {out}: {rows.num_rows:,} rows", err=True)
