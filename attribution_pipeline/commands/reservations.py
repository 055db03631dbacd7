"""``attribution reservations``: budgets beside the ledger, with forecast, breach and drift.

Belongs here: the command. Does not: status (``views.reservations``), which days and records
(``orchestration.reserving``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from attribution_pipeline.commands.options import AsOf, Config, Format, Out
from attribution_pipeline.model.errors import Refusal


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("reservations", short_help="Budgets: spent, forecast, breach, drift")(reservations)


def reservations(
    as_of: AsOf = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also those whose period ended more than a month ago.")
    ] = False,
    drift: Annotated[
        bool, typer.Option("--drift", help="Gateways' counters against the ledger instead.")
    ] = False,
    format_: Format = None,
    out: Out = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Read reservations: reserved, attributed to date, provisional part, forecast with its method,
    and when and by how much a period goes over.

    A reservation guards spend and attributes nothing: none of this is in the ledger. Amounts are in
    the reservation's own currency; what its scope costs in another is told beside and never added.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.reserving import reserved
    from attribution_pipeline.views import output
    from attribution_pipeline.views import reservation_tables as view

    chosen = output.chosen_format(format_, out)
    deployment = load_deployment(config)
    found = reserved(House(deployment), as_of, every=every)
    if not found.statuses:
        raise Refusal(
            "no reservation is watched" if found.long_over else "no reservation is landed",
            where=deployment.where("sources"),
            remedy="give --all" if found.long_over
            else "name a folder under `sources.reservations`, and run a day",
        )  # fmt: skip
    rows = (
        view.drift_table(found.statuses) if drift else view.as_table(found.statuses, found.metric)
    )
    output.write(rows, chosen, out, typer.echo, view.drift_lines if drift else view.lines)
    if chosen == "table" and out is None and not drift:
        typer.echo("")
        for status in found.statuses:
            typer.echo(view.sentence(status))
    through = f"recorded through {found.through}" if found.through else "no day is recorded"
    left = f"; {found.long_over:,} long over, see --all" if found.long_over else ""
    typer.echo(f"{found.metric}, {through}{left}", err=True)
    if out is not None:
        typer.echo(f"wrote {out}: {rows.num_rows:,} rows", err=True)
