"""The command line, called in this process."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from attribution_pipeline.cli import app

CONFIG = "attribution.yaml"


def attribution(folder: Path, command: str, *arguments: str, status: int = 0) -> str:
    """What a command says on both outputs; fails where it exits otherwise."""
    said = CliRunner().invoke(app, [command, *arguments, "--config", str(folder / CONFIG)])
    assert said.exit_code == status, f"{said.exit_code}: {said.output}"
    return said.output
