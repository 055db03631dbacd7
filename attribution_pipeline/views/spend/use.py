"""Cost that nobody seems to have had anything of: unused scheduled jobs, features that outrun their use.

Belongs here: both rules. Does not: sums (``sql/``), how they are told (``highlights``).

Where no outcome at all is known, nothing is said: an application that reports none is not idle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from attribution_pipeline.views.spend.derived import QUANTUM
from attribution_pipeline.views.spend.table import sql_text

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session

WEEK = 7
"""Periods of whole weeks are compared where there are two: weekends cost more an outcome."""

GREW = Decimal("1.25")
"""Least growth of the cost of a useful outcome that is said."""

SIGMAS = 3
"""Counts vary by their square root: the growth must be so many spreads more than that."""

FEWEST_USEFUL = 20
"""Useful outcomes of each period without which nothing is said."""

LEAST_SHARE = Decimal("0.002")
"""Of the newer period's cost that the growth must have cost."""


@dataclass(frozen=True)
class Unused:
    """A scheduled workflow's cost up to a day for tenants of whom no outcome says that they used its
    output."""

    workflow_id: str
    currency: str
    cost: Decimal
    tenants: int
    of_tenants: int
    until: date


@dataclass(frozen=True)
class Outrun:
    """A feature whose cost grew faster than its useful outcomes. ``cost``: what the newer period cost
    more than at the older one's cost per useful outcome. Factors are newer over older."""

    feature: str
    currency: str
    cost: Decimal
    cost_factor: Decimal
    useful_factor: Decimal
    older: tuple[date, date]
    newer: tuple[date, date]


def unused_jobs(db: Session, metric: str, scheduled: Sequence[str], until: date) -> list[Unused]:
    """Of workflows that match a pattern of ``scheduled`` (``nightly-*``), dearest first; what they cost
    up to ``until``.

    Reads ``spend_daily`` and ``outcomes_daily``. A job is used by a tenant where one useful outcome of
    the open days is joined to its calls: open some days after ``until``, outcomes come later.
    """
    if not db.rows("select outcomes from outcomes_daily limit 1"):
        return []
    used = set(
        db.rows(
            "select distinct workflow_id, tenant_id from outcomes_daily where useful and matched"
        )
    )
    cost: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    tenants: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for workflow, tenant, currency, amount in db.rows(
        sql_text("jobs").format(metric=metric, until=until)
    ):
        if not any(fnmatchcase(workflow, pattern) for pattern in scheduled):
            continue
        is_used = (workflow, tenant) in used
        tenants[workflow, currency].append(is_used)
        if not is_used:
            cost[workflow, currency] += amount
    found = [
        Unused(workflow, currency, amount, tenants[workflow, currency].count(False),
               len(tenants[workflow, currency]), until)
        for (workflow, currency), amount in cost.items() if amount > 0
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-one.cost, one.workflow_id, one.currency))


def outrun_features(db: Session, metric: str, until: date) -> list[Outrun]:
    """Features whose cost per useful outcome grew from the older to the newer half of the open days up
    to ``until``, dearest first. Idle and overhead follow other costs and are left out.

    Reads ``spend_daily`` and ``outcomes_daily``.
    """
    recorded = db.rows("select distinct charge_date from spend_daily order by 1")
    days = [day for (day,) in recorded if day <= until]
    half = len(days) // 2
    half -= half % WEEK if half >= WEEK else 0
    if not half:
        return []
    older, newer = days[-2 * half : -half], days[-half:]
    between = {"older": older[0], "newer": newer[0], "last": newer[-1]}
    useful = {
        feature: (before, after)
        for feature, before, after in db.rows(sql_text("useful").format(**between))
    }
    rows = db.rows(sql_text("features").format(metric=metric, **between))
    whole: dict[str, Decimal] = defaultdict(Decimal)
    for _, currency, _, after in rows:
        whole[currency] += abs(after)
    found = [
        one
        for feature, currency, before, after in rows
        for one in _outrun(feature, currency, (before, after), useful.get(feature, (0, 0)))
        if one.cost >= whole[currency] * LEAST_SHARE
    ]
    spans = (older[0], older[-1]), (newer[0], newer[-1])
    found = [Outrun(**{**vars(one), "older": spans[0], "newer": spans[1]}) for one in found]
    return sorted(found, key=lambda one: (-one.cost, one.feature, one.currency))


def _outrun(
    feature: str, currency: str, cost: tuple[Decimal, Decimal], useful: tuple[int, int]
) -> Iterator[Outrun]:
    if min(useful) < FEWEST_USEFUL or min(cost) <= 0:
        return
    times_cost, times_useful = cost[1] / cost[0], Decimal(useful[1]) / useful[0]
    growth = times_cost / times_useful
    spread = (Decimal(1) / useful[0] + Decimal(1) / useful[1]).sqrt()
    if growth >= GREW and growth - 1 > SIGMAS * spread * growth:
        more = (cost[1] - cost[0] * times_useful).quantize(QUANTUM)
        yield Outrun(feature, currency, more, times_cost, times_useful, _NO_DAYS, _NO_DAYS)


_NO_DAYS = (date.min, date.min)
