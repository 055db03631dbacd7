"""What a landing run did, in numbers and in lines for a person.

Belongs here: the counts of each source and how they read. Does not: landing itself (``landing``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

NOTES_SHOWN = 10
"""Notes of one source that ``lines`` prints; the rest is counted."""


@dataclass(frozen=True)
class LandingProgress:
    """Where a run stands, after each object."""

    kind: str
    name: str
    done: int
    total: int
    rows: int


@dataclass
class SourceReport:
    """One source's part in a landing run."""

    kind: str
    name: str
    new: int = 0
    """Objects read and landed."""
    known: int = 0
    """Objects unchanged since they were landed."""
    same_content: int = 0
    """Objects new by path or time, but not by content: recorded, not read again."""
    refused: int = 0
    """Objects that cannot be used as a whole; each is one rejected record at position 0."""
    awaiting: Counter[str] = field(default_factory=Counter)
    """Objects left for later, by reason: half-written, without manifest, changing, out of reach."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Names in the listing that are no objects, by reason."""
    rows: Counter[str] = field(default_factory=Counter)
    """Rows landed, by table."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Records rejected, by reason, refused objects included."""
    rounding_moved: Decimal = Decimal(0)
    """Billing: what rounding to quanta moved, summed without sign."""
    day_from: date | None = None
    """First UTC day that newly landed rows touch."""
    day_to: date | None = None
    notes: list[str] = field(default_factory=list)
    """One line for each refused object and each delivery that is held back."""

    def touch(self, first: date | None, last: date | None) -> None:
        """Widen the range of days."""
        if first is not None and last is not None:
            self.day_from = min(self.day_from or first, first)
            self.day_to = max(self.day_to or last, last)

    def lines(self) -> list[str]:
        """For the console: one line of counts, then what a person should know."""
        counts = [f"{self.new} new", f"{self.known + self.same_content} known"]
        waiting = self.awaiting.total()
        if waiting:
            counts.append(f"{waiting} awaiting ({_counts(self.awaiting)})")
        if self.refused:
            counts.append(f"{self.refused} refused")
        line = f"{self.kind} {self.name}: objects {', '.join(counts)}"
        if self.rows:
            line += "; rows " + ", ".join(
                f"{table} {n:,}" for table, n in sorted(self.rows.items())
            )
        if self.day_from is not None and self.day_to is not None:
            days = {self.day_from.isoformat(): None, self.day_to.isoformat(): None}
            line += f"; days {' to '.join(days)}"
        found = [line]
        if self.rejected:
            found.append(f"  rejected {self.rejected.total():,}: {_counts(self.rejected)}")
        if self.rounding_moved:
            found.append(f"  rounding moved {self.rounding_moved:f}")
        if self.skipped:
            found.append(f"  passed over: {_counts(self.skipped)}")
        found += [f"  {note}" for note in self.notes[:NOTES_SHOWN]]
        if len(self.notes) > NOTES_SHOWN:
            found.append(f"  and {len(self.notes) - NOTES_SHOWN} more like these")
        return found


@dataclass
class LandingReport:
    """What a landing run did, by source in the order of the deployment file."""

    sources: list[SourceReport] = field(default_factory=list)

    @property
    def new(self) -> int:
        """Objects read and landed."""
        return sum(source.new for source in self.sources)

    @property
    def known(self) -> int:
        """Objects that held nothing new."""
        return sum(source.known + source.same_content for source in self.sources)

    @property
    def awaiting(self) -> int:
        """Objects left for later."""
        return sum(source.awaiting.total() for source in self.sources)

    @property
    def refused(self) -> int:
        """Objects that cannot be used as a whole."""
        return sum(source.refused for source in self.sources)

    @property
    def rows(self) -> dict[str, int]:
        """Rows landed, by table."""
        return _sum(source.rows for source in self.sources)

    @property
    def rejected(self) -> dict[str, int]:
        """Records rejected, by reason."""
        return _sum(source.rejected for source in self.sources)

    @property
    def rounding_moved(self) -> Decimal:
        """What rounding to quanta moved, summed without sign."""
        return sum((source.rounding_moved for source in self.sources), Decimal(0))

    def lines(self) -> list[str]:
        """For the console."""
        return [line for source in self.sources for line in source.lines()]


def _sum(counters: Iterable[Counter[str]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return dict(sorted(total.items()))


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {n:,}" for reason, n in sorted(found.items()))
