"""Objects of spans that are to be read again and can't be: which of them are missed, and what is told.

Belongs here: holding what is gone from a source, or is of a source that the deployment file does not name,
against everything else that is landed, and remembering it. Does not: reading again (``attributes``,
``landing_run``), comparing rows (``lake.landed.alone``), who is told.

A file that grew, was written over by a longer one, or came again under another name or source is not
missed where others have each of its spans, alike, and were read for what it lacks: of two that say the
same, the one that says more stands (docs/decisions/0023). What was looked for in vain is kept, so that a
landing looks again only where something landed near its days since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from attribution_pipeline.sources.attributes import (
    ACCEPT,
    GONE,
    NOT_A_SOURCE,
    REMEDY,
    Lacking,
    Names,
    Wanted,
    lacking,
    named,
)
from attribution_pipeline.sources.awaiting import HeldObject, one_line
from attribution_pipeline.sources.report import SourceReport, objects_said

if TYPE_CHECKING:
    from attribution_pipeline.sources.evidence_store import EvidenceStore

WIDE_DAYS = 40
"""Spans of an object that touches more days are not looked for in others: one broken clock would have all
files of the lake read. It is told as gone."""

_Key = tuple[str, str]
"""Source, object id."""


@dataclass(frozen=True)
class Vain:
    """An object that was looked for and not found. ``names``: what days miss of it, sorted; ``alone``: its
    spans that no other object has, None where that was not looked at."""

    names: tuple[str, ...]
    alone: int | None


@dataclass(frozen=True)
class LookedFor:
    """What a landing looked for in vain. ``asked``: of ``Wanted``, what it was for; ``landing``: the newest
    then."""

    asked: str = ""
    landing: int = 0
    objects: Mapping[_Key, Vain] = field(default_factory=dict)

    def of(self, source: str) -> frozenset[str]:
        """Ids of one source."""
        return frozenset(one for name, one in self.objects if name == source)

    def as_document(self) -> dict[str, Any]:
        """As JSON takes it."""
        gone: dict[str, dict[str, Any]] = {}
        for (source, one), vain in sorted(self.objects.items()):
            said = {"names": list(vain.names), "alone": vain.alone}
            gone.setdefault(source, {})[one] = said
        return {"asked": self.asked, "landing": self.landing, "gone": gone}


def last_looked(landed: EvidenceStore) -> LookedFor:
    """What the last landing kept. Where the index was taken back since, that is of another history."""
    found = looked_for(landed.looked())
    return found if found.landing <= landed.head[0] else LookedFor()


def looked_for(said: Mapping[str, Any] | None) -> LookedFor:
    """What ``as_document`` gave. Anything else is as good as nothing: all is looked for again."""
    try:
        if said is None:
            return LookedFor()
        objects = {
            (source, one): Vain(tuple(vain["names"]), _count(vain["alone"]))
            for source, ids in said["gone"].items()
            for one, vain in ids.items()
        }
        return LookedFor(str(said["asked"]), int(said["landing"]), objects)
    except (KeyError, TypeError, ValueError, AttributeError):
        return LookedFor()


def _count(said: Any) -> int | None:
    return None if said is None else int(said)


def tell(
    landed: EvidenceStore,
    wanted: Wanted,
    reports: list[SourceReport],
    before: LookedFor,
) -> None:
    """After a landing of all sources: hold what is missed in the reports, a report more for each source
    that the deployment file does not name, and keep what was looked for in vain."""
    gone = {(one.name, i): what for one in reports for i, what in one.gone.items()}
    named_now = {one.name for one in reports if one.kind == "spans"}
    met = {record.source for record in landed.objects("spans")}
    for source in sorted(met - named_now):
        gone |= {(source, i): what for i, what in lacking(landed, source, wanted.names).items()}
    missed = cache(wanted.missed) if wanted.missed else None
    names = {key: _missed(what, missed) for key, what in gone.items()}
    found = {key: Vain(tuple(sorted(names[key])), None) for key in gone}
    asked = {key: what for key, what in gone.items() if names[key] and not what.unknown}
    standing = _standing(landed, asked, names, before)
    found |= standing
    to_look_at = {key: names[key] for key in asked if key not in standing}
    for key, alone in _alone(landed, gone, to_look_at).items():
        found[key] = Vain(found[key].names, alone)
    by_name = {one.name: one for one in reports if one.kind == "spans"}
    for source in sorted({source for source, _ in gone}):
        own = {i: what for (name, i), what in gone.items() if name == source and names[name, i]}
        vain = {i: found[source, i] for i in own}
        known = before.of(source)
        report = by_name.get(source) or SourceReport("spans", source)
        _tell_of_old(report, {i: one for i, one in own.items() if i not in known}, names)
        left = {i: one for i, one in own.items() if not one.unknown and vain[i].alone != 0}
        (_hold if source in by_name else _hold_nameless)(report, left, vain)
        if source not in by_name and (report.held or report.notes):
            reports.append(report)
    landed.keep_looked(LookedFor(wanted.asked, landed.head[0], found).as_document())


def _missed(what: Lacking, missed: Names | None) -> frozenset[str]:
    """What days miss of it, by the versions that govern them."""
    first, last = what.record.day_from, what.record.day_to
    if missed is None or first is None or last is None:
        return what.names
    return what.names & frozenset(missed(first, last))


def _standing(
    landed: EvidenceStore,
    asked: Mapping[_Key, Lacking],
    names: Mapping[_Key, frozenset[str]],
    before: LookedFor,
) -> dict[_Key, Vain]:
    """Of what was looked at before, that of which no span landed since."""
    found: dict[_Key, Vain] = {}
    near: dict[_Key, tuple[date, date]] = {}
    since = [record for record in landed.met_since(before.landing) if record.rows.get("spans")]
    days = {(one.day_from, one.day_to) for one in since if one.day_from and one.day_to}
    for key, what in asked.items():
        vain = before.objects.get(key)
        first, last = what.record.day_from, what.record.day_to
        if vain is None or vain.names != tuple(sorted(names[key])) or first is None or last is None:
            continue
        if vain.alone is not None and any(begin <= last and first <= end for begin, end in days):
            near[key] = (first, last)
        else:
            found[key] = vain
    new = _by_source((record.source, record.object_id) for record in since)
    for first, last, keys in _runs(near):
        shared = landed.objects_sharing(_by_source(keys), new, first, last)
        found |= {key: before.objects[key] for key in keys if key not in shared}
    return found


def _by_source(keys: Iterable[_Key]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for source, one in keys:
        found.setdefault(source, set()).add(one)
    return found


def _alone(
    landed: EvidenceStore, gone: Mapping[_Key, Lacking], names: Mapping[_Key, frozenset[str]]
) -> dict[_Key, int]:
    """Spans of each object that no other one has that was read for what it lacks. One pass over the
    landed days for each set of names, of which there are as many as policy versions at most."""
    found: dict[_Key, int] = {}
    sources = sorted({record.source for record in landed.objects("spans")}) if names else []
    read_for = {source: landed.attributes_read(source) for source in sources}
    for wanted in sorted(set(names.values()), key=sorted):
        ours = {key: gone[key].record for key, of in names.items() if of == wanted}
        days = {
            key: (record.day_from, record.day_to)
            for key, record in ours.items()
            if record.day_from and record.day_to
            and record.day_to - record.day_from < timedelta(days=WIDE_DAYS)
        }  # fmt: skip
        others: dict[str, Collection[str]] = {
            source: {
                one
                for one, read in ids.items()
                if read is not None and wanted <= read and (source, one) not in gone
            }
            for source, ids in read_for.items()
        }
        for first, last, keys in _runs(days):
            found |= landed.spans_alone(_by_source(keys), others, first, last)
    return found


def _runs(days: Mapping[_Key, tuple[date, date]]) -> list[tuple[date, date, list[_Key]]]:
    """The objects by ranges of days that do not touch each other."""
    found: list[tuple[date, date, list[_Key]]] = []
    for key, (first, last) in sorted(days.items(), key=lambda item: item[1]):
        if found and first <= found[-1][1]:
            begin, end, keys = found[-1]
            found[-1] = (begin, max(end, last), [*keys, key])
        else:
            found.append((first, last, [key]))
    return found


def _tell_of_old(
    report: SourceReport, gone: Mapping[str, Lacking], names: Mapping[_Key, frozenset[str]]
) -> None:
    """What a release landed that did not say what for, once: nobody knows whether it lacks anything."""
    taken = [(one, what) for one, what in gone.items() if what.unknown]
    if taken:
        of = named({name for one, _ in taken for name in names[report.name, one]})
        report.notes.append(
            f"{objects_said(len(taken))}, {one_line(taken[0][1].record.path)} first, landed before it was "
            f"kept what spans are read for, with no file any more: taken as read for {of}"
        )


def _hold(report: SourceReport, gone: Mapping[str, Lacking], vain: Mapping[str, Vain]) -> None:
    """Told by folder, as everything that waits."""
    folders: dict[str, dict[str, Lacking]] = {}
    for one, what in gone.items():
        folders.setdefault(what.record.path.rpartition("/")[0], {})[one] = what
    for folder, found in folders.items():
        spans, lack = _lacked(found, vain)
        of = "it" if len(found) == 1 else "them"
        have = f"1 span of {of} was" if spans == 1 else f"{spans:,} spans of {of} were"
        said = f"{have} landed without {lack}, and {'stands' if spans == 1 else 'stand'} so"
        for what in found.values():
            record = what.record
            report.hold(HeldObject(record.path, record.size, None, GONE, said, REMEDY, folder))


def _hold_nameless(
    report: SourceReport, gone: Mapping[str, Lacking], vain: Mapping[str, Vain]
) -> None:
    """Told as one: what to do is the same for all of them."""
    spans, lack = _lacked(gone, vain)
    have = "1 span of it lacks" if spans == 1 else f"{spans:,} spans of it lack"
    said = f"source {report.name} is not in the deployment file; {have} {lack}"
    remedy = (
        f"if it was renamed and its files still lie somewhere, give its entry under `sources.spans` the "
        f"name {report.name} again, with their folder, and land; {ACCEPT}"
    )
    for what in gone.values():
        record = what.record
        report.hold(
            HeldObject(record.path, record.size, None, NOT_A_SOURCE, said, remedy, report.name)
        )


def _lacked(gone: Mapping[str, Lacking], vain: Mapping[str, Vain]) -> tuple[int, str]:
    """How many spans lack something, and what."""
    spans = sum(
        what.record.rows.get("spans", 0) if (alone := vain[one].alone) is None else alone
        for one, what in gone.items()
    )
    return spans, named({name for one in gone for name in vain[one].names})
