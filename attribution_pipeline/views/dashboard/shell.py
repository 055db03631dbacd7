"""Commands to copy, as they work in a terminal where the dashboard was started.

Belongs here: how the program and its deployment file are called from there. Does not: which commands.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "attribution"
DEFAULT = "attribution.yaml"
"""The deployment file that a command reads where nobody names one."""

VARIABLE = "ATTRIBUTION_CONFIG"


@dataclass(frozen=True)
class Shell:
    """``program``: words that start it; ``config``: the deployment file as it is named, None where a
    command finds it by itself."""

    program: tuple[str, ...] = (PROGRAM,)
    config: str | None = None

    @staticmethod
    def here(deployment: Path) -> Shell:
        """Of this process: relative to its folder what is inside it, else by whole paths. The file is
        named unless it is the folder's own and no variable names another."""
        folder = Path.cwd()
        own = deployment.absolute() == folder / DEFAULT and not os.environ.get(VARIABLE)
        return Shell(_program(folder), None if own else _seen_from(folder, deployment))

    @staticmethod
    def seen(path: Path) -> str:
        """A file as a command names it here."""
        return _seen_from(Path.cwd(), path)

    def line(self, *words: str) -> str:
        """A command with its words, quoted for a shell."""
        config = ["--config", self.config] if self.config is not None else []
        return shlex.join([*self.program, *words, *config])


def _program(folder: Path) -> tuple[str, ...]:
    """The script of this installation. One inside the folder is named by its path, which works whether
    its environment is active or not."""
    script = Path(sys.executable).with_name(PROGRAM)
    if script.is_file() and script.is_relative_to(folder):
        return (_seen_from(folder, script),)
    found = shutil.which(PROGRAM)
    if found is not None and (not script.is_file() or Path(found).samefile(script)):
        return (PROGRAM,)
    if script.is_file():
        return (str(script),)
    return (sys.executable, "-m", "attribution_pipeline")


def _seen_from(folder: Path, path: Path) -> str:
    path = path.absolute()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
