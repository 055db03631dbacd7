"""``attribution pull``: asks live sources and keeps what they answer.

Belongs here: the command and what it prints. Does not: asking (``sources.pull``).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from attribution_pipeline.commands.options import Config, parse_day
from attribution_pipeline.model.errors import Refusal

FAILED = 1


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("pull", short_help="Ask live sources: OpenCost, vendor costs, Kubernetes")(pull)


def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Entries under `pull`. Default: all."),
    ] = None,
    first: Annotated[
        date | None,
        typer.Option("--from", parser=parse_day, metavar="DAY", help="Default: what is due."),
    ] = None,
    last: Annotated[
        date | None,
        typer.Option("--to", parser=parse_day, metavar="DAY", help="Default: --from."),
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also what is kept already; the older answer stays beside."),
    ] = False,
    config: Config = None,
) -> None:
    """Ask what is due, and keep the answers as they came in the folders of their sources.

    OpenCost: /allocation and /assets of each settled UTC day that is not there. OpenAI, Anthropic:
    costs and usage of each billing period that may have changed, all pages, one delivery.
    Kubernetes: labels and annotations as they are now. `attribution run` then lands them. Status 1
    where something that was due could not be had; the reason is on stderr.
    """
    from attribution_pipeline.config import load_deployment

    days = _days(first, last)
    deployment = load_deployment(config)

    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.pulling import pull as ask

    reports = ask(
        House(deployment), names=names or (), days=days, again=again,
        tell=lambda line: typer.echo(f"waiting: {line}", err=True),
    )  # fmt: skip
    for report in reports:
        for line in report.lines():
            typer.echo(line)
    failures = [line for report in reports for line in report.failures]
    for failure in failures:
        typer.echo(f"failed: {failure}", err=True)
    if failures:
        raise typer.Exit(FAILED)


def _days(first: date | None, last: date | None) -> tuple[date, date] | None:
    if first is None:
        if last is not None:
            raise Refusal("--to without --from", remedy="give the first day as --from")
        return None
    last = last or first
    if first > last:
        raise Refusal(
            f"--from {first} is after --to {last}", remedy="give the earlier day as --from"
        )
    return first, last
