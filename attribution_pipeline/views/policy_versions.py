"""Policy versions and what they govern, as lines and as a table.

Belongs here: wording. Does not: which version governs a day (``orchestration``), what a version
says (``model.policy_text``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Protocol

from attribution_pipeline.model.policy.history import SHORT_DIGEST, restoring
from attribution_pipeline.views import day_ranges
from attribution_pipeline.views.cells import terminal_cell
from attribution_pipeline.views.text_table import text_table

HEAD = ("version", "in force from", "digest", "days recorded under it", "earlier states", "file")


class Reach(Protocol):
    """Recorded days of a version: governed, of these stale, of these closed."""

    @property
    def governed(self) -> Sequence[date]: ...
    @property
    def stale(self) -> Sequence[date]: ...
    @property
    def closed(self) -> Sequence[date]: ...


class VersionUse(Protocol):
    """A version, and the days recorded under it now and ever."""

    version: int
    digest: str
    published: Any
    now: list[date]
    ever: set[date]


def reach_lines(reach: Reach) -> list[str]:
    """What a version governs, what would be computed anew under it, and what needs ``--force``."""
    if not reach.governed:
        return ["governs no recorded day"]
    lines = [f"governs {_recorded(reach.governed)}"]
    if not reach.stale:
        return [*lines, "all of them are recorded under it"]
    closed = set(reach.closed)
    moving = [day for day in reach.stale if day not in closed]
    if moving:
        lines.append(f"would be computed anew under it: {day_ranges.counted(moving)}")
        lines += [f"  {_command(*ends)}" for ends in day_ranges.ranges(moving)]
    if closed:
        lines.append(
            "have settled charges and keep the version they were recorded under, unless forced: "
            f"{day_ranges.counted(closed)}"
        )
        lines += [f"  {_command(*ends)} --force" for ends in day_ranges.ranges(closed)]
    return lines


def unread_lines(objects: int, names: Iterable[str], *, published: bool) -> list[str]:
    """What a version names that landed spans were not read for; nothing where there are none."""
    if not objects:
        return []
    when = "with the next landing" if published else "once it is published"
    return [
        f"{unread(objects, names)}; read again {when}, where the files still lie in their source"
    ]


def unread(objects: int, names: Iterable[str]) -> str:
    """``4 landed span objects were not read for app.customer``."""
    count = "1 landed span object was" if objects == 1 else f"{objects:,} landed span objects were"
    return f"{count} not read for {terminal_cell(', '.join(sorted(names)))}"


def table_lines(versions: Iterable[VersionUse]) -> list[str]:
    """One row per version that is published or was used."""
    known = list(versions)
    published = {use.version for use in known if use.published is not None}
    rows = [
        (
            str(use.version),
            str(use.published.policy.effective_from) if use.published else "",
            use.digest[:SHORT_DIGEST],
            day_ranges.counted(use.now) if use.now else "none",
            _earlier(use),
            terminal_cell(use.published.where) if use.published else _lost(use, published),
        )
        for use in known
    ]
    return text_table(HEAD, rows, right=("version",)).splitlines()


def _earlier(use: VersionUse) -> str:
    """Days that were recorded under it and are now under another."""
    days = use.ever - set(use.now)
    return day_ranges.counted(days) if days else ""


def _lost(use: VersionUse, published: set[int]) -> str:
    how = "CHANGED since it was used" if use.version in published else "GONE"
    return f"{how}; {restoring(use.version)}"


def _command(first: date, last: date) -> str:
    return f"attribution run --from {first} --to {last}"


def _recorded(days: Sequence[date]) -> str:
    return f"{len(days)} recorded {'day' if len(days) == 1 else 'days'}: {day_ranges.said(days)}"
