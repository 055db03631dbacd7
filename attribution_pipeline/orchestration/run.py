"""Days through Dagster without a server: what ``attribution run`` drives.

Belongs here: landing once, then the days of a range, one after another or several at once. Does not:
a day's run (``run_session``), what a caller is told (``run_report``), printing (``commands.run``).

Runs are recorded in ``$DAGSTER_HOME`` where it is set, so that the UI shows them; else only the
lake remembers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.instance import headless_instance
from attribution_pipeline.orchestration.run_report import DayOutcome, RunReport
from attribution_pipeline.orchestration.run_session import RunSession

if TYPE_CHECKING:
    from attribution_pipeline.config import Deployment


def run_days(
    deployment: Deployment,
    first: date,
    last: date,
    progress: Callable[[str], None] | None = None,
    *,
    force: bool = False,
    days_at_once: int = 1,
) -> RunReport:
    """Land what is new, then materialize every day in [first, last], oldest first.

    ``force``: the policy in force reaches back over closed periods too. ``days_at_once``: processes,
    each with the deployment's limits for itself. A day that fails stops no other. Raises Refusal for
    days that cannot be asked for, for sources or policies that cannot be used or are not what recorded
    days used, and where every day was refused.
    """
    house = House(deployment)
    require_days(house, first, last)
    tell = progress or (lambda _: None)
    report = RunReport()
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    with headless_instance() as instance, _os_refusals():
        house.require_policy_history()  # before anything is landed
        session = RunSession(house, instance, force=force)
        report.landing = session.land()
        report.awaiting, report.on_the_way = session.awaiting, session.on_the_way
        for line in report.landing:
            tell(line)
        made: Iterator[DayOutcome] = map(session.make, days)
        if days_at_once > 1 and len(days) > 1:
            made = _beside_each_other(deployment.path, days, force, days_at_once)
        for outcome in made:
            report.days.append(outcome)
            for line in outcome.lines():
                tell(line)
        report.not_yet_due = session.not_yet_due()
        report.budgets = session.budgets()
    if all(outcome.is_refusal for outcome in report.days):
        raise Refusal(report.days[0].error)
    return report


def require_days(house: House, first: date, last: date) -> None:
    """Days that can be asked for: from ``first_day`` to the last one that is over, in UTC."""
    deployment = house.deployment
    yesterday = house.now().date() - timedelta(days=1)
    if first > last:
        raise Refusal(f"the range ends on {last}, before it begins on {first}")
    if first < deployment.first_day:
        raise Refusal(
            f"{first} is before the deployment's first day, {deployment.first_day}",
            where=deployment.where("first_day"),
            remedy=f"start at {deployment.first_day}, or move `first_day`",
        )
    if last > yesterday:
        raise Refusal(
            f"{last} is not over yet (UTC)",
            remedy=f"end at {yesterday}: a day is computed when all of it is past",
        )


@contextlib.contextmanager
def _os_refusals() -> Iterator[None]:
    from attribution_pipeline.orchestration.refusals import unusable

    try:
        yield
    except OSError as error:
        raise unusable(error) from error


# -- several days at once: no day waits for what another day's run computes -------------------------


def _beside_each_other(
    path: Path, days: Sequence[date], force: bool, at_once: int
) -> Iterator[DayOutcome]:
    """Outcomes in the order of the days, each as soon as those before it are there."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    started = multiprocessing.get_context("spawn")  # a fork would share DuckDB's threads
    with ProcessPoolExecutor(
        min(at_once, len(days)), started, initializer=_open, initargs=(str(path), force)
    ) as processes:
        try:
            yield from processes.map(_make, days)
        except BrokenProcessPool as broken:
            raise Refusal(
                "a process that computed a day ended before the day did, as when the machine has no "
                "memory left",
                remedy="run again with a smaller --days-at-once, or lower compute.memory_limit; "
                "days that were recorded stay recorded",
            ) from broken


_sessions: list[RunSession] = []
"""Of a process that computes days for another one: its own."""
_open_till_it_ends = contextlib.ExitStack()


def _open(path: str, force: bool) -> None:
    from attribution_pipeline.config import load_deployment

    instance = _open_till_it_ends.enter_context(headless_instance())
    _sessions.append(RunSession(House(load_deployment(Path(path))), instance, force=force))


def _make(day: date) -> DayOutcome:
    return _sessions[0].make(day)
