"""All checkpoints, in order, over one set of days.

Belongs here: which there are, and that a file which cannot be used fails a checkpoint instead of the
score. Does not: any judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof.ratio import NO_EVIDENCE
from attribution_pipeline.proof.replay import one_line
from attribution_pipeline.proof.score import (
    c1_join,
    c2_evidence,
    c3_actors,
    c4_replay,
    c5_thresholds,
    c6_lineage,
)
from attribution_pipeline.proof.score.asked import Asked
from attribution_pipeline.proof.score.verdict import UNUSABLE, Verdict, unanswered

if TYPE_CHECKING:
    from attribution_pipeline.proof.completeness import Completeness


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint is called and who judges it."""

    title: str
    judge: Callable[[Asked], list[Verdict]]


CHECKPOINTS: Mapping[str, Checkpoint] = {
    "C1": Checkpoint(c1_join.TITLE, c1_join.judge),
    "C2": Checkpoint(c2_evidence.QUESTION.title, c2_evidence.judge),
    "C3": Checkpoint(c3_actors.QUESTION.title, c3_actors.judge),
    "C4": Checkpoint(c4_replay.TITLE, c4_replay.judge),
    "C5": Checkpoint(c5_thresholds.TITLE, c5_thresholds.judge),
    "C6": Checkpoint(c6_lineage.TITLE, c6_lineage.judge),
}


@dataclass(frozen=True)
class Score:
    """Verdicts in the order of the checkpoints, slices in order within one."""

    verdicts: Sequence[Verdict]
    days: Sequence[date]
    settled_days: Sequence[date]
    metric: str
    policy: str
    command: str
    relations: Mapping[str, Sequence[Mapping[str, Any]]]
    """The files that the queries' relations are of: day, path in the storage, sha256, rows."""
    disclosed: Completeness | None = None
    """What is known of the days; None where a file of theirs can't be used."""

    @property
    def passed(self) -> bool:
        """Whether every verdict is PASS."""
        return all(verdict.passed for verdict in self.verdicts)

    def of(self, question: str) -> list[Verdict]:
        """The verdicts of one checkpoint."""
        return [verdict for verdict in self.verdicts if verdict.question == question]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the grain of ``verdicts`` is checkpoint and slice."""
        from attribution_pipeline.proof.relations import REQUEST_LEVEL

        return {
            "verdict": "PASS" if self.passed else "FAIL",
            "days": [day.isoformat() for day in self.days],
            "settled_days": [day.isoformat() for day in self.settled_days],
            "metric": self.metric,
            "policy": self.policy,
            "command": self.command,
            "verdicts": [verdict.as_dict() for verdict in self.verdicts],
            "relations": {name: list(files) for name, files in self.relations.items()},
            "then": REQUEST_LEVEL,
        }


def score(asked: Asked) -> Score:
    """Judge every checkpoint. Writes nothing but into ``asked.scratch``."""
    from attribution_pipeline.proof.relations import (
        AT_REST,
        LEDGER,
        OPERATION_COSTS,
        OPERATIONS,
        PUBLISHED_OPERATIONS,
        files_of,
    )

    verdicts = [found for name in CHECKPOINTS for found in _judged(name, asked)]
    opened = {recorded.day: recorded for recorded in (*asked.settled, *asked.days)}
    days = [opened[day] for day in sorted(opened)]
    return Score(
        verdicts,
        [recorded.day for recorded in asked.days],
        [recorded.day for recorded in asked.settled],
        asked.metric,
        f"{asked.policy.policy} version {asked.policy.version}",
        asked.command,
        {
            AT_REST if name == OPERATION_COSTS else name: files_of(asked.lake, days, name)
            for name in (LEDGER, OPERATION_COSTS, OPERATIONS, PUBLISHED_OPERATIONS)
        },
        _disclosed(asked),
    )


def _disclosed(asked: Asked) -> Completeness | None:
    try:
        return asked.disclosed
    except (Refusal, OSError):
        return None  # the checkpoints that read it have failed by name


def _judged(name: str, asked: Asked) -> list[Verdict]:
    checkpoint = CHECKPOINTS[name]
    try:
        found = checkpoint.judge(asked)
    except (Refusal, OSError) as problem:
        text = one_line(problem)
        return [unanswered(name, checkpoint.title, asked.command, UNUSABLE, text)]
    if found:
        return found
    text = f"{NO_EVIDENCE}: no request is billed by any slice of these days"
    return [unanswered(name, checkpoint.title, asked.command, NO_EVIDENCE, text)]
