"""The priorities in order, and stopping at the first FAIL; or one of them alone.

Belongs here: that order. Does not: any judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof.relations import LEDGER, OPERATIONS, files_of
from attribution_pipeline.proof.replay import one_line
from attribution_pipeline.proof.score.verdict import UNUSABLE, Verdict, unanswered
from attribution_pipeline.proof.triage import p1_control_plane, p2_identity, p3_joinability
from attribution_pipeline.proof.triage.asked import Asked


@dataclass(frozen=True)
class Priority:
    """What a priority is called and who judges it. Every verdict must be PASS."""

    title: str
    judge: Callable[[Asked], list[Verdict]]


PRIORITIES: Mapping[str, Priority] = {
    "P1": Priority(p1_control_plane.TITLE, p1_control_plane.judge),
    "P2": Priority(p2_identity.TITLE, p2_identity.judge),
    "P3": Priority(p3_joinability.TITLE, p3_joinability.judge),
}


@dataclass(frozen=True)
class Triage:
    """Verdicts up to the first priority that fails, all of that one included."""

    verdicts: Sequence[Verdict]
    days: Sequence[date]
    month: Sequence[date]
    policy: str
    command: str
    relations: Mapping[str, Sequence[Mapping[str, Any]]]
    """The files that the queries' relations are of: day, path in the storage, sha256, rows."""

    @property
    def stopped_at(self) -> str | None:
        """The first priority with a FAIL; None where all pass."""
        return next((found.question for found in self.verdicts if not found.passed), None)

    @property
    def failure(self) -> Verdict | None:
        """What to mend first: of the priority that failed, the first FAIL that names a slice, else the
        first. None where all pass."""
        failed = [found for found in self.verdicts if not found.passed]
        return next((found for found in failed if found.route), failed[0] if failed else None)

    @property
    def not_reached(self) -> list[str]:
        """Priorities that were not asked."""
        asked = {found.question for found in self.verdicts}
        return [name for name in PRIORITIES if name not in asked]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "verdict": "FAIL" if self.stopped_at else "PASS",
            "stopped_at": self.stopped_at,
            "mend_first": self.failure.detail if self.failure else None,
            "not_reached": self.not_reached,
            "days": [day.isoformat() for day in self.days],
            "month_to_date": [day.isoformat() for day in self.month],
            "policy": self.policy,
            "command": self.command,
            "verdicts": [verdict.as_dict() for verdict in self.verdicts],
            "relations": {name: list(files) for name, files in self.relations.items()},
        }


def triage(asked: Asked, only: str | None = None) -> Triage:
    """Judge one priority after the other; ``only``: that one of ``PRIORITIES``, whatever the others
    say. Writes nothing but into ``asked.scratch``."""
    verdicts: list[Verdict] = []
    for name, priority in PRIORITIES.items():
        if only is not None and name != only:
            continue
        try:
            verdicts += priority.judge(asked)
        except (Refusal, OSError) as problem:
            text = one_line(problem)
            verdicts.append(unanswered(name, priority.title, asked.command, UNUSABLE, text))
        if not all(verdict.passed for verdict in verdicts):
            break
    return Triage(
        verdicts,
        [recorded.day for recorded in asked.days],
        [recorded.day for recorded in asked.month],
        f"{asked.policy.policy} version {asked.policy.version}",
        asked.command,
        {
            LEDGER: files_of(asked.lake, asked.month, LEDGER),
            OPERATIONS: files_of(asked.lake, asked.days, OPERATIONS),
        },
    )
