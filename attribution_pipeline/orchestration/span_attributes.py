"""What landed spans are to be read for: names of policies, by the days that look for them.

Belongs here: the deployment's landing, and what it would read again. Does not: reading and landing
(``sources``), which version governs a day (``model.policy``), Dagster.

A day looks at spans that end near it (``attribution.operations.LOOKBACK_DAYS``). An object is asked for
the names of the versions in force on the days that look at it, from the deployment's first on, and no
others: files of long ago, which no day of a new version looks at, may be gone. A closed day that keeps an
older version is asked for by the one in force, which a forced run puts into effect; where a file of it
is gone nobody misses it before that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy, PolicyBook
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.sources.attributes import Names, Unread
    from attribution_pipeline.sources.report import LandingReport


def land(house: House) -> LandingReport:
    """Land what is new, and read again what policies name more of by now."""
    from attribution_pipeline.sources.attributes import Wanted
    from attribution_pipeline.sources.landing import land as land_sources

    book = house.policies
    keep = frozenset(book.attribute_aliases())
    names, missed = names_of_days(house, book), _around(house, _governing_names(house))
    wanted = Wanted(keep, names, missed, _asked(house))
    return land_sources(house.sources, house.landed, wanted=wanted)


def was_tried(house: House) -> bool:
    """Whether a landing read spans again for what policies name by now, or could not: what lacks names
    after that stays so until its file is back."""
    from attribution_pipeline.sources.looked_for import looked_for

    return looked_for(house.landed.looked()).asked == _asked(house)


def days_to_read(house: House, days: Collection[date]) -> set[date]:
    """Of these days, those that look for names that landed spans around them were not read for, as long
    as no landing has tried to read them."""
    from attribution_pipeline.attribution.operations import LOOKBACK_DAYS
    from attribution_pipeline.sources.attributes import lacking, span_sources

    names = names_of_days(house, house.policies)
    if names is None or not days or was_tried(house):
        return set()
    # asked each minute, of a year perhaps: objects are many, and the days that they touch are few
    lacks: dict[tuple[date, date], set[str]] = {}
    for source in span_sources(house.landed):
        for one in lacking(house.landed, source, names).values():
            first, last = one.record.day_from, one.record.day_to
            if first is not None and last is not None:
                lacks.setdefault((first, last), set()).update(one.names)
    around = timedelta(days=LOOKBACK_DAYS)
    found = set()
    for day in days:
        asked = house.policies.attributes_between(day, day)
        near = (of for (a, b), of in lacks.items() if a - around <= day <= b + around)
        if any(asked & of for of in near):
            found.add(day)
    return found


def _asked(house: House) -> str:
    """Digest of what ``names_of_days`` follows from."""
    from attribution_pipeline.lake.manifest import canonical

    said = {
        "first_day": house.deployment.first_day,
        "versions": [
            [policy.version, policy.effective_from, policy.join.attribute_names()]
            for policy in house.policies.versions
        ],
    }
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def names_of_days(house: House, book: PolicyBook) -> Names | None:
    """First and last day on which an object's spans end -> names that days look for in them. None where
    no version names any, so that nobody need ask object by object."""
    return _around(house, book.attributes_between) if book.attribute_aliases() else None


def unread_on_days(house: House, policy: Policy, first: date, last: date) -> Unread:
    """What days from first to last look for under one policy, in force or not, and landed spans were not
    read for."""
    from attribution_pipeline.sources.attributes import unread

    def asked(begin: date, end: date) -> frozenset[str]:
        touches = begin <= last and first <= end
        return frozenset(policy.join.attribute_names()) if touches else frozenset()

    return unread(house.landed, _around(house, asked))


def _governing_names(house: House) -> Callable[[date, date], frozenset[str]]:
    """Names of the versions that govern days: not those of one in force that a closed day does not
    follow. Asked of ranges of a version and of recorded days, never of each day of the calendar: one
    broken clock makes a range of a century."""
    book = house.policies
    kept_names = cache(lambda: _kept_names(house))

    def names(first: date, last: date) -> frozenset[str]:
        found: set[str] = set()
        kept = kept_names()
        for policy, begin, end in _ranges(book, first, last):
            apart = [day for day in kept if begin <= day <= end]
            for day in apart:
                found.update(kept[day])
            if len(apart) <= (end - begin).days:
                found.update(policy.join.attribute_names())
        return frozenset(found)

    return names


def _ranges(book: PolicyBook, first: date, last: date) -> Iterator[tuple[Policy, date, date]]:
    """Each version that is in force between two days, with its first and last day there."""
    until = last
    for policy in reversed(book.versions):
        begin = max(first, policy.effective_from)
        if begin <= until:
            yield policy, begin, until
            until = begin - timedelta(days=1)


def _kept_names(house: House) -> dict[date, frozenset[str]]:
    """Closed day that keeps an older version -> that version's names."""
    from attribution_pipeline.orchestration.digests import newest_states
    from attribution_pipeline.orchestration.governing import recorded_policy

    try:
        house.require_policy_history()
    except Refusal:  # a used version is not as it was: said when a day is run, and stops no landing
        return {}
    found: dict[date, frozenset[str]] = {}
    names: dict[str, frozenset[str]] = {}
    begins = house.policies.versions[0].effective_from
    for day, head in newest_states(house).items():
        if (
            day < begins
            or not head.settled
            or house.policies.in_force(day)[1] == head.policy_digest
        ):
            continue
        if head.policy_digest not in names:
            try:
                policy = recorded_policy(house, head)
            except Refusal:  # the lake's copy is damaged, likewise
                continue
            names[head.policy_digest] = frozenset(policy.join.attribute_names())
        found[day] = names[head.policy_digest]
    return found


def _around(house: House, names: Callable[[date, date], frozenset[str]]) -> Names:
    from attribution_pipeline.attribution.operations import LOOKBACK_DAYS

    around, begins = timedelta(days=LOOKBACK_DAYS), house.deployment.first_day

    def asked(first: date, last: date) -> frozenset[str]:
        first, last = max(first - around, begins), last + around
        return names(first, last) if first <= last else frozenset()

    return asked
