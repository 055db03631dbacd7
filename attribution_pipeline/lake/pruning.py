"""What of a lake may go: files of tables that only superseded states name, files that none does, and copies
of landed spans that were read again.

Belongs here: which files those are. Does not: removing them (``custody``), who asks.

What stays, whatever its age: all evidence of days, policies, every manifest, log entry and seal, and
everything landed as it stands. Of spans that were read again (docs/decisions/0023) the file that stood before
stays, too, while it was replaced less than ``keep`` ago, and while a state whose tables stay was recorded when
it stood, of a day that looks at it: replays under another policy derive calls from it. So every state can be told of for ever, and computed again. Of tables a day keeps the
files of

- its newest state, which readers see, and the state that this one followed: replay reads both;
- its first state and the first settled one, which ``attribution explain --late-since`` compares with, and
  the state that the settled one followed;
- every state that was superseded less than ``keep`` ago, and the one that it followed.

Of the others nothing is left to read: ``--as-of`` a time at which such a state stood, and replaying it,
are refused by name from then on. Totals of what each state was stay in its manifest, and what it
changed in ``ledger_revisions``, whose files every later state names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from attribution_pipeline.lake.adoption import DAY_FILE
from attribution_pipeline.lake.custody import Held, everything
from attribution_pipeline.lake.shapes import LEDGER, SIDE_TABLES
from attribution_pipeline.lake.soundness import files_named

if TYPE_CHECKING:
    from attribution_pipeline.lake.landed import LandedStore
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.lake.tables import Lake

TABLES = (LEDGER, *SIDE_TABLES)

LOOKED_AT = timedelta(days=1)
"""How far around a day the engine looks at landed spans: ``attribution.operations.LOOKBACK_DAYS``, which a
test holds this against."""

RUNS_TAKE = timedelta(days=7)
"""A file that nothing readable names may be one that a run under way has just placed, new or again,
and is about to commit. No run takes this long."""


READ_AGAIN = "read_again"
"""Reason of a landed file of spans in whose stead another one stands."""


@dataclass(frozen=True)
class Prunable:
    """One file that may go. ``why``: ``superseded``, ``orphan`` or ``read_again``."""

    held: Held
    why: str


@dataclass(frozen=True)
class Plan:
    """What may go, and what stays. ``states``: (day, state) of those that can be read no more."""

    files: Sequence[Prunable]
    states: Sequence[tuple[date, int]]
    kept_files: int
    kept_bytes: int

    def sums(self) -> dict[str, tuple[int, int]]:
        """Reason -> files and bytes."""
        found: dict[str, tuple[int, int]] = {}
        for one in self.files:
            count, size = found.get(one.why, (0, 0))
            found[one.why] = (count + 1, size + one.held.bytes)
        return found


def plan(lake: Lake, now: datetime, keep: timedelta) -> Plan:
    """What may go at ``now``. Reads every manifest; opens no other file, and changes nothing.

    Raises Refusal where a log or a manifest is damaged: then nothing may go.

    Listed first, then read: a run that comes back to old content places the old name again, and
    commits later. What it placed before the list is too young to go, what it placed after is another
    object by the time that it would go, and what it published before the states are read is kept.
    """
    listed = list(everything(lake.storage))
    # other engines read what the logs' heads name, committed to the ledger or not
    kept = lake.active_files()
    dropped: dict[tuple[date, int], set[str]] = {}
    recorded: list[tuple[date, int]] = []
    for day in lake.days():
        states = lake.states(day)
        standing = {state.state for state in states_kept(states, now, keep)}
        recorded += [(day, state.landed) for state in states if state.state in standing]
        for state in states:
            names = {stored.path for _, stored in files_named(lake.document(state))}
            if state.state in standing:
                kept |= names
            else:
                # evidence and policies of every state stay
                kept |= {name for name in names if not _of_a_table(name)}
                dropped[day, state.state] = {name for name in names if _of_a_table(name)}
    superseded = set().union(*dropped.values()) - kept if dropped else set()
    read_again = _copies(lake, recorded, now, keep)
    files: list[Prunable] = []
    kept_files = kept_bytes = 0
    for held in listed:
        if held.name in read_again and _is_old(held, now):
            files.append(Prunable(held, READ_AGAIN))
        elif _of_a_table(held.name) and held.name not in kept and _is_old(held, now):
            why = "superseded" if held.name in superseded else "orphan"
            files.append(Prunable(held, why))
        else:
            kept_files, kept_bytes = kept_files + 1, kept_bytes + held.bytes
    gone = {one.held.name for one in files}
    unreadable = [state for state, names in dropped.items() if names & gone]
    return Plan(
        sorted(files, key=lambda one: one.held.name), sorted(unreadable), kept_files, kept_bytes
    )


def named_by_newest(lake: Lake) -> set[str]:
    """Every file that the newest states and the heads of the tables' logs name now, and every landed one
    that stands."""
    named = lake.active_files()
    for day in lake.days():
        named |= {stored.path for _, stored in files_named(lake.manifest(day))}
    return named | _landed(lake).standing_paths()


def _landed(lake: Lake) -> LandedStore:
    from attribution_pipeline.lake.landed import LandedStore

    return LandedStore(lake.storage, store=lake.store)


def _copies(
    lake: Lake, recorded: Sequence[tuple[date, int]], now: datetime, keep: timedelta
) -> set[str]:
    """Landed files in whose stead others stand, and that nothing reads. ``recorded``: day and newest
    landing of each state that stays."""
    wanted: set[str] = set()
    replaced = _landed(lake).replaced()
    for one in replaced:
        first, last = one.file.day_from, one.file.day_to
        near = [
            landing
            for day, landing in recorded
            if first is None or last is None or first - LOOKED_AT <= day <= last + LOOKED_AT
        ]
        if now - one.replaced_at < max(keep, RUNS_TAKE) or any(one.since <= at < one.until for at in near):
            wanted.add(one.file.path)
    return {one.file.path for one in replaced} - wanted


def states_kept(states: Sequence[Published], now: datetime, keep: timedelta) -> Iterable[Published]:
    """Of one day's states, oldest first, those whose tables stay."""
    for place, state in enumerate(states):
        after = states[place + 1] if place + 1 < len(states) else None
        if place == 0 or _stays(states, place, now, keep) or (
            after is not None and _stays(states, place + 1, now, keep)
        ):  # fmt: skip
            yield state


def _stays(states: Sequence[Published], place: int, now: datetime, keep: timedelta) -> bool:
    """Whether a state stays by itself, with the one that it followed."""
    if place + 1 == len(states) or now - states[place + 1].published_at < keep:
        return True
    return states[place].settled and not any(state.settled for state in states[:place])


def _of_a_table(name: str) -> bool:
    table, _, inside = name.partition("/")
    return table in TABLES and DAY_FILE.fullmatch(inside) is not None


def _is_old(held: Held, now: datetime) -> bool:
    return now - held.changed_at > RUNS_TAKE
