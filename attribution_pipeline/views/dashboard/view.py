"""What a page gets and gives, and the frame around all of them.

Belongs here: the request as pages see it, the page as the server writes it. Does not: any one page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import quote

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline.views.dashboard.place import LEVELS, NARROWING, Place, word
from attribution_pipeline.views.dashboard.sheets import NOBODY, Sheet

LEDGER_ASSET = "attribution_ledger"


class NotThere(Refusal):
    """What a URL names and nobody recorded: 404. Any other refusal is of what is recorded: 500."""


METRICS = {"effective_cost": "effective cost", "billed_cost": "billed cost"}


@dataclass(frozen=True)
class View:
    """A request: the books, the completed place, and what else the URL says."""

    books: Books
    place: Place
    page: str
    query: Mapping[str, str] = field(default_factory=dict)
    dagster: str | None = None
    patience_s: float | None = None
    """How long a page with a slow part takes before it goes without it; None: this is waited for."""
    began: float = field(default_factory=time.monotonic)

    @property
    def metric(self) -> str:
        """The cost column that is shown."""
        return self.books.metric_of(*self.span) if self.place.month else self.books.metric

    @property
    def left_s(self) -> float | None:
        """What the rest of the page has left of the patience. The slow part is asked for last: beside the
        rest it would take the machine from what is shown first."""
        if self.patience_s is None:
            return None
        return max(0.0, self.patience_s - (time.monotonic() - self.began))

    @property
    def days(self) -> list[date]:
        """Recorded days of the place."""
        return [d for d in self.books.days() if self.place.first <= d <= self.place.last]

    @property
    def span(self) -> tuple[date, date]:
        """First and last day of the place."""
        return self.place.first, self.place.last

    def integer(self, name: str) -> int | None:
        """A whole number of the query string; None where it is none."""
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


@dataclass(frozen=True)
class Page:
    """``sheets`` may be exported by their name."""

    template: str
    title: str
    sheets: Sequence[Sheet] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    lead: str = ""

    @property
    def by_name(self) -> dict[str, Sheet]:
        """Sheets by their name."""
        return {one.name: one for one in self.sheets}


@dataclass(frozen=True)
class Crumb:
    """A step of the path. ``is_last``: where the reader stands."""

    kind: str
    name: str
    href: str
    is_last: bool = False
    is_null: bool = False
    drop: str | None = None


def crumbs(place: Place, tips: Sequence[tuple[str, str, str]] = ()) -> list[Crumb]:
    """Month, day, the levels that are chosen, then facets; ``tips``: kind, name and address of what
    stands below them, a call perhaps."""
    month = place.on(None)
    bare = Place(place.month, None, place.currency)
    assert place.month is not None
    found = [Crumb("month", f"{place.month:%B %Y}", bare.url("overview"))]
    if place.day is not None:
        found.append(
            Crumb("day", f"{place.day:%a} {place.day.day} {place.day:%b}",
                  bare.on(place.day).url("overview"), drop=month.url("spend"))
        )  # fmt: skip
    reached = bare.on(place.day)
    for column in NARROWING:
        if column in place.within:
            value = place.within[column]
            reached = reached.at(column, value)
            name = NOBODY.get(column, "none") if value is None else value
            found.append(
                Crumb(word(column), name, reached.url("spend"), is_null=value is None,
                      drop=place.without(column).url("spend"))
            )  # fmt: skip
    found += [Crumb(*tip) for tip in tips]
    last = found[-1]
    return [*found[:-1], Crumb(last.kind, last.name, last.href, True, last.is_null, last.drop)]


def dagster_link(base: str | None, day: date) -> str | None:
    """The ledger's partition of a day in Dagster; None where nobody said where Dagster is."""
    if base is None:
        return None
    return f"{base}/assets/{LEDGER_ASSET}?view=partitions&partition={quote(day.isoformat())}"


def packet_command(view: View, tenant: str, first: date, last: date) -> str:
    """What makes a tenant's review packet; to be pasted into a shell."""
    return view.books.shell.line(
        "packet", "--tenant", tenant, "--from", str(first), "--to", str(last),
        "--out", f"packet-{first}.tar", "--key", "PRIVATE.pem",
    )  # fmt: skip


def step_down(place: Place, record: Mapping[str, Any], columns: Sequence[str]) -> str:
    """The drill path at what a record says."""
    for column in columns:
        if column in NARROWING:
            place = place.at(column, record[column])
    return place.url("spend")


__all__ = [
    "LEVELS", "METRICS", "Crumb", "NotThere", "Page", "View", "crumbs", "dagster_link", "packet_command",
    "step_down",
]  # fmt: skip
