"""``attribution dashboard``: the web app on what is recorded, for people who click.

Belongs here: the command. Does not: pages and the server (``views.dashboard``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from attribution_pipeline.commands.options import Config


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("dashboard", short_help="A web app: from the month to a call, and to its charge")(
        dashboard
    )


def dashboard(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="0: any that is free.")
    ] = 3001,
    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Default: this machine alone. Nobody is asked who he is: "
                     "put what asks in front before you open it to others."),
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A name by which it may be asked, beside its "
                     "address; as often as it has names."),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open it in a browser.")
    ] = True,
    dagster: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where Dagster's UI is, for links. Default: `dagster` of the "
                     "deployment file."),
    ] = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Serve the dashboard until Ctrl-C: month, feature, tenant, workflow, call, outcome, and from a call
    back to the charge that paid for it. Every page is a URL; every table can be exported.

    It reads the lake, writes nothing, and loads nothing from elsewhere.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.views.dashboard.serving import serve

    serve(
        load_deployment(config), host=host, port=port, dagster=dagster, browser=browser,
        allow_hosts=allow_host or (),
        told=typer.echo,
    )  # fmt: skip
