"""Days on which a tenant's feature cost what its past would not have said: few, and explained.

Belongs here: the rule. Does not: what is done about one (``highlights``, alerts).

**Robust**: the expectation is a median, the spread a median of distances, so the last anomaly is not
the next one's excuse. **Seasonal**: a day is held against the same weekday of the weeks before, as
soon as there are enough of them; until then against the days before. **Few**: it must stand out of
its own spread, be a relevant share of the whole day, and the dearest of each currency come first.
**Explained**: each names the workflow, model and component that moved most.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

from attribution_pipeline.model.ledger import of_its_day
from attribution_pipeline.views.spend.table import sql_text

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.views.daily import Opened

WEEKS, FEWEST_WEEKS = 8, 3
"""Same weekdays that are looked back to, and how many it takes to go by weekday."""

DAYS, FEWEST_DAYS = 14, 5
"""Without enough weeks: days looked back to, and how many it takes to say anything."""

SPREADS = 5
"""A day stands out when it is so many spreads away. The spread of a normal series is
1.4826 x the median distance, hence ``NORMAL``; 5 of them are one day in many years by chance."""

NORMAL = Decimal("1.4826")

LEAST_SPREAD = Decimal("0.05")
"""Of the expectation: a series that hardly moves has no spread, and a cent is no anomaly."""

LEAST_SHARE = Decimal("0.01")
"""Of the whole day's cost that the difference must be."""

MOST_SHOWN = 10
"""Of one currency: amounts of two are never held against each other."""

T = TypeVar("T")

Key = tuple[str | None, str | None, str]
"""Tenant, feature, currency."""


@dataclass(frozen=True)
class Anomaly:
    """One day of one tenant's feature. Amounts in ``currency``; ``against`` says what it was held
    against, ``mostly`` what moved most of it."""

    day: date
    tenant_id: str | None
    feature: str | None
    currency: str
    cost: Decimal
    expected: Decimal
    spread: Decimal
    against: str
    mostly: str = ""

    @property
    def difference(self) -> Decimal:
        """Cost less expectation."""
        return self.cost - self.expected


def recorded_anomalies(
    lake: Lake,
    metric: str,
    newest: date,
    *,
    days: int = 1,
    as_of: datetime | None = None,
    compute: Compute,
) -> tuple[list[Anomaly], Opened]:
    """``anomalies`` of what is recorded, with the weeks before it in a session of its own: whoever looks
    at a short period has not opened these. ``Opened`` says what had to be computed."""
    from attribution_pipeline.attribution.engine import session
    from attribution_pipeline.views.daily import open_daily

    first = newest - timedelta(days=7 * WEEKS + days - 1)
    with session(compute) as db:
        opened = open_daily(
            db, lake, first, newest, ("spend_daily",), as_of=as_of, compute=compute
        )  # fmt: skip
        return anomalies(db, metric, newest, days=days), opened


def anomalies(db: Session, metric: str, newest: date, *, days: int = 1) -> list[Anomaly]:
    """Of the ``days`` that end with ``newest``: the dearest ``MOST_SHOWN`` of each currency, explained.

    Reads ``spend_daily``, open in ``db`` for those days and the eight weeks before.
    """
    series: dict[Key, dict[date, Decimal]] = defaultdict(dict)
    for tenant, feature, currency, day, cost in db.rows(
        sql_text("series").format(metric=metric, of_its_day=of_its_day())
    ):
        series[tenant, feature, currency][day] = cost
    recorded = sorted({day for found in series.values() for day in found})
    judged = [day for day in recorded if newest - timedelta(days=days) < day <= newest]
    found = [
        anomaly
        for day in judged
        for anomaly in stands_out(series, day, [past for past in recorded if past < day])
    ]
    found.sort(
        key=lambda one: (-abs(one.difference), one.day, str(one.tenant_id), str(one.feature))
    )
    shown = first_of_each(found, lambda one: one.currency, MOST_SHOWN)
    return [_explained(db, metric, one) for one in shown]


def first_of_each(found: Iterable[T], currency: Callable[[T], str], most: int) -> list[T]:
    """The first ``most`` of each currency, in their order."""
    seen: dict[str, int] = defaultdict(int)
    kept = []
    for one in found:
        seen[currency(one)] += 1
        if seen[currency(one)] <= most:
            kept.append(one)
    return kept


def stands_out(
    series: dict[Key, dict[date, Decimal]], day: date, past: Sequence[date]
) -> Iterable[Anomaly]:
    """The anomalies of one day. A day without a row cost nothing, as long as it is recorded."""
    whole: dict[str, Decimal] = defaultdict(Decimal)
    for (_, _, currency), costs in series.items():
        whole[currency] += abs(costs.get(day, Decimal(0)))
    chosen, against = _held_against(day, past)
    if not chosen:
        return
    for (tenant, feature, currency), costs in series.items():
        cost = costs.get(day, Decimal(0))
        before = [costs.get(other, Decimal(0)) for other in chosen]
        expected = median(before)
        distance = median(abs(value - expected) for value in before)
        spread = max(distance * NORMAL, abs(expected) * LEAST_SPREAD)
        difference = abs(cost - expected)
        if difference > spread * SPREADS and difference >= whole[currency] * LEAST_SHARE:
            yield Anomaly(day, tenant, feature, currency, cost, expected, spread, against)


def _held_against(day: date, past: Sequence[date]) -> tuple[list[date], str]:
    weeks = [other for other in past
             if other.weekday() == day.weekday() and (day - other).days <= 7 * WEEKS]  # fmt: skip
    if len(weeks) >= FEWEST_WEEKS:
        return weeks, f"{len(weeks)} {day:%A}s before"
    days = [other for other in past if (day - other).days <= DAYS]
    if len(days) >= FEWEST_DAYS:
        return days, f"{len(days)} days before"
    return [], ""


def _explained(db: Session, metric: str, one: Anomaly) -> Anomaly:
    """What moved most, against the median of the days that it was held against."""
    from dataclasses import replace

    costs: dict[tuple[Any, ...], dict[date, Decimal]] = defaultdict(dict)
    rows = db.rows(
        sql_text("moved").format(metric=metric, of_its_day=of_its_day()),
        [one.tenant_id, one.feature, one.currency],
    )
    for workflow, model, component, day, cost in rows:
        costs[workflow, model, component][day] = cost
    days = {day for found in costs.values() for day in found}
    chosen, _ = _held_against(one.day, sorted(day for day in days if day < one.day))

    def moved(found: dict[date, Decimal]) -> Decimal:
        before = [found.get(day, Decimal(0)) for day in chosen]
        return found.get(one.day, Decimal(0)) - (median(before) if before else Decimal(0))

    if not costs:
        return one
    largest = max(costs, key=lambda key: (abs(moved(costs[key])), tuple(map(str, key))))
    workflow, model, component = largest
    said = [f"workflow {workflow}" if workflow else "no workflow", model or "", component]
    return replace(one, mostly=", ".join(word for word in said if word))
