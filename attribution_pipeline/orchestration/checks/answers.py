"""A recorded day as the checks see it, and what a check answers.

Belongs here: these two types. Does not: any question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Finding
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House


@dataclass(frozen=True)
class Answer:
    """``description`` says what was found, and where it failed what to do next."""

    passed: bool
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


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
        """The policy version that the day was recorded under, as it is published now."""
        return self.house.policies.version(self.manifest["policy"]["version"])

    @cached_property
    def charges(self) -> Path:
        """The day's charges, as the ledger was computed from them."""
        return self.house.lake.evidence.paths(self.manifest["inputs"]["billing"])["charges"]

    def file(self, table: str) -> Path:
        """A table's committed file of the day."""
        ((_, path),) = self.house.lake.file_paths(table, self.day, self.day)
        return path

    @cached_property
    def breaches(self) -> list[Finding]:
        """Breaches of the ledger's invariants among the committed files."""
        from attribution_pipeline.attribution.invariants import breaches_of_files

        with self.house.lake.staging(self.day) as scratch:
            return breaches_of_files(
                charges=[str(self.charges)],
                ledger=[str(self.file("ledger"))],
                operation_costs=[str(self.file("operation_costs"))],
                compute=self.house.compute(scratch),
            )
