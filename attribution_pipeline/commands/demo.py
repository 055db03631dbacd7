"""``attribution demo DIR``: a made-up company, complete, with the truth about its costs.

Belongs here: the command. Does not: the company (``simulator``).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from attribution_pipeline.commands.options import parse_day
from attribution_pipeline.model.errors import Refusal

DAYS = 3
SPANS_PER_DAY = 50_000
SEED = 7


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("demo", short_help="Write a made-up company to try it on")(demo)


def demo(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="Charge days.")] = DAYS,
    spans_per_day: Annotated[int, typer.Option(min=1, help="Spans a day.")] = SPANS_PER_DAY,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same files.")] = SEED,
    first_day: Annotated[
        date | None, typer.Option(parser=parse_day, metavar="DAY", help="Default: 2026-10-05.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="A fault of the telemetry to play; may be repeated.")
    ] = None,
) -> None:
    """Write a complete deployment of a made-up company: config, policies, inputs and truth."""
    require_empty(directory)
    from attribution_pipeline.config import FILE_NAME
    from attribution_pipeline.simulator import write_company

    report = write_company(
        directory,
        days=days,
        spans_per_day=spans_per_day,
        seed=seed,
        first_day=first_day,
        faults=tuple(fault or ()),
        business=True,
        progress=lambda line: typer.echo(line, err=True),
    )
    for line in report.lines():
        typer.echo(line)
    typer.echo(
        f"next: attribution run --config {directory / FILE_NAME} "
        f"--from {report.first_day} --to {report.last_day}"
    )


def require_empty(directory: Path) -> None:
    """Raises Refusal where something would be overwritten."""
    if directory.exists() and not directory.is_dir():
        raise Refusal("is a file", where=str(directory), remedy="name a new folder")
    if directory.is_dir() and any(directory.iterdir()):
        raise Refusal(
            "is not empty, and nothing is ever overwritten",
            where=str(directory),
            remedy="name a new folder, or remove this one first",
        )
