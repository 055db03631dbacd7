"""Days as ranges, as people say and paste them.

Belongs here: runs of consecutive days. Does not: which days, or what they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta


def ranges(days: Iterable[date]) -> list[tuple[date, date]]:
    """Runs of consecutive days, oldest first, both ends included."""
    found: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def said(days: Iterable[date]) -> str:
    """``2026-10-05 to 2026-10-07, 2026-10-09``."""
    return ", ".join(
        f"{first}" if first == last else f"{first} to {last}" for first, last in ranges(days)
    )


def counted(days: Iterable[date]) -> str:
    """``3 days: 2026-10-05 to 2026-10-07``."""
    known = sorted(set(days))
    return f"{len(known)} day{'' if len(known) == 1 else 's'}: {said(known)}"


def pasted(days: Iterable[date]) -> str:
    """As Dagster's backfill dialog takes them: ``[2026-10-01...2026-10-05], 2026-10-09``."""
    return ", ".join(
        first.isoformat() if first == last else f"[{first}...{last}]"
        for first, last in ranges(days)
    )
