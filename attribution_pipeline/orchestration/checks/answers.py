"""A recorded day as the checks see it, what a check answers, and the answer as Dagster takes it.

Belongs here: these two types and their one translation. Does not: any question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import dagster as dg

    from attribution_pipeline.attribution.day import Finding
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House


@dataclass(frozen=True)
class Answer:
    """``description`` says what was found, and where it failed what to do next."""

    passed: bool
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def result(
    answer: Answer, asset: str | None = None, name: str | None = None, *, blocking: bool = False
) -> dg.AssetCheckResult:
    """The answer of check ``name`` on ``asset``; of the step's own check where neither is named. A
    ``blocking`` one that fails is an error, another a warning."""
    import dagster as dg

    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=answer.passed,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        description=answer.description,
        metadata=dict(answer.metadata),
    )


def ask(question: Callable[[RecordedDay], Answer], recorded: RecordedDay) -> Answer:
    """The answer; evidence or a log that can't be used is one that fails, and names the file."""
    try:
        return question(recorded)
    except Refusal as refusal:
        return Answer(False, refusal.line())


@dataclass(frozen=True)
class RecordedDay:
    """One committed day. Every file is hashed before it is opened: a changed one is a Refusal."""

    house: House
    day: date

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest that the ledger's commit names."""
        return self.house.lake.manifest(self.day)

    @cached_property
    def policy(self) -> Policy:
        """The policy version that the day was recorded under, from the lake's own copy."""
        return self.house.lake.policies.load(self.manifest["policy"]["file"])

    @cached_property
    def charges(self) -> list[str]:
        """Files of the day's charges, as the ledger was computed from them."""
        paths = self.house.lake.evidence.paths(self.manifest["inputs"]["billing"])["charges"]
        return [str(path) for path in paths]

    def files(self, table: str) -> list[str]:
        """A table's committed files of the day."""
        return [str(path) for _, path in self.house.lake.file_paths(table, self.day, self.day)]

    @cached_property
    def breaches(self) -> list[Finding]:
        """Breaches of the ledger's invariants among the committed files."""
        from attribution_pipeline.attribution.invariants import breaches_of_files

        with self.house.lake.staging(self.day) as scratch:
            return breaches_of_files(
                charges=self.charges,
                ledger=self.files("ledger"),
                operation_costs=self.files("operation_costs"),
                operations=self.files("operations"),
                variances=self.files("variances"),
                compute=self.house.compute(scratch),
            )
