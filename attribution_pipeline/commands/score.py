"""``attribution score``: C1 to C6 of recorded days, per route slice.

Belongs here: the command, its lines and its exit status. Does not: verdicts (``proof.score``), what
of the deployment they take (``orchestration.scoring``).

Exit status: 0 every verdict is PASS; 1 one is FAIL.
"""

from __future__ import annotations

import typer

from attribution_pipeline.commands.options import (
    Config,
    MaybeTo,
    RecentFrom,
    VerdictsOut,
    ordered,
    usable_place,
)

FAILED = 1


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("score", short_help="C1 to C6, per route slice")(score)


def score(
    first: RecentFrom = None,
    last: MaybeTo = None,
    out: VerdictsOut = None,
    config: Config = None,
) -> None:
    """Score recorded days: C1 request join, C2 model and token evidence, C3 actor separation,
    C4 replayability, C5 thresholds, C6 lineage.

    C1 derives operation-charges of the last 7 settled days up to --to again from landed objects; C4
    replays every day. So it takes as long as computing the days twice. Status: 0 all PASS; 1 a FAIL.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.scoring import score_of
    from attribution_pipeline.proof.score import CHECKPOINTS
    from attribution_pipeline.views import score as view
    from attribution_pipeline.views.completeness import records as disclosed

    ordered(first, last)
    view.require_place(out)
    house = House(load_deployment(config))
    with usable_place():
        found = score_of(house, first, last)
    for line in view.board(found.verdicts, list(CHECKPOINTS)):
        typer.echo(line)
    typer.echo("")
    for line in view.failures(found.verdicts):
        typer.echo(line)
    failed = sum(not verdict.passed for verdict in found.verdicts)
    typer.echo(f"{len(found.verdicts) - failed} of {len(found.verdicts)} verdicts are PASS")
    if out is not None:
        known = [] if found.disclosed is None else disclosed(found.disclosed)
        view.write_json({**found.as_dict(), "completeness": known}, out)
        typer.echo(f"wrote {out}", err=True)
    if failed:
        raise typer.Exit(FAILED)
