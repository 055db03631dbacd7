"""Days through Dagster without a server: what ``attribution run`` drives.

Belongs here: landing once, then the days of a range, in order. Does not: a day's run (``run_session``),
several at once (``days_at_once``), what a caller is told (``run_report``), printing (``commands.run``).

Runs are recorded in ``$DAGSTER_HOME`` where it is set, so that the UI shows them; else only the
lake remembers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.days_at_once import beside_each_other, started
from attribution_pipeline.orchestration.instance import headless_instance
from attribution_pipeline.orchestration.run_report import DayOutcome, RunReport
from attribution_pipeline.orchestration.run_session import RunSession

if TYPE_CHECKING:
    from attribution_pipeline.config import Deployment
    from attribution_pipeline.orchestration.house import House


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
    from attribution_pipeline.orchestration.resources import open_house

    with _os_refusals():
        house = open_house(deployment.path)
    require_days(house, first, last)
    tell = progress or (lambda _: None)
    report = RunReport()
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    side_by_side = days_at_once > 1 and len(days) > 1
    with contextlib.ExitStack() as held:
        instance = held.enter_context(headless_instance())
        held.enter_context(_os_refusals())
        house.require_policy_history()  # before anything is landed
        processes = held.enter_context(started(days_at_once)) if side_by_side else None
        session = RunSession(house, instance, force=force)
        report.landing = session.land()
        report.awaiting, report.on_the_way = session.awaiting, session.on_the_way
        report.notes = session.notes
        for line in report.landing:
            tell(line)
        made: Iterator[DayOutcome] = map(session.make, days)
        if processes is not None:
            made = beside_each_other(processes, deployment.path, days, force, days_at_once)
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
