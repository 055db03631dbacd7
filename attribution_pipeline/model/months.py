"""Calendar months, as billing periods go by them.

Belongs here: a month's bounds. Does not: what is billed in one, time zones.
"""

from __future__ import annotations

from datetime import date, timedelta

_LONGEST = timedelta(days=31)


def next_month(day: date) -> date:
    """The first day of the month after the one that ``day`` is in."""
    return (day.replace(day=1) + _LONGEST).replace(day=1)
