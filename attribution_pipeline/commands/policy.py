"""``attribution policy check FILE``: whether a policy can be published, and what it says.

Belongs here: the command group ``policy``. Does not: validation (``model.policy``) or wording
(``model.policy_text``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attribution_pipeline.commands.options import Config


def register(app: typer.Typer) -> None:
    """Mount the group."""
    group = typer.Typer(help="Check policies before they are published.", no_args_is_help=True)
    group.command("check")(check)
    app.add_typer(group, name="policy")


def check(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="A policy, or a folder of them. Default: the deployment's."
        ),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Print the whole runbook of the policy, as Markdown.")
    ] = False,
    config: Config = None,
) -> None:
    """Validate a policy; print what it says in a few lines. Refused: one line, status 2."""
    from attribution_pipeline.model.policy import load_policies, load_policy
    from attribution_pipeline.model.policy_text import render, summary

    if file is None:
        from attribution_pipeline.config import load_deployment

        file = load_deployment(config).policies_folder
    policies = load_policies(file).versions if file.is_dir() else [load_policy(file)[0]]
    for policy in policies:
        for line in render(policy).splitlines() if text else summary(policy):
            typer.echo(line)
    if not text:
        typer.echo(f"{file}: valid")
