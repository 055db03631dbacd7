"""``attribution run``: materializes days through Dagster, without a server.

Belongs here: the command and what it prints. Does not: how a day is made (``orchestration``).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from attribution_pipeline.commands.log_lines import log_line
from attribution_pipeline.commands.options import Config, From, To, ordered
from attribution_pipeline.model.errors import Refusal

CHECK_FAILED = 1


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("run", short_help="Compute days and tie them out")(run)


def run(
    first: From,
    last: To = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Let the policy in force reach back over closed periods too. The ledger says so.",
        ),
    ] = False,
    days_at_once: Annotated[
        int,
        typer.Option(
            min=1,
            help="Days that are computed beside each other, each in a process with the deployment's "
            "limits of memory and threads for itself.",
        ),
    ] = 1,
    config: Config = None,
) -> None:
    """Land what is new, compute each day, record it, and print the tie-out.

    A recorded day with settled charges keeps the policy version that it was recorded under, and an
    alert says so, unless --force is given. Status 1 where a day is not recorded or a blocking check
    fails; alerts go to stderr and don't change it. The tie-out's difference is 0 or the day is not
    recorded. Status 2 where every day is refused: a month whose bill was refused as a whole, and that
    nothing else bills, records no day.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.model.policy import load_policies

    last = last or first
    ordered(first, last)
    deployment = load_deployment(config)
    deployment.require_inputs()
    _require_not_before(first, deployment.first_day, deployment.where("first_day"))
    load_policies(deployment.policies_folder).in_force(first)

    from attribution_pipeline.orchestration.run import run_days
    from attribution_pipeline.views import tie_out

    report = run_days(deployment, first, last, typer.echo, force=force, days_at_once=days_at_once)
    if report.tie_out:
        typer.echo("")
        for line in tie_out.lines(report.tie_out):
            typer.echo(line)
    for note in [*report.on_the_way, *report.notes]:
        typer.echo(log_line("note", note), err=True)
    for alert in report.alerts:
        typer.echo(log_line("alert", alert), err=True)
    for failure in report.failures:
        typer.echo(log_line("failed", failure), err=True)
    if report.failures:
        raise typer.Exit(CHECK_FAILED)


def _require_not_before(first: date, first_day: date, where: str) -> None:
    if first < first_day:
        raise Refusal(
            f"--from {first} is before the deployment's first day",
            where=where,
            remedy=f"start at {first_day}, or move `first_day`",
        )
