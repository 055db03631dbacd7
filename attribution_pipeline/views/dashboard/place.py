"""Where a reader stands: the period, and how far down the path. It is the URL's query string.

Belongs here: parsing and writing it, what a step down or up changes. Does not: what is shown there.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from urllib.parse import urlencode

LEVELS = ("feature", "tenant_id", "workflow_id")
"""The path of a product owner, from the month down to a call."""

FACETS = (
    "task", "agent", "model", "surface", "component", "service", "team", "cost_center",
    "environment", "confidence", "unallocated_reason", "resource_id",
)  # fmt: skip
"""What else may narrow a place, in the order in which it is told."""

NARROWING = (*LEVELS, *FACETS)

NONE = "none"
"""Query key that names the columns whose value is null: an empty text would be a name."""

WORDS = {
    "tenant_id": "tenant", "workflow_id": "workflow", "cost_center": "cost center",
    "unallocated_reason": "reason", "resource_id": "resource", "token_kind": "token kind",
    "charge_date": "day", "billing_currency": "currency",
}  # fmt: skip
"""Columns whose name is not what people call them."""


def word(column: str) -> str:
    """What people call a column."""
    return WORDS.get(column, column.replace("_", " "))


@dataclass(frozen=True)
class Place:
    """A month, a day of it perhaps, a currency perhaps, and values of columns. A value may be None:
    what nobody named."""

    month: date | None = None
    """Its first day; None: the newest that is recorded."""
    day: date | None = None
    currency: str | None = None
    within: Mapping[str, str | None] = field(default_factory=dict)

    @staticmethod
    def of(query: Mapping[str, str], nulls: list[str]) -> Place:
        """Of a query string; what is no date or no known column is left out."""
        day = day_of(query.get("day", ""))
        month = day_of(f"{query['month']}-01") if query.get("month") else None
        if day is not None:
            month = day.replace(day=1)
        within: dict[str, str | None] = {}
        for column in NARROWING:
            if column in nulls:
                within[column] = None
            elif query.get(column):
                within[column] = query[column]
        return Place(month, day, query.get("currency") or None, within)

    @property
    def first(self) -> date:
        """The first day of what is shown."""
        assert self.month is not None, "a place is completed before it is read"
        return self.day or self.month

    @property
    def last(self) -> date:
        """The last day of what is shown."""
        assert self.month is not None
        return self.day or month_end(self.month)

    @property
    def next_level(self) -> str | None:
        """What a step down chooses; None where the path is walked to its end."""
        return next((level for level in LEVELS if level not in self.within), None)

    def at(self, column: str, value: str | None) -> Place:
        """A step down, or the same step with another value."""
        return replace(self, within={**self.within, column: value})

    def without(self, *columns: str) -> Place:
        """A step up."""
        return replace(
            self, within={name: v for name, v in self.within.items() if name not in columns}
        )

    def on(self, day: date | None) -> Place:
        """One day of it, or its whole month."""
        return replace(self, day=day, month=day.replace(day=1) if day else self.month)

    def in_month(self, month: date) -> Place:
        """The same in another month."""
        return replace(self, month=month, day=None)

    def query(self, **more: object) -> str:
        """As a query string, keys in one order; ``more`` after them, without what is None."""
        said: list[tuple[str, str]] = []
        if self.day is not None:
            said.append(("day", self.day.isoformat()))
        elif self.month is not None:
            said.append(("month", f"{self.month:%Y-%m}"))
        if self.currency is not None:
            said.append(("currency", self.currency))
        for column in NARROWING:
            if column in self.within:
                value = self.within[column]
                said.append((NONE, column) if value is None else (column, value))
        said += [(name, str(value)) for name, value in more.items() if value is not None]
        return urlencode(said)

    def url(self, page: str, **more: object) -> str:
        """The path and query of a page at this place."""
        query = self.query(**more)
        return f"/{page}?{query}" if query else f"/{page}"


def month_end(month: date) -> date:
    """The last day of a month, named by any of its days."""
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def month_before(month: date) -> date:
    """The first day of the month before."""
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


YEARS = range(1970, 9000)
"""Of days that a URL may name: neighbours of the ends of the calendar are no dates."""


def day_of(text: str) -> date | None:
    """A day as the URL says it, ``YYYY-MM-DD``; None where it says none."""
    try:
        day = date.fromisoformat(text) if len(text) == len("YYYY-MM-DD") else None
    except ValueError:
        return None
    return day if day is not None and day.year in YEARS else None
