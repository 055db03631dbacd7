"""``attribution alerts``: who is told, what is open, what could not be sent.

Belongs here: the command. Does not: what is told and when (``orchestration.alerting``).

Exit status: 0; with --test 1 where a channel did not take the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from attribution_pipeline.commands.options import Config
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.config import Deployment

NOT_TAKEN = 1


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("alerts", short_help="Who is told, what is open, what was not sent")(alerts)


def alerts(
    test: Annotated[
        bool,
        typer.Option("--test", help="Send one message to every channel, and say what came of it."),
    ] = False,
    config: Config = None,
) -> None:
    """List the channels of the deployment file, what each was told that is not over yet, and what
    waits to be sent. Sends nothing but with --test; sending is the sensor `alerts` of Dagster.
    """
    from attribution_pipeline.config import load_deployment

    deployment = load_deployment(config)
    if not deployment.alerts:
        raise Refusal(
            "nobody is told of anything",
            where=str(deployment.path),
            remedy="add `alerts: [{name: on-call, url_env: ALERTS_URL}]`; see docs/alerts.md",
        )
    if test:
        _test(deployment)
    else:
        _list(deployment)


def _test(deployment: Deployment) -> None:
    import os

    from attribution_pipeline.orchestration.alerting.deliver import apprise_send

    failed = False
    for channel in deployment.alerts:
        url = os.environ.get(channel.url_env, "").strip()
        said = f"A test of the channel {channel.name}, asked for by hand. Nothing is wrong."
        error = (
            apprise_send(url, "[test] attribution alerts", said, channel.severities[-1])
            if url
            else f"the environment variable {channel.url_env} is not set"
        )
        failed = failed or bool(error)
        typer.echo(f"{channel.name}: {error or 'taken'}")
    if failed:
        raise typer.Exit(NOT_TAKEN)


def _list(deployment: Deployment) -> None:
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.orchestration.alerting.state import ChannelState, load

    state = load(Lake(deployment.place).store)
    for channel in deployment.alerts:
        found = state.get(channel.name, ChannelState())
        typer.echo(
            f"{channel.name}: {', '.join(channel.severities)}; ${channel.url_env}; "
            f"{len(found.told):,} open, {len(found.waiting):,} waiting"
            + (f", {found.given_up:,} given up" if found.given_up else "")
        )
        for key, told in sorted(found.told.items()):
            typer.echo(f"  told {told.sent_at:%Y-%m-%d %H:%M} UTC  {told.severity}  {key}")
        for message in found.waiting:
            tried = f", tried {message.tries} times: {message.error}" if message.tries else ""
            typer.echo(
                f"  waits since {message.made_at:%Y-%m-%d %H:%M} UTC{tried}  {message.title}"
            )
