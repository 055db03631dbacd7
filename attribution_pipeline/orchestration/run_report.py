"""What a run tells: landing, then every day, its checks, its changes and its tie-out.

Belongs here: the report's values and their lines. Does not: running (``run``), printing
(``commands.run``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class CheckOutcome:
    """One asset check of one day. ``description`` says what to do where it failed."""

    name: str
    passed: bool
    blocking: bool
    description: str


@dataclass(frozen=True)
class DayOutcome:
    """One day: ``recorded``, ``unchanged`` (the recorded state was this one already), ``failed``.

    ``tie_out``: one row per currency and cost, amounts as Decimal; see ``views.tie_out``.
    """

    day: date
    status: str
    checks: Sequence[CheckOutcome] = ()
    tie_out: Sequence[Mapping[str, Any]] = ()
    error: str = ""
    """Why it failed, on one line."""
    is_refusal: bool = False
    """An input is to be put right; else the error is a defect, and ``trace`` says where."""
    trace: str = ""
    revised: str = ""
    """What this run changed of rows that were on record: see ``day_changes.revised``."""
    notes: Sequence[str] = ()
    """Of a recorded day: which version it kept, what is held back. No failure of a check."""

    def lines(self) -> list[str]:
        """For the console: how the day went and, where rows on record changed, which."""
        return [self.line(), *([f"{self.day}  revised: {self.revised}"] if self.revised else [])]

    def line(self) -> str:
        """How the day went."""
        if self.error:
            return f"{self.day}  {self.status}: {self.error}"
        failed = [check.name for check in self.checks if not check.passed]
        checks = f"{len(self.checks) - len(failed)} of {len(self.checks)} checks passed"
        return f"{self.day}  {self.status}, {checks}" + (
            f"; see {', '.join(failed)}" if failed else ""
        )


@dataclass
class RunReport:
    """What a run did: landing as lines, then every day."""

    landing: list[str] = field(default_factory=list)
    awaiting: list[str] = field(default_factory=list)
    """What landing left although nobody writes it any more, a line each."""
    on_the_way: list[str] = field(default_factory=list)
    """What landing left and somebody may still be writing: no alert."""
    notes: list[str] = field(default_factory=list)
    """What landing says of files that are gone and of deliveries that do not stand: no alert."""
    days: list[DayOutcome] = field(default_factory=list)
    not_yet_due: list[Mapping[str, Any]] = field(default_factory=list)
    """What the bill says of days after the newest recorded one: grain as ``tie_out``."""
    budgets: list[str] = field(default_factory=list)
    """What the checks of reservations found, a line each."""

    @property
    def tie_out(self) -> list[Mapping[str, Any]]:
        """Rows of every recorded day and of what is not yet due, for ``views.tie_out.lines``."""
        days = [row for outcome in self.days for row in outcome.tie_out]
        return days and [*days, *self.not_yet_due]

    @property
    def failures(self) -> list[str]:
        """One line for each day that is not recorded and each blocking check that failed."""
        return [
            line
            for outcome in self.days
            for line in (
                [f"{outcome.day}: {outcome.error}"]
                if outcome.error
                else [
                    f"{outcome.day} {check.name}: {check.description}"
                    for check in outcome.checks
                    if check.blocking and not check.passed
                ]
            )
        ]

    @property
    def alerts(self) -> list[str]:
        """One line for evidence that was not read, for each alerting check that failed, where the day
        is exact and its evidence is not, for what a closed period keeps, and for budgets."""
        of_days = [
            line
            for outcome in self.days
            for line in (
                *outcome.notes,
                *(
                    f"{outcome.day} {check.name}: {check.description}"
                    for check in outcome.checks
                    if not check.blocking and not check.passed
                ),
            )
        ]
        return [*self.awaiting, *of_days, *self.budgets]
