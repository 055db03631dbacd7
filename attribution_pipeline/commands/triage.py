"""``attribution triage``: P1 to P3, the first FAIL first, or one of them alone.

Belongs here: the command, its lines and its exit status. Does not: verdicts (``proof.triage``), what
of the deployment they take (``orchestration.triage``).

Exit status: 0 all that was asked passes; 1 one fails, and nothing after it was asked.
"""

from __future__ import annotations

from typing import Annotated

import typer

from attribution_pipeline.commands.options import (
    Config,
    MaybeTo,
    RecentFrom,
    VerdictsOut,
    ordered,
    usable_place,
)
from attribution_pipeline.model.errors import Refusal

FAILED = 1


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("triage", short_help="P1 to P3, stops at the first FAIL")(triage)


def triage(
    first: RecentFrom = None,
    last: MaybeTo = None,
    only: Annotated[
        str | None, typer.Option(metavar="P", help="Ask this one alone: P1, P2 or P3.")
    ] = None,
    out: VerdictsOut = None,
    config: Config = None,
) -> None:
    """P1 control plane, P2 identity through retries, P3 joinability; mend the first FAIL first.

    P1 reads `sources.controls`. P2 samples retry chains of the days. P3 is of the month to date of
    the newest day, and replays that day. Status: 0 all that was asked
    is PASS; 1 a FAIL.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.triage import triage_of
    from attribution_pipeline.views import score as view
    from attribution_pipeline.views.cells import terminal_cell

    ordered(first, last)
    _require_priority(only)
    view.require_place(out)
    house = House(load_deployment(config))
    with usable_place():
        found = triage_of(house, first, last, only)
    for line in view.lines(found.verdicts):
        typer.echo(line)
    typer.echo("")
    rest = f" Not asked: {', '.join(found.not_reached)}." if found.not_reached else ""
    if found.failure is not None:
        typer.echo(terminal_cell(f"stops at {found.stopped_at}: {found.failure.detail}{rest}"))
    elif only is not None:
        typer.echo(f"{only} is PASS.{rest}")
    else:
        typer.echo("P1, P2 and P3 are PASS")
    if out is not None:
        view.write_json(found.as_dict(), out)
        typer.echo(f"wrote {out}", err=True)
    if found.stopped_at:
        raise typer.Exit(FAILED)


def _require_priority(only: str | None) -> None:
    """Raises Refusal for what is none of the three."""
    from attribution_pipeline.proof.triage import PRIORITIES

    if only is not None and only not in PRIORITIES:
        raise Refusal(
            f"`{only}` is no priority",
            where="--only",
            remedy=f"use one of: {', '.join(PRIORITIES)}",
        )
