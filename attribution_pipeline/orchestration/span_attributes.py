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

from collections.abc import Callable
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
    wanted = Wanted(keep, names_of_days(house, book), _around(house, _governing_names(house)))
    return land_sources(house.sources, house.landed, wanted=wanted)


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
    follow."""
    from attribution_pipeline.orchestration.governing import governing

    @cache
    def of_day(day: date) -> frozenset[str]:
        if day < house.policies.versions[0].effective_from:
            return frozenset()
        try:
            return frozenset(governing(house, day).policy.join.attribute_names())
        except (
            Refusal
        ):  # a used version is not as it was: said when a day is run, and stops no landing
            return house.policies.attributes_between(day, day)

    def names(first: date, last: date) -> frozenset[str]:
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return frozenset().union(*map(of_day, days))

    return names


def _around(house: House, names: Callable[[date, date], frozenset[str]]) -> Names:
    from attribution_pipeline.attribution.operations import LOOKBACK_DAYS

    around, begins = timedelta(days=LOOKBACK_DAYS), house.deployment.first_day

    def asked(first: date, last: date) -> frozenset[str]:
        first, last = max(first - around, begins), last + around
        return names(first, last) if first <= last else frozenset()

    return asked
