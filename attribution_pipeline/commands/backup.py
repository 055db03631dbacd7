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

CHECKED = (
    "Hash {where} what newest states and landed evidence stand on, and all logs; what is damaged there is "
    "copied once more."
)


def register(app: typer.Typer) -> None:
    """Mount both commands."""
    app.command("backup", short_help="Copy the lake, whole and readable at every moment")(backup)
    app.command("restore", short_help="Fill an empty storage from a copy")(restore)


def backup(
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="A folder, or s3://bucket/prefix.")],
    check: Annotated[
        bool, typer.Option("--check/--no-check", help=CHECKED.format(where="in the copy"))
    ] = True,
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
    check: Annotated[
        bool, typer.Option("--check/--no-check", help=CHECKED.format(where="in the storage"))
    ] = True,
    config: Config = None,
) -> None:  # fmt: skip
    """Fill the deployment's storage, which must be empty, from a copy; then replay what matters.

    One that was interrupted may be given again. Nothing is ever restored over a lake: move it away
    first.
    """
    from attribution_pipeline.config import load_deployment

    deployment = load_deployment(config)
    target, place = deployment.place, _place(deployment, source)
    foreign = _what_is_no_restore(target, place)
    if foreign:
        raise Refusal(
            f"is not empty: {foreign} stands there",
            where=deployment.where("storage"),
            remedy="move it away, or name another `storage`",
        )
    _tell(_copied(place, target, check=check), target)


def _what_is_no_restore(target: Place, source: Place) -> str:
    """What a restore that was interrupted did not leave: a lake, or a file that the copy has not.
    Empty where there is no such thing."""
    from attribution_pipeline.lake.copying import may_be_continued
    from attribution_pipeline.lake.custody import everything

    if isinstance(target, Path) and not target.exists():
        return ""
    there = [held.name for held in everything(target)]
    if not there:
        return ""
    copied = {held.name for held in everything(source)}
    for name in sorted(there):
        if name not in copied or not may_be_continued(name):
            return name
    return ""


def _copied(source: Place, target: Place, *, check: bool) -> Copied:
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.copying import copy_lake, damaged, verify_lake
    from attribution_pipeline.lake.landed import LandedStore

    if not Lake(source).days() and not LandedStore(source).head[0]:
        raise Refusal(
            "holds no recorded day and no landed evidence", where=str(source),
            remedy="name the place that holds the lake",
        )  # fmt: skip
    _require_apart(source, target)
    done = copy_lake(source, target)
    if check:
        try:
            verify_lake(target)
        except Refusal:
            names = damaged(target)
            if not names:
                raise
            more = copy_lake(source, target, again=names)
            verify_lake(target)
            typer.echo(f"copied once more: {len(names):,} damaged files", err=True)
            done.files, done.bytes = done.files + more.files, done.bytes + more.bytes
    return done


def _require_apart(source: Place, target: Place) -> None:
    """Raise Refusal where one place lies in the other: a copy would copy itself."""
    if isinstance(source, Path) and isinstance(target, Path):
        here, there = source.resolve(), target.resolve()
        inside = here.is_relative_to(there) or there.is_relative_to(here)
    elif isinstance(source, Path) or isinstance(target, Path):
        inside = False
    else:
        here_key, there_key = (f"{one.prefix}/".lstrip("/") for one in (source, target))
        same = (source.bucket, source.access.endpoint) == (target.bucket, target.access.endpoint)
        inside = same and (here_key.startswith(there_key) or there_key.startswith(here_key))
    if inside:
        raise Refusal(
            f"one lies in the other: {source} and {target}",
            remedy="name a place outside of it",
        )


def _place(deployment: Deployment, text: str) -> Place:
    from attribution_pipeline.buckets.place import is_bucket_url, parse, require_plain_prefix

    if not is_bucket_url(text):
        return Path(text).absolute()
    try:
        place = parse(text, deployment.s3.access(), deployment.scratch or "")
        require_plain_prefix(place)
        return place
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
