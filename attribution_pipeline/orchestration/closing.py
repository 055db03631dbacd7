"""Closing a billing period: what is billed, which recorded days a close record moves.

Belongs here: reading landed evidence for `attribution close`. Does not: the record's text
(``sources.closes``), what closes a charge (``attribution.closes``), Dagster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from attribution_pipeline.orchestration.governing import governing
from attribution_pipeline.orchestration.planes import landed_of

if TYPE_CHECKING:
    from attribution_pipeline.attribution.closes import BilledPeriod
    from attribution_pipeline.attribution.day import Landed
    from attribution_pipeline.orchestration.house import House

TABLES = ("billing", "closes")


@dataclass(frozen=True)
class Moved:
    """Recorded days with charges of billing periods that a close record closes or opens."""

    at_once: Sequence[date]
    """Stale as soon as the record is landed."""
    later: Sequence[tuple[date, datetime]]
    """Day, and when its provisional time is over: stale from the first midnight on or after that."""


def billed(house: House) -> list[BilledPeriod]:
    """What landed bills hold, and which of it is closed. Raises Refusal for changed evidence."""
    from attribution_pipeline.attribution.closes import billed_periods

    landed = _landed(house)
    if not landed.files["billing"]:
        return []
    with house.lake.staging(house.now().date()) as scratch:
        return billed_periods(landed, house.facts, now=house.now(), compute=house.compute(scratch))


def still_running(periods: Sequence[BilledPeriod], first: date, now: datetime) -> datetime | None:
    """When the billing period is over, where it is not yet: as billed, else the month from ``first``.
    None where it is over."""
    from attribution_pipeline.model.months import next_month

    following = next_month(first)
    ends = [one.ends_at for one in periods if one.ends_at is not None]
    end = max(ends, default=datetime(following.year, following.month, following.day, tzinfo=UTC))
    return end if now < end else None


def moved_by(house: House, periods: Sequence[BilledPeriod], *, closing: bool) -> Moved:
    """The recorded days on which charges become settled, or no longer are, when ``periods`` are
    closed or opened."""
    from attribution_pipeline.attribution.closes import charge_days, settles_at

    moving = [period for period in periods if (period.closed_by is None) is closing]
    if not moving:
        return Moved([], [])
    with house.lake.staging(house.now().date()) as scratch:
        days = charge_days(_landed(house), house.facts, moving, compute=house.compute(scratch))
    # what is charged before the ledger begins stands on its first day
    charged = {max(day, house.deployment.first_day) for day in days}
    settles = {
        day: settles_at(day, governing(house, day).policy)
        for day in sorted(charged.intersection(house.lake.days()))
    }
    midnight = house.now().replace(hour=0, minute=0, second=0)
    return Moved(
        [day for day, at in settles.items() if at <= midnight],
        [(day, at) for day, at in settles.items() if closing and at > midnight],
    )


def _landed(house: House) -> Landed:
    files = {table: house.landed.files(table) for table in TABLES}
    house.landed.verify([file for found in files.values() for file in found])
    return landed_of(house, house.landed, files)
