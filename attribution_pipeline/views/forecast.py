"""What days after the last recorded one are expected to cost: two plain methods, each named.

Belongs here: the methods and their words. Does not: whose cost it is (``reservations`` and other
views give the days), anything that would need a model of its own to be explained.

A forecast is for warning in time. It is never recorded, and no row of the ledger rests on one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

HISTORY_DAYS = 28
"""Calendar days up to the newest recorded one that a forecast looks at: each weekday four times, and
what was longer ago is another business by now."""

SEASONAL_TIMES = 2
"""Times that each weekday must be recorded in them, before weekdays are told apart."""

WEEKDAYS = 7

ALL_RECORDED, NONE_TO_COME, RUN_RATE, SEASONAL_WEEKDAY, NO_HISTORY = (
    "all_recorded", "none_to_come", "run_rate", "seasonal_weekday", "no_history",
)  # fmt: skip


@dataclass(frozen=True)
class Forecast:
    """What one day costs, as expected. Amounts in quanta; fractions, so that nothing rounds yet."""

    method: str
    """``run_rate``, ``seasonal_weekday`` or ``no_history``."""
    explained: str
    """The method in a sentence, with the days that it rests on."""
    by_weekday: tuple[Fraction, ...]
    """Monday first."""

    def expected(self, day: date) -> Fraction:
        """Of one day that is not recorded."""
        return self.by_weekday[day.weekday()]


def forecast(spent: Mapping[date, int]) -> Forecast:
    """From recorded days, each with its cost in quanta; a day without cost is there with 0.

    Where each weekday is among the last 28 days twice or more, a day is the mean of its weekday's;
    else every day is the mean of all of them.
    """
    if not spent:
        return Forecast(NO_HISTORY, "no day is recorded yet", (Fraction(0),) * WEEKDAYS)
    newest = max(spent)
    first = newest - timedelta(days=HISTORY_DAYS - 1)
    known = {day: cost for day, cost in spent.items() if day >= first}
    weekdays = [
        [cost for day, cost in known.items() if day.weekday() == n] for n in range(WEEKDAYS)
    ]
    days = f"the {len(known)} recorded days from {min(known)} to {newest}"
    if all(len(costs) >= SEASONAL_TIMES for costs in weekdays):
        means = tuple(Fraction(sum(costs), len(costs)) for costs in weekdays)
        return Forecast(SEASONAL_WEEKDAY, f"the mean of the same weekday in {days}", means)
    mean = Fraction(sum(known.values()), len(known))
    return Forecast(RUN_RATE, f"the mean of {days}", (mean,) * WEEKDAYS)
