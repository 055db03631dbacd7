"""Which recorded states two periods are compared in, and what was recorded after those.

Belongs here: days, states, the files of their manifests, each hashed. Does not: what rows say
(``reading``), the change (``parts``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.views.unbilled_tokens import (
    REMEDY,
    Model,
    models_named,
    models_of,
    without_billed_tokens,
)

if TYPE_CHECKING:
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.states import Published

SETTLED, RECORDED = "settled", "recorded"
"""Where late data begins: after a day's first state with a closed charge; after its first state."""
SINCE = (SETTLED, RECORDED)

Since = str | datetime

COMPARED = ("ledger", "operation_costs", "operations")
LATER_REVISIONS, STANDING_LEDGER = "later_revisions", "standing_ledger"
"""Changes of rows after the compared states, and the ledger as it stands after them."""
RECORDED_LEDGER, RULED_LEDGER = "recorded_ledger", "ruled_ledger"
"""Of days that were computed under the other period's version (``ruled``): as they are recorded, and
as that version has them."""

DAYS_NAMED = 5
"""Missing days that a note names; more are counted."""


@dataclass(frozen=True)
class Period:
    """A period's recorded days. ``files``: of ``COMPARED`` and of what came later, as paths."""

    first: date
    last: date
    files: Mapping[str, Sequence[str]]
    missing: Sequence[date] = ()
    versions: Sequence[tuple[str, int]] = ()
    """Policies that the compared states stand under."""
    changed_while_open: int = 0
    """Revisions that are inside the compared states."""
    states: Sequence[Published] = ()
    """The compared states, a recorded day each."""
    rule: tuple[str, int] | None = None
    """The version that its days are compared under, where ``ruled`` saw to that."""
    ruled: Sequence[date] = ()
    """Days that stand under another version and are compared under ``rule``."""
    mixed: str = ""
    """Why days under another version are compared as they stand."""
    held: Sequence[object] = ()
    """What ``files`` outside of the lake live as long as."""
    unbilled: Sequence[Model] = ()
    """Models of which some compared state does not know the billed tokens."""

    @property
    def name(self) -> str:
        """``2026-10-05``, or both ends with two dots."""
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"

    @property
    def days(self) -> int:
        """Calendar days."""
        return (self.last - self.first).days + 1


@dataclass
class _Files:
    paths: dict[str, list[str]] = field(
        default_factory=lambda: {name: [] for name in (*COMPARED, LATER_REVISIONS, STANDING_LEDGER)}
    )

    def add(self, lake: Lake, name: str, entries: Sequence[Mapping[str, Any]]) -> None:
        self.paths[name] += [str(lake.verified(lake.stored(entry))) for entry in entries]


def read_period(
    lake: Lake, first: date, last: date, *, as_of: datetime | None = None, since: Since = SETTLED
) -> Period:
    """The period's days as published by ``as_of``, those that are late data's put apart.

    Raises Refusal where no day of it is recorded, and where a file is not what was recorded.
    """
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    found = _Files()
    missing: list[date] = []
    versions: set[tuple[str, int]] = set()
    states: list[Published] = []
    unbilled: set[Model] = set()
    inside = 0
    for day in days:
        head = lake.head(day, as_of)
        if head is None:
            missing.append(day)
            continue
        compared = _compared(lake, head, since, as_of)
        document = lake.document(compared)
        versions.add((compared.policy, compared.policy_version))
        states.append(compared)
        coverage = document.get("output", {}).get("coverage", ())
        unbilled.update(models_of(without_billed_tokens(coverage)))
        for name in COMPARED:
            found.add(lake, name, document["files"].get(name, []))
        before = document["files"].get("ledger_revisions", [])
        inside += sum(entry["rows"] for entry in before)
        now = document if compared == head else lake.document(head)
        found.add(lake, STANDING_LEDGER, now["files"]["ledger"])
        known = {entry["path"] for entry in before}
        later = [e for e in now["files"].get("ledger_revisions", []) if e["path"] not in known]
        found.add(lake, LATER_REVISIONS, later)
    if len(missing) == len(days):
        raise _nothing(lake, first, last, as_of)
    return Period(
        first, last, found.paths, missing, sorted(versions), inside, states,
        unbilled=sorted(unbilled),
    )  # fmt: skip


def newest_state(lake: Lake, period: Period, as_of: datetime | None = None) -> Published:
    """The state of the period's newest recorded day."""
    states = [
        lake.head(day, as_of) for day in lake.days(as_of) if period.first <= day <= period.last
    ]
    found = [state for state in states if state is not None]
    return found[-1]  # read_period has refused a period without any


def notes(against: Period, now: Period) -> list[str]:
    """What a reader must know of the two periods before he believes a figure."""
    found = []
    for period in (against, now):
        if period.missing:
            named = ", ".join(day.isoformat() for day in period.missing[:DAYS_NAMED])
            more = ", ..." if len(period.missing) > DAYS_NAMED else ""
            found.append(
                f"not recorded, so not in this: {len(period.missing)} of {period.days} days of "
                f"{period.name} ({named}{more})"
            )
    if against.days != now.days:
        found.append(
            f"{now.name} has {now.days} days and {against.name} has {against.days}: more days are "
            "more requests"
        )
    if unbilled := {*against.unbilled, *now.unbilled}:
        where = " and in ".join(period.name for period in (against, now) if period.unbilled)
        found.append(
            f"no billed tokens of {models_named(unbilled)} are known in {where}: all of the cost is on the "
            f"calls that were seen, so a call that was not delivered reads as price. {REMEDY}"
        )
    if len({*against.versions, *now.versions}) > 1:
        found.append(_rules(against, now))
    inside = against.changed_while_open + now.changed_while_open
    if inside:
        found.append(
            f"{inside:,} changes of rows were recorded while their day was still open and are inside "
            "the parts; --late-since recorded puts them apart"
        )
    return found


def _rules(against: Period, now: Period) -> str:
    """Which versions the periods stand under, and where what the rule moved is found."""
    stand = f"{against.name} stands under {_said(against)} and {now.name} under {_said(now)}: "
    if now.rule is not None:
        days = len(against.ruled) + len(now.ruled)
        return (
            f"{stand}{days} {'day was' if days == 1 else 'days were'} computed under version "
            f"{now.rule[1]}, too, so that every other part and request is of one rule; what the rule "
            "itself moved is policy change"
        )
    why = f" ({now.mixed})" if now.mixed else ""
    return f"{stand}what the rule itself moves is inside the parts{why}; attribution policy diff tells it apart"


def _said(period: Period) -> str:
    return ", ".join(f"{policy} version {version}" for policy, version in period.versions)


def _compared(
    lake: Lake, head: Published, since: Since, as_of: datetime | None
) -> Published:  # fmt: skip
    """The state of a day that is compared: what came after it is late. A day that was never closed,
    or not yet recorded at the time that is named, is compared as it stands."""
    states = [
        state for state in lake.states(head.day)
        if as_of is None or state.published_at <= as_of
    ]  # fmt: skip
    if since == RECORDED:
        return states[0]
    if since == SETTLED:
        return next((state for state in states if state.settled), head)
    assert isinstance(since, datetime)
    known = [state for state in states if state.published_at <= since]
    return known[-1] if known else head


def _nothing(lake: Lake, first: date, last: date, as_of: datetime | None) -> Refusal:
    days = lake.days(as_of)
    known = f"recorded are {days[0]} to {days[-1]}" if days else "nothing is recorded yet"
    then = f" by {as_of.isoformat(timespec='seconds')}" if as_of is not None else ""
    return Refusal(
        f"no day from {first} to {last} was recorded{then} ({known})",
        where=str(lake.storage),
        remedy="name days that are, or run them first: attribution run --from DAY --to DAY",
    )
