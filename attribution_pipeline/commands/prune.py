"""``attribution prune``: frees what superseded states hold; says what would go, unless told to do it.

Belongs here: the command. Does not: what may go (``lake.pruning``).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from attribution_pipeline.commands.options import Config

KEEP_DAYS = 400
"""A year and a quarter's close: what an audit of the last year may ask to read as of then."""

STATES_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("prune", short_help="Free what superseded states hold")(prune)


def prune(
    keep_days: Annotated[
        int,
        typer.Option(
            "--keep-days", min=1, metavar="N",
            help="States superseded within so many days stay whole.",
        ),
    ] = KEEP_DAYS,
    apply: Annotated[
        bool, typer.Option("--apply", help="Remove the files. Without it nothing is changed.")
    ] = False,
    names: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE",
            help="Write the files, one a line: name, bytes, time of change, between tabs.",
        ),
    ] = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Find table files that only superseded states of days name, files that no state names, and copies
    of landed spans that were read again since.

    Evidence, policies, manifests and logs stay for ever, and so does whatever a replay of a day's
    newest, first or first settled state reads. Other states can be read and replayed no more. Without
    --apply it prints what would go.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.lake.custody import require_removable
    from attribution_pipeline.lake.pruned import apply_plan
    from attribution_pipeline.lake.pruning import plan
    from attribution_pipeline.orchestration.house import House

    house = House(load_deployment(config))
    if apply:
        require_removable(house.lake.storage)
    found = plan(house.lake, house.now(), timedelta(days=keep_days))
    for why, (count, size) in sorted(found.sums().items()):
        typer.echo(f"{why}: {count:,} files, {size:,} bytes")
    if not found.files:
        typer.echo("nothing may go")
    typer.echo(f"stays: {found.kept_files:,} files, {found.kept_bytes:,} bytes")
    if found.states:
        shown = ", ".join(f"{day} state {state}" for day, state in found.states[:STATES_SHOWN])
        more = len(found.states) - STATES_SHOWN
        typer.echo(
            f"readable no more: {len(found.states):,} superseded states ({shown}"
            + (f", {more:,} more)" if more > 0 else ")")
        )
    if names is not None:
        lines = (
            f"{one.held.name}\t{one.held.bytes}\t{one.held.changed_at.isoformat()}\n"
            for one in found.files
        )
        names.write_text("".join(lines), encoding="utf-8")
        typer.echo(f"wrote {names}: {len(found.files):,} files", err=True)
    if not apply:
        if found.files:
            typer.echo("nothing was changed; give --apply to remove them", err=True)
        return
    removed, size, left = apply_plan(house.lake, found, house.now())
    typer.echo(f"removed: {removed:,} files, {size:,} bytes")
    if left:
        typer.echo(f"left: {left:,} files that were written again or named meanwhile", err=True)
