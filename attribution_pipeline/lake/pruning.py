"""What of a lake may go: files of tables that only superseded states name, files that none does, and
copies of landed spans that were read again.

Belongs here: which files those are. Does not: removing them (``custody``), who asks.

What stays, whatever its age: all evidence of days, policies, every manifest, log entry and seal, and
everything landed as it stands. Of spans that were read again (docs/decisions/0023) the file that stood
before stays, too, while it was replaced less than ``keep`` ago, or while a state whose tables stay is of a
day near its own and stood, or was computed, when the file stood: replays under another policy derive calls
from it, and ``attribution outcomes --as-of`` a time looks for ids in what was landed by then. So every
state can be told of for ever, and computed again.

Of tables a day keeps the files of

- its newest state, which readers see, and the state that this one followed: replay reads both;
- its first state and the first settled one, which ``attribution explain --late-since`` compares with,
  and the state that the settled one followed;
- every state that was superseded less than ``keep`` ago, and the one that it followed.

Of the others nothing is left to read: ``--as-of`` a time at which such a state stood, and replaying it,
are refused by name from then on. Totals of what each state was stay in its manifest, and what it
changed in ``ledger_revisions``, whose files every later state names.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from attribution_pipeline.lake.adoption import DAY_FILE
from attribution_pipeline.lake.custody import Held, everything
from attribution_pipeline.lake.shapes import LEDGER, SIDE_TABLES
from attribution_pipeline.lake.soundness import files_named

if TYPE_CHECKING:
    from attribution_pipeline.lake.landed import LandedStore
    from attribution_pipeline.lake.landed.replaced import Replaced
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.lake.tables import Lake

TABLES = (LEDGER, *SIDE_TABLES)

LOOKED_AT = timedelta(days=8)
"""How far around the day of a state landed spans are read with it. The engine looks a day around
(``attribution.operations.LOOKBACK_DAYS``). Outcomes of a day are looked for among the states and the
spans from 7 days before it to 1 after (``views.outcomes.LOOKBACK_DAYS``), so the same question reads a
state and spans that are 8 days apart. A test holds this against both."""

RUNS_TAKE = timedelta(days=7)
"""A file that nothing readable names may be one that a run under way has just placed, new or again,
and is about to commit. No run takes this long."""

FOR_EVER = datetime.max.replace(tzinfo=UTC)

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
    readable: list[_Readable] = []
    for day in lake.days():
        states = lake.states(day)
        found = list(_with_ends(states, now, keep))
        readable += found
        standing = {one.state.state for one in found}
        for state in states:
            names = {stored.path for _, stored in files_named(lake.document(state))}
            if state.state in standing:
                kept |= names
            else:
                # evidence and policies of every state stay
                kept |= {name for name in names if not _of_a_table(name)}
                dropped[day, state.state] = {name for name in names if _of_a_table(name)}
    superseded = set().union(*dropped.values()) - kept if dropped else set()
    read_again = _unread(_landed(lake), readable, now - max(keep, RUNS_TAKE))
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


def read_by_nobody(lake: Lake, landed: LandedStore) -> set[str]:
    """Landed files in whose stead others stand and that no state reads which is readable for ever, however
    short ago: where they are missing, a bucket's own tools may have removed them, without a receipt."""
    readable = [
        one for day in lake.days() for one in _with_ends(lake.states(day), FOR_EVER, timedelta(0))
    ]
    return _unread(landed, readable, FOR_EVER)


@dataclass(frozen=True)
class _Readable:
    """A state whose tables stay. ``until``: when the next one of its day was published; None: it stands."""

    state: Published
    until: datetime | None


def _with_ends(states: Sequence[Published], now: datetime, keep: timedelta) -> Iterator[_Readable]:
    until = {one.state: after.published_at for one, after in pairwise(states)}
    for state in states_kept(states, now, keep):
        yield _Readable(state, until.get(state.state))


def _unread(landed: LandedStore, readable: Iterable[_Readable], before: datetime) -> set[str]:
    """Landed files in whose stead others stand since before then, and that no readable state reads."""
    times = landed.times()
    asked: dict[date, list[tuple[int, int]]] = {}
    for one in readable:
        # `--as-of` a time while it stood reads whatever was landed by then, replay what it was computed from
        first = one.state.landed
        last = bisect_right(times, one.until) if one.until else len(times)
        asked.setdefault(one.state.day, []).append((first, max(first, last)))
    replaced = landed.replaced()
    wanted = {
        one.file.path for one in replaced if one.replaced_at > before or _is_asked_for(one, asked)
    }
    return {one.file.path for one in replaced} - wanted


def _is_asked_for(one: Replaced, asked: Mapping[date, Sequence[tuple[int, int]]]) -> bool:
    """Whether it stood at a landing that is asked for, of a day near one of its own."""
    begin, end = one.file.day_from, one.file.day_to
    near: Iterable[date] = asked
    if begin is not None and end is not None:
        begin, many = begin - LOOKED_AT, (end - begin + 2 * LOOKED_AT).days + 1
        near = (begin + timedelta(days=offset) for offset in range(many))
    return any(
        one.since <= last and first < one.until
        for day in near
        for first, last in asked.get(day, ())
    )


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
