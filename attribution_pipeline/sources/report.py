"""What a landing run did, in numbers and in lines for a person.

Belongs here: the counts of each source and how they read. Does not: landing itself (``landing``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from attribution_pipeline.sources.attributes import Lacking, named
from attribution_pipeline.sources.awaiting import (
    HeldObject,
    Waiting,
    by_delivery,
    named_first,
    one_line,
)

NOTES_SHOWN = 10
"""Notes of one source that ``lines`` prints; the rest is counted."""

FILES_SHOWN = 3
"""Files with rejected records that ``lines`` names; the rest is counted."""


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
    again: int = 0
    """Landed objects that were read again, for span attributes that policies name by now."""
    again_for: set[str] = field(default_factory=set)
    """Names of these attributes."""
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
    held: list[HeldObject] = field(default_factory=list)
    """Those of ``awaiting``, each with why and what to do."""
    passed_over: list[HeldObject] = field(default_factory=list)
    """Files that nothing makes readable and that do not look like data, each with why."""
    deliveries: dict[str, str] = field(default_factory=dict)
    """Billing that is replaced: delivery -> its order, of what this run landed."""
    told: list[tuple[str, str]] = field(default_factory=list)
    """What stands although its file is gone, what landed and does not stand; and how to go on."""
    gone: dict[str, Lacking] = field(default_factory=dict)
    """Object id -> what is to be read again and does not lie in the source."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Records rejected, by reason, refused objects included."""
    rejected_in: list[str] = field(default_factory=list)
    """Paths of the objects that they are of."""
    rounding_moved: Decimal = Decimal(0)
    """Billing: what rounding to quanta moved, summed without sign."""
    day_from: date | None = None
    """First UTC day that newly landed rows touch."""
    day_to: date | None = None
    notes: list[str] = field(default_factory=list)
    """One line for each refused object."""

    def hold(self, held: HeldObject) -> None:
        """An object that is left for later."""
        self.awaiting[held.reason] += 1
        self.held.append(held)

    def pass_over(self, held: HeldObject) -> None:
        """A file that is left for good."""
        self.passed_over.append(held)

    def note(self, said: str, remedy: str) -> None:
        """Something to hear of that is no fault of a file."""
        self.told.append((f"{self.kind} {self.name}: {said}", remedy))

    def reject(self, path: str, rejected: Mapping[str, int]) -> None:
        """Records of an object that cannot be used, by reason."""
        self.rejected.update(rejected)
        if rejected:
            self.rejected_in.append(path)

    def read_again(self, names: Iterable[str]) -> None:
        """An object that was landed before, and is now landed for these attributes, too."""
        self.again += 1
        self.again_for.update(names)

    @property
    def waiting(self) -> list[Waiting]:
        """What was left for later, by delivery and reason."""
        return by_delivery(self.kind, self.name, self.held)

    def touch(self, first: date | None, last: date | None) -> None:
        """Widen the range of days."""
        if first is not None and last is not None:
            self.day_from = min(self.day_from or first, first)
            self.day_to = max(self.day_to or last, last)

    def lines(self) -> list[str]:
        """For the console: one line of counts, then what a person should know."""
        again = [f"{self.again} read again"] if self.again else []
        counts = [f"{self.new} new", *again, f"{self.known + self.same_content} known"]
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
        if self.again:
            found.append(f"  {objects_said(self.again)} read again for {named(self.again_for)}")
        if self.rejected:
            found.append(
                f"  rejected {self.rejected.total():,}: {_counts(self.rejected)}; in "
                f"{_named(self.rejected_in)} (attribution rejected lists them)"
            )
        if self.rounding_moved:
            found.append(f"  rounding moved {self.rounding_moved:f}")
        if self.skipped:
            found.append(f"  passed over: {_counts(self.skipped)}")
        reasons = dict.fromkeys((one.reason, one.detail) for one in self.passed_over)
        for reason, detail in reasons:
            of = [o.path for o in self.passed_over if (o.reason, o.detail) == (reason, detail)]
            found.append(f"  passed over: {reason} {len(of):,}: {named_first(of)}: {detail}")
        found += _first([one.line() for one in self.waiting]) + _first(self.notes)
        return found + [said for said, _ in self.told]


@dataclass
class LandingReport:
    """What a landing run did, by source in the order of the deployment file."""

    sources: list[SourceReport] = field(default_factory=list)

    @property
    def new(self) -> int:
        """Objects read and landed."""
        return sum(source.new for source in self.sources)

    @property
    def again(self) -> int:
        """Landed objects that were read again."""
        return sum(source.again for source in self.sources)

    @property
    def known(self) -> int:
        """Objects that held nothing new."""
        return sum(source.known + source.same_content for source in self.sources)

    @property
    def awaiting(self) -> int:
        """Objects left for later."""
        return sum(source.awaiting.total() for source in self.sources)

    @property
    def waiting(self) -> list[Waiting]:
        """What was left for later, by source, delivery and reason."""
        return [one for source in self.sources for one in source.waiting]

    @property
    def notes(self) -> list[str]:
        """What to hear of that is no alert, with how to go on, a line each."""
        told = [one for source in self.sources for one in source.told]
        return [f"{said}; {remedy}" if remedy else said for said, remedy in told]

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


def objects_said(count: int) -> str:
    """``1 object``, ``1,200 objects``."""
    return "1 object" if count == 1 else f"{count:,} objects"


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {n:,}" for reason, n in sorted(found.items()))


def _first(notes: list[str]) -> list[str]:
    shown = [f"  {note}" for note in notes[:NOTES_SHOWN]]
    more = len(notes) - len(shown)
    return [*shown, f"  and {more} more like these"] if more else shown


def _named(paths: list[str]) -> str:
    more = len(paths) - FILES_SHOWN
    shown = ", ".join(map(one_line, paths[:FILES_SHOWN]))
    return f"{shown} and {more:,} more" if more > 0 else shown
