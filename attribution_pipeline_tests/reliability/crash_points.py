"""Every named crash point, killed at its first call and at later ones.

Belongs here: finding the points in the code, killing a process there, what came of it. Does not:
the stories in which they are passed (``scenarios``).
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from attribution_pipeline.lake import crash
from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.reliability import inspection
from attribution_pipeline_tests.reliability.inspection import Standing
from attribution_pipeline_tests.reliability.scenarios import SCENARIOS, Scenario, journal_of
from attribution_pipeline_tests.reliability.tally import Tally
from attribution_pipeline_tests.reliability.writers import PROCESSES

PACKAGE = REPOSITORY / "attribution_pipeline"
NEVER = "never:0"
"""Arms the counting of points and none of them."""
TABLE = "[a-z_]+"
"""What may stand where a point's name has a variable."""


def in_code() -> dict[str, list[str]]:
    """Names of all crash points that the code passes, as patterns, and where."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _called(node) == "crash_point":
                where = f"{path.relative_to(REPOSITORY)}:{node.lineno}"
                found.setdefault(_pattern(node.args[0], where), []).append(where)
    return found


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _pattern(name: ast.expr, where: str) -> str:
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return re.escape(name.value)
    if isinstance(name, ast.JoinedStr):
        return "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else TABLE
            for part in name.values
        )
    raise AssertionError(f"{where}: a crash point whose name cannot be read from the code")


@dataclass
class PointTally(Tally):
    """What killing at named points came to."""

    kills: Counter[str] = field(default_factory=Counter)
    """By point."""
    old: int = 0
    """Kills that left the state before the step; the rest left the state after it."""
    new: int = 0


def passes(scenario: Scenario, folder: Path) -> dict[str, int]:
    """How often a run without trouble passes each point."""
    answers, report = PROCESSES.Pipe(duplex=False)
    child = PROCESSES.Process(target=_count, args=(scenario.name, folder, report))
    child.start()
    report.close()
    found: dict[str, int] = answers.recv()
    child.join()
    return found


def kill_at(
    scenario: Scenario,
    point: str,
    nth: int,
    golden: list[Standing],
    folder: Path,
    tally: PointTally,
) -> None:
    """Play the story until it dies at the point's n-th call; check; play it to its end; check."""
    exitcode = play_until(scenario, folder, point, nth)
    if exitcode != -signal.SIGKILL:
        tally.violations.append(f"{point}:{nth} was not reached: exit code {exitcode}")
        return
    tally.kills[point] += 1
    tally.violations += [
        f"{point}:{nth}: {text}" for text in _after(scenario, golden, folder, tally)
    ]
    shutil.rmtree(folder)


def play_until(scenario: Scenario, folder: Path, point: str, nth: int) -> int | None:
    """Play the story in a process that dies at the point's n-th call; its exit code."""
    scenario.prepare(folder)
    child = PROCESSES.Process(target=_play, args=(scenario.name, folder, f"{point}:{nth}"))
    child.start()
    child.join()
    return child.exitcode


def _after(
    scenario: Scenario, golden: list[Standing], folder: Path, tally: PointTally
) -> Iterator[str]:
    storage = scenario.storage(folder)
    pending = journal_of(folder).pending()
    if pending is None:
        yield "died outside of every step"
        return
    old, new = golden[pending.step], golden[pending.step + 1]
    found = inspection.standing(storage)
    tally.old += found == old
    tally.new += found == new
    yield from inspection.old_or_new(found, old, new)
    yield from inspection.verifies(storage)
    scenario.play(folder)
    yield from inspection.standing(storage).differs(golden[-1])
    yield from inspection.whole(storage)


def _count(name: str, folder: Path, report) -> None:  # type: ignore[no-untyped-def]
    os.environ[crash.VARIABLE] = NEVER
    SCENARIOS[name].prepare(folder)
    SCENARIOS[name].play(folder)
    report.send(dict(crash._passed))


def _play(name: str, folder: Path, armed: str) -> None:
    os.environ[crash.VARIABLE] = armed
    SCENARIOS[name].play(folder)
