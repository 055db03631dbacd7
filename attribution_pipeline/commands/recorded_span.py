"""Which recorded days a command reads, and what it tells of days that are not there.

Belongs here: the range, its refusals and its notes on stderr. Does not: reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import typer

from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.states import Published

DAYS_NAMED = 5
"""Missing days that a note names; more are counted."""


@dataclass(frozen=True)
class Span:
    """Days to read, both included."""

    first: date
    last: date


def recorded_span(
    lake: Lake, first: date | None, last: date | None, as_of: datetime | None
) -> Span:
    """The range to read. Days of it that are not recorded are told on stderr, never hidden; so is
    which states ``--as-of`` reads."""
    days = lake.days(as_of)
    inside = {
        day: state
        for day in days
        if (not first or first <= day)
        and (not last or day <= last)
        and (state := lake.head(day, as_of)) is not None
    }
    then = f" by {_instant(as_of)}" if as_of is not None else ""
    if not inside:
        raise _nothing(lake, days, then)
    there = sorted(inside)
    span = Span(first or there[0], last or there[-1])
    _tell_missing(span, inside, then)
    if as_of is not None:
        typer.echo(_states_read(inside, as_of), err=True)
    return span


def _nothing(lake: Lake, days: Sequence[date], then: str) -> Refusal:
    """No day of the range is recorded, or none was ``then``."""
    where = str(lake.storage)
    known = f"{days[0]} to {days[-1]}" if days else ""
    if then:
        said = f"recorded then were {known}" if known else "nothing was recorded then"
        remedy = "name a later time, or leave out --as-of"
        return Refusal(
            f"no day of the range was recorded{then} ({said})", where=where, remedy=remedy
        )
    said = f"recorded are {known}" if known else "nothing is recorded yet"
    remedy = "run it first: attribution run --from DAY --to DAY"
    return Refusal(f"no day of the range is recorded ({said})", where=where, remedy=remedy)


def _tell_missing(span: Span, inside: Mapping[date, Published], then: str) -> None:
    count = ((span.last - span.first).days + 1) if span.last >= span.first else 0
    missing = [
        day for day in (span.first + timedelta(days=n) for n in range(count)) if day not in inside
    ]  # fmt: skip
    if missing:
        named = ", ".join(day.isoformat() for day in missing[:DAYS_NAMED])
        more = ", ..." if len(missing) > DAYS_NAMED else ""
        typer.echo(
            f"not recorded{then}, so not in this: {len(missing)} of {count} days ({named}{more})",
            err=True,
        )


def _states_read(inside: Mapping[date, Published], as_of: datetime) -> str:
    """Which policy versions and states stood then."""
    versions = Counter((state.policy, state.policy_version) for state in inside.values())
    under = ", ".join(
        f"{policy} version {version} ({_days(count)})"
        for (policy, version), count in sorted(versions.items())
    )
    earliest = min(state.published_at for state in inside.values())
    latest = max(state.published_at for state in inside.values())
    return (
        f"as of {_instant(as_of)}: {_days(len(inside))}, one state each, published "
        f"{_instant(earliest)} to {_instant(latest)}, under {under}"
    )


def _days(count: int) -> str:
    return f"{count} day" + ("" if count == 1 else "s")


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
