"""What a writer was about to do and what it was told is done, kept where a SIGKILL cannot reach it.

Belongs here: appending and reading lines. Does not: what the writer does.

A line goes to the kernel in one ``write`` to a file opened for appending: it stands when the writer
is killed a moment later.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

BEGIN, DONE = "begin", "done"


@dataclass(frozen=True)
class Line:
    """One moment of one task. ``answer``: what the lake returned, where it is done. ``at``: seconds
    by a clock that all processes share."""

    moment: str
    task: str
    day: int
    step: int
    answer: str = ""
    at: float = field(default_factory=time.monotonic)

    @property
    def key(self) -> tuple[str, int, int]:
        return self.task, self.day, self.step


class Journal:
    """Lines of one writer after another, in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def say(self, line: Line) -> None:
        text = json.dumps(asdict(line)) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    def lines(self) -> list[Line]:
        """All lines so far; a line in the making is left out."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [Line(**json.loads(one)) for one in text.split("\n")[:-1]]

    def done(self, task: str) -> Iterator[Line]:
        """Acknowledged tasks of a kind, in order."""
        return (line for line in self.lines() if line.moment == DONE and line.task == task)

    def seconds(self) -> list[float]:
        """How long each acknowledged task took, in order; those begun again from the second time."""
        begun: dict[tuple[str, int, int], float] = {}
        found = []
        for line in self.lines():
            if line.moment == BEGIN:
                begun[line.key] = line.at
            else:
                found.append(line.at - begun[line.key])
        return found

    def pending(self) -> Line | None:
        """The task that began last, where nobody acknowledged it."""
        lines = self.lines()
        if not lines or lines[-1].moment == DONE:
            return None
        return lines[-1]
