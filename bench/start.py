"""What it costs to start: a process that loads the definitions, and one that prints its help.

Belongs here: processes and nothing else. Does not: what they do afterwards.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from child import Program

TIMES = 3
"""Processes in a turn: one is short, and a busy machine's luck is not."""


def definitions(folder: str) -> Program:
    """The code location, as `dagster dev` and every run worker load it."""
    place = str(Path(folder) / "attribution.yaml")
    return _python(
        "-c",
        "import sys, pathlib; from attribution_pipeline.definitions import build_defs; "
        "build_defs(pathlib.Path(sys.argv[1])).get_repository_def()",
        place,
    )


def dagster(folder: str) -> Program:
    """The library alone."""
    return _python("-c", "import dagster")


def help(folder: str) -> Program:
    """`attribution --help`."""
    return _python("-m", "attribution_pipeline", "--help")


def python(folder: str) -> Program:
    """An interpreter with the command line's own library."""
    return _python("-c", "import typer")


def _python(*arguments: str) -> Program:
    def run() -> dict[str, Any]:
        for _ in range(TIMES):
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        return {}

    return run
