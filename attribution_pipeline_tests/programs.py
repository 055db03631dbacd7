"""Command lines as their own programs read them, without being run.

Belongs here: finding a program's command and giving it its words. Does not: where the lines stand
(manifests, units, pages).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from attribution_pipeline_tests.cases import REPOSITORY


@cache
def _tree(program: str) -> Any:
    """A program's commands, as Click has them."""
    if program == "attribution":
        from typer.main import get_command

        from attribution_pipeline.cli import app

        return get_command(app)
    if program == "dagster":
        from dagster._cli import create_dagster_cli

        return create_dagster_cli()  # type: ignore[no-untyped-call]
    if program == "dagster-daemon":
        from dagster._daemon.cli import create_dagster_daemon_cli

        return create_dagster_daemon_cli()
    assert program == "dagster-webserver", f"{program} is no program of the image"
    from dagster_webserver.cli import create_dagster_webserver_cli

    return create_dagster_webserver_cli()  # type: ignore[no-untyped-call]


def understood(line: list[str]) -> str:
    """Fails where the program would refuse the line; else the command's name.

    A workspace file that stands elsewhere is read as the repository's.
    """
    program, *left = line
    command = _tree(Path(program).name)
    while hasattr(command, "commands"):
        name = left[0] if left else ""
        assert name in command.commands, f"there is no such command: {line}"
        command, left = command.commands[name], left[1:]
    here = str(REPOSITORY / "workspace.yaml")
    left = [here if Path(word).name == "workspace.yaml" else word for word in left]
    command.make_context(command.name, left)
    return str(command.name)
