"""What was reserved: landed records of budget files and gateway counters, put together.

Belongs here: a reservation and its counters. Does not: reading files (``sources.reservations``), what
stands against one (``reservations``, ``reservation_drift``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from attribution_pipeline.model.reservations import Scope, parse_scope


@dataclass(frozen=True)
class Counter:
    """What a gateway says was spent since the period began. ``counted`` in the currency."""

    gateway: str
    counted: Decimal
    counted_at: datetime


@dataclass(frozen=True)
class Reservation:
    """One scope, period and currency. ``period_end`` is the day after the last."""

    scope: Scope
    period_start: date
    period_end: date
    currency: str
    amount: Decimal | None = None
    """Null where only counters were delivered."""
    name: str = ""
    counters: tuple[Counter, ...] = ()
    said_otherwise: int = 0
    """Records with another amount, which the newest one replaced."""

    @property
    def days(self) -> list[date]:
        """The days of the period."""
        count = (self.period_end - self.period_start).days
        return [self.period_start + timedelta(days=n) for n in range(count)]

    @property
    def called(self) -> str:
        """Its name, else its scope."""
        return self.name or self.scope.text

    @property
    def title(self) -> str:
        """As a person calls it, with its scope."""
        return f"{self.name} ({self.scope.text})" if self.name else self.scope.text


def reservations_of(rows: Iterable[Mapping[str, Any]]) -> list[Reservation]:
    """Landed records, older to newer, as reservations in order of scope, period and currency."""
    found: dict[tuple[Scope, date, date, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        scope = parse_scope(row["scope"])
        found[scope, row["period_start"], row["period_end"], row["currency"]].append(row)
    return [_reservation(*key, found[key]) for key in sorted(found)]


def _reservation(
    scope: Scope, start: date, end: date, currency: str, rows: Sequence[Mapping[str, Any]]
) -> Reservation:
    amounts = [row["amount"] for row in rows if row["amount"] is not None]
    names = [row["name"] for row in rows if row["name"]]
    counters = {
        Counter(row["gateway"] or "", row["counted"], row["counted_at"])
        for row in rows
        if row["counted"] is not None
    }
    return Reservation(
        scope, start, end, currency, amounts[-1] if amounts else None, names[-1] if names else "",
        tuple(sorted(counters, key=lambda one: (one.gateway, one.counted_at, one.counted))),
        sum(amount != amounts[-1] for amount in amounts),
    )  # fmt: skip
