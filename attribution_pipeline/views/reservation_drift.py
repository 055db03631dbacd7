"""Drift: a gateway's counter held against the ledger.

Belongs here: the two numbers and how far they are apart. Does not: which counters there are
(``reserved``), what a drift is tolerated to be (the policy), why there is one: a gateway counts calls
at list price, the ledger what was billed, with shared cost, idle and discounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal

from attribution_pipeline.model.money import to_decimal, to_quanta
from attribution_pipeline.views.reserved import Counter, Reservation


@dataclass(frozen=True)
class Drift:
    """A gateway's newest counter that can be held against the ledger.

    The ledger knows whole days and the counter an instant, so the ledger's sum is between two: up to
    the day of the counter without it, and with it. ``drift`` is how far the counter is outside."""

    counter: Counter
    ledger_low: Decimal
    ledger_high: Decimal | None
    drift: Decimal | None
    """Null where days that it needs are not recorded."""
    days_missing: int = 0

    def beyond(self, tolerance: Decimal) -> bool:
        """Whether it differs by more than this share of what the ledger says."""
        if not self.drift:
            return False
        return abs(self.drift) > tolerance * (self.ledger_high or self.ledger_low)


def drifts(one: Reservation, spent: Mapping[date, int]) -> tuple[Drift, ...]:
    """Of each gateway the newest counter that the recorded days reach, else the newest.

    ``spent``: recorded day -> what the scope cost in the reservation's currency, in quanta."""
    newest: dict[str, Drift] = {}
    for counter in one.counters:  # older to newer
        found = _drift(one, counter, spent)
        known = newest.get(counter.gateway)
        if found.drift is not None or known is None or known.drift is None:
            newest[counter.gateway] = found
    return tuple(newest.values())


def _drift(one: Reservation, counter: Counter, spent: Mapping[date, int]) -> Drift:
    at = counter.counted_at
    whole = [day for day in one.days if day < at.date()]
    missing = sum(day not in spent for day in whole)
    low = sum(spent.get(day, 0) for day in whole)
    high: int | None = low
    if at.time() != time() and one.period_start <= at.date() < one.period_end:
        high = low + spent[at.date()] if at.date() in spent else None
    counted = to_quanta(counter.counted)[0]
    drift: int | None = None
    if not missing:
        # a credit may make the day of the counter negative
        bounds = sorted((low, low if high is None else high))
        if bounds[0] <= counted <= bounds[1]:
            drift = 0
        elif counted < bounds[0]:
            drift = counted - bounds[0]
        elif high is not None:
            drift = counted - bounds[1]
    unknown = missing + (high is None)
    return Drift(
        counter, to_decimal(low), None if high is None else to_decimal(high),
        None if drift is None else to_decimal(drift), unknown,
    )  # fmt: skip
