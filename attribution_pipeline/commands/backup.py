"""``attribution backup`` and ``restore``: a lake copied whole, and a copy made the lake.

Belongs here: the commands. Does not: what is copied in which order (``lake.copying``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attribution_pipeline.commands.options import Config
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.config import Deployment
    from attribution_pipeline.lake.copying import Copied
    from attribution_pipeline.lake.places import Place

NoCheck = Annotated[
    bool,
    typer.Option("--check/--no-check", help="Hash every file of the copy when it is made."),
]


def register(app: typer.Typer) -> None:
    """Mount both commands."""
    app.command("backup", short_help="Copy the lake, whole and readable at every moment")(backup)
    app.command("restore", short_help="Fill an empty storage from a copy")(restore)


def backup(
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="A folder, or s3://bucket/prefix.")],
    check: NoCheck = True,
    config: Config = None,
) -> None:  # fmt: skip
    """Copy the deployment's storage to another place, while runs go on. Run it again to bring the copy
    up to date: only what is new is copied.

    What is not in it: the deployment file, policies and keys, which are yours to keep under version
    control and in your secret store; and Dagster's own database.
    """
    from attribution_pipeline.config import load_deployment

    deployment = load_deployment(config)
    place = _place(deployment, to)
    _tell(_copied(deployment.place, place, check=check), place)


def restore(
    source: Annotated[str, typer.Option("--from", metavar="PLACE", help="Where `backup` copied to.")],
    check: NoCheck = True,
    config: Config = None,
) -> None:  # fmt: skip
    """Fill the deployment's storage, which must be empty, from a copy; then replay what matters.

    Nothing is ever restored over a lake: move it away first.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.lake.custody import everything

    deployment = load_deployment(config)
    target = deployment.place
    if not isinstance(target, Path) or target.exists():
        for held in everything(target):
            raise Refusal(
                f"is not empty: {held.name} stands there",
                where=deployment.where("storage"),
                remedy="move it away, or name another `storage`",
            )
    _tell(_copied(_place(deployment, source), target, check=check), target)


def _copied(source: Place, target: Place, *, check: bool) -> Copied:
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.copying import copy_lake, verify_lake
    from attribution_pipeline.lake.landed import LandedStore

    if not Lake(source).days() and not LandedStore(source).head[0]:
        raise Refusal(
            "holds no recorded day and no landed evidence", where=str(source),
            remedy="name the place that holds the lake",
        )  # fmt: skip
    done = copy_lake(source, target)
    if check:
        verify_lake(target)
    return done


def _place(deployment: Deployment, text: str) -> Place:
    from attribution_pipeline.buckets.place import is_bucket_url, parse

    if not is_bucket_url(text):
        return Path(text).absolute()
    try:
        return parse(text, deployment.s3.access(), deployment.scratch or "")
    except ValueError as error:
        raise Refusal(f"{text!r} {error}") from None


def _tell(done: Copied, place: Place) -> None:
    from attribution_pipeline.lake import Lake

    days = Lake(place).days()
    through = f", {days[0]} to {days[-1]}" if days else ""
    typer.echo(
        f"copied: {done.files:,} files, {done.bytes:,} bytes; there already: {done.standing:,}"
    )
    typer.echo(f"{place}: {len(days):,} recorded days{through}")
