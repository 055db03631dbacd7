"""Objects of spans that are to be read again and can't be: which of them are missed, and what is told.

Belongs here: finding what is gone from a source, or is of a source that the deployment file does not name,
holding it against everything else that is landed, and telling it. Does not: reading again (``attributes``,
``landing_run``), comparing rows (``lake.landed.alone``), remembering it (``looked_for``), who is told.

A file that grew, was written over by a longer one, or came again under another name or source is not
missed where others have each of its spans, alike, and were read for what it lacks: of two that say the
same, the one that says more stands (docs/decisions/0023). A landing looks again only where something landed
near an object's days since. A landed file that is damaged stops no landing: what is not known for it is
said to be so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.attributes import (
    ACCEPT,
    GONE,
    NOT_A_SOURCE,
    READ_BEFORE,
    REMEDY,
    Lacking,
    Wanted,
    lacking,
    named,
    span_sources,
)
from attribution_pipeline.sources.awaiting import HeldObject, Waiting, one_line
from attribution_pipeline.sources.evidence_store import EvidenceStore
from attribution_pipeline.sources.looked_for import Alone, Key, LookedFor, NotCompared, NotFound
from attribution_pipeline.sources.report import SourceReport, objects_said

WIDE_DAYS = 40
"""Spans of an object that touches more days are not looked for in others: one broken clock would have all
files of the lake read. It is told as gone."""

ACCEPTED = "accepted by `tolerance.not_read_again`"
"""What is left to do about files that stand as they were read, where so many may."""


@dataclass
class Gone:
    """An object that is to be read again and lies in no source."""

    source: str
    lacking: Lacking
    first: date
    last: date
    names: frozenset[str]
    """What days miss of it, by the versions that govern them."""
    alone: Alone = NotCompared.NOT_MISSED
    damage: str = ""
    """The line that names the file, where ``alone`` is not known for its damage."""

    @property
    def key(self) -> Key:
        """Source and object id."""
        return self.source, self.lacking.record.object_id

    @property
    def days(self) -> list[date]:
        """On which its spans end."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @property
    def lacks(self) -> int:
        """Its spans that lack something: all, where nobody looked whether others have them."""
        if isinstance(self.alone, NotCompared):
            return self.lacking.record.rows.get("spans", 0)
        return self.alone


def tell(
    landed: EvidenceStore, wanted: Wanted, reports: list[SourceReport], before: LookedFor
) -> None:
    """After a landing of all sources: hold what is missed in the reports, a report more for each source
    that the deployment file does not name, and keep what was not found."""
    gone = _find(landed, wanted, reports)
    _judge(landed, gone, before)
    _tell(gone, reports, before)
    objects = {one.key: NotFound(tuple(sorted(one.names)), one.alone) for one in gone}
    landed.keep_looked(LookedFor(wanted.asked, landed.head[0], objects).as_document())


def with_accepted(waiting: Sequence[Waiting], limit: int) -> list[Waiting]:
    """What waits, with nothing left to do about what was read before where ``tolerance.not_read_again``
    accepts so many of them."""
    if sum(one.objects for one in waiting if one.reason in READ_BEFORE) > limit:
        return list(waiting)
    return [replace(one, remedy=ACCEPTED) if one.reason in READ_BEFORE else one for one in waiting]


# -- find ---------------------------------------------------------------------------------------------


def _find(landed: EvidenceStore, wanted: Wanted, reports: Iterable[SourceReport]) -> list[Gone]:
    """What lies in the sources no more, and all that is lacking of sources that are named no more."""
    spans = [one for one in reports if one.kind == "spans"]
    found = {one.name: one.gone for one in spans}
    for source in span_sources(landed):
        if source not in found:
            found[source] = lacking(landed, source, wanted.names)
    missed = cache(wanted.missed) if wanted.missed else None
    gone = []
    for source, objects in sorted(found.items()):
        for what in objects.values():
            first, last = what.record.day_from, what.record.day_to
            if first is not None and last is not None:  # nothing is lacking of an object of no day
                names = what.names & frozenset(missed(first, last)) if missed else what.names
                gone.append(Gone(source, what, first, last, names))
    return gone


# -- judge --------------------------------------------------------------------------------------------


def _judge(landed: EvidenceStore, gone: Collection[Gone], before: LookedFor) -> None:
    """Set what each object has alone, or why that is not known."""
    asked = []
    for one in gone:
        if not one.names:
            one.alone = NotCompared.NOT_MISSED
        elif one.lacking.unknown:
            one.alone = NotCompared.TAKEN_AS_READ
        elif one.last - one.first >= timedelta(days=WIDE_DAYS):
            one.alone = NotCompared.TOO_WIDE
        else:
            asked.append(one)
    still = _still_true(landed, asked, before)
    for one in asked:
        if one.key in still:
            one.alone = still[one.key]
    _compare(landed, [one for one in asked if one.key not in still], {one.key for one in gone})


def _still_true(landed: EvidenceStore, asked: Iterable[Gone], before: LookedFor) -> dict[Key, int]:
    """Of what was compared before, that of which no span landed since. Where others have all of an
    object, more of them take nothing of that back."""
    found: dict[Key, int] = {}
    again: list[Gone] = []
    for one in asked:
        known = before.objects.get(one.key)
        if known and known.names == tuple(sorted(one.names)) and isinstance(known.alone, int):
            found[one.key] = known.alone
            if known.alone:
                again.append(one)
    since = [record for record in landed.met_since(before.landing) if record.rows.get("spans")]
    new = _by_source((record.source, record.object_id) for record in since)
    days = {(one.day_from, one.day_to) for one in since if one.day_from and one.day_to}
    for day, of in _by_day(again):
        of = [one for one in of if one.key in found]
        if not of or not any(first <= day <= last for first, last in days):
            continue
        try:
            shared = landed.objects_sharing(_by_source(one.key for one in of), new, day)
        except Refusal:  # said where they are compared
            shared = {one.key for one in of}
        for key in shared:
            del found[key]
    return found


def _compare(landed: EvidenceStore, asked: Collection[Gone], gone: Collection[Key]) -> None:
    """Count the spans of each object that no other one has that was read for what it lacks. One pass over
    the landed days for each set of names, of which there are as many as policy versions at most."""
    if not asked:
        return
    read_for = {source: landed.attributes_read(source) for source in span_sources(landed)}
    for names in sorted({one.names for one in asked}, key=sorted):
        ours = [one for one in asked if one.names == names]
        others = {
            source: {
                one
                for one, read in objects.items()
                if read is not None and names <= read and (source, one) not in gone
            }
            for source, objects in read_for.items()
        }
        for one in ours:
            one.alone = 0
        for day, of in _by_day(ours):
            try:
                counts = landed.spans_alone(_by_source(one.key for one in of), others, day)
            except Refusal as no:  # a damaged file stops the days that need it, and no landing
                for one in of:
                    one.alone, one.damage = NotCompared.DAMAGED, no.line()
                continue
            for one in of:
                if isinstance(one.alone, int):
                    one.alone += counts[one.key]


def _by_source(keys: Iterable[Key]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for source, one in keys:
        found.setdefault(source, set()).add(one)
    return found


def _by_day(gone: Iterable[Gone]) -> list[tuple[date, list[Gone]]]:
    """Each day with the objects whose spans may end on it."""
    found: dict[date, list[Gone]] = {}
    for one in gone:
        for day in one.days:
            found.setdefault(day, []).append(one)
    return sorted(found.items(), key=lambda item: item[0])


# -- tell ---------------------------------------------------------------------------------------------


def _tell(gone: Iterable[Gone], reports: list[SourceReport], before: LookedFor) -> None:
    by_name = {one.name: one for one in reports if one.kind == "spans"}
    by_source: dict[str, list[Gone]] = {}
    for one in gone:
        if one.alone is not NotCompared.NOT_MISSED:
            by_source.setdefault(one.source, []).append(one)
    for source, missed in by_source.items():
        report = by_name.get(source) or SourceReport("spans", source)
        known = before.of(source)
        taken = [one for one in missed if one.alone is NotCompared.TAKEN_AS_READ]
        _tell_of_old(report, [one for one in taken if one.key[1] not in known])
        _tell_of_damage(report, [one for one in missed if one.alone is NotCompared.DAMAGED])
        left = [one for one in missed if one.alone not in (0, NotCompared.TAKEN_AS_READ)]
        (_hold if source in by_name else _hold_nameless)(report, left)
        if source not in by_name and (report.held or report.notes or report.told):
            reports.append(report)


def _tell_of_old(report: SourceReport, taken: Sequence[Gone]) -> None:
    """What a release landed that did not say what for, once: nobody knows whether it lacks anything."""
    if taken:
        of = named({name for one in taken for name in one.names})
        report.notes.append(
            f"{objects_said(len(taken))}, {one_line(taken[0].lacking.record.path)} first, landed before it "
            f"was kept what spans are read for, with no file any more: taken as read for {of}"
        )


def _tell_of_damage(report: SourceReport, gone: Sequence[Gone]) -> None:
    """What could not be compared, with the file to restore: the first of several is named."""
    lines = list(dict.fromkeys(one.damage for one in gone))
    if lines:
        more = f"; {len(lines) - 1:,} more are damaged" if len(lines) > 1 else ""
        said = f"not known whether others have the spans of {objects_said(len(gone))} that are gone"
        report.note(f"{said}: {lines[0]}{more}", "")


def _hold(report: SourceReport, gone: Iterable[Gone]) -> None:
    """Told by folder, as everything that waits."""
    folders: dict[str, list[Gone]] = {}
    for one in gone:
        folders.setdefault(one.lacking.record.path.rpartition("/")[0], []).append(one)
    for folder, found in folders.items():
        spans, lack = _lacked(found)
        of = "it" if len(found) == 1 else "them"
        have = f"1 span of {of} was" if spans == 1 else f"{spans:,} spans of {of} were"
        said = f"{have} landed without {lack}, and {'stands' if spans == 1 else 'stand'} so"
        _hold_each(report, found, GONE, said, REMEDY, folder)


def _hold_nameless(report: SourceReport, gone: Sequence[Gone]) -> None:
    """Told as one: what to do is the same for all of them."""
    spans, lack = _lacked(gone)
    have = "1 span of it lacks" if spans == 1 else f"{spans:,} spans of it lack"
    said = f"source {report.name} is not in the deployment file; {have} {lack}"
    remedy = (
        f"if it was renamed and its files still lie somewhere, give its entry under `sources.spans` the "
        f"name {report.name} again, with their folder, and land; {ACCEPT}"
    )
    _hold_each(report, gone, NOT_A_SOURCE, said, remedy, report.name)


def _hold_each(
    report: SourceReport, gone: Iterable[Gone], reason: str, said: str, remedy: str, delivery: str
) -> None:
    for one in gone:
        record = one.lacking.record
        report.hold(HeldObject(record.path, record.size, None, reason, said, remedy, delivery))


def _lacked(gone: Collection[Gone]) -> tuple[int, str]:
    """How many spans lack something, and what."""
    return sum(one.lacks for one in gone), named({name for one in gone for name in one.names})
