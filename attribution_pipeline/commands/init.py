"""``attribution init DIR``: a commented deployment file and a first policy.

Belongs here: the command; its files are under ``templates``. Does not: what keys mean (``config``,
``model.policy``).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from attribution_pipeline.commands.options import parse_day
from attribution_pipeline.model.errors import Refusal

FILES = ("attribution.yaml", "policies/policy-1.yaml")
SOURCE_FOLDERS = ("billing", "opencost", "spans", "usage")
"""Where exports go."""
RECORDS_FOLDER = "closes"
"""Where ``attribution close`` writes."""
TEMPLATE_DAY = "2026-01-01"
"""The first day in the templates; ``init`` puts the deployment's own in its place."""


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("init", short_help="Write a first deployment")(init)


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The deployment's folder.")],
    first_day: Annotated[
        date | None,
        typer.Option(
            parser=parse_day, metavar="DAY",
            help="First charge day of the ledger. Default: the first of this month.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Write a commented attribution.yaml and a first policy; never overwrites."""
    day = first_day or datetime.now(UTC).date().replace(day=1)
    for name in FILES:
        if (directory / name).exists():
            raise Refusal(
                "is there already, and nothing is ever overwritten",
                where=str(directory / name),
                remedy="edit it, or name another folder",
            )
    templates = resources.files("attribution_pipeline.commands") / "templates"
    try:
        for folder in ("policies", *SOURCE_FOLDERS, RECORDS_FOLDER):
            (directory / folder).mkdir(parents=True, exist_ok=True)
        for name in FILES:
            text = (templates / name).read_text(encoding="utf-8")
            with (directory / name).open("x", encoding="utf-8") as file:
                file.write(text.replace(TEMPLATE_DAY, day.isoformat()))
            typer.echo(f"wrote {directory / name}")
    except OSError as error:
        raise Refusal(
            f"cannot be written ({error.strerror or error})",
            where=str(error.filename or directory),
            remedy="name a folder that this user may write",
        ) from None
    config = directory / FILES[0]
    typer.echo(f"put exports under {', '.join(f'{name}/' for name in SOURCE_FOLDERS)}, then:")
    typer.echo(f"  attribution policy check {directory / FILES[1]}")
    typer.echo(f"  attribution run --config {config} --from {day} --to {day}")
