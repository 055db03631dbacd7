"""What a score is asked of, taken from a deployment: days, settled days, landed objects.

Belongs here: choosing days, deriving a day again from landed objects. Does not: verdicts
(``proof.score``), Dagster (``assets.score``), printing (``commands.score``).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.completeness import of_days, policy_of
from attribution_pipeline.proof.relations import RecordedDay, recorded_days
from attribution_pipeline.proof.replay import clean_place
from attribution_pipeline.proof.score import Asked, Score, score
from attribution_pipeline.proof.score.c1_join import SETTLED_DAYS

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Outcome
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.orchestration.house import House

DAYS = 7
"""Recorded days that C2 to C6 are of where nobody says: as many as C1 derives again."""


def score_of(house: House, first: date | None = None, last: date | None = None) -> Score:
    """The score of the recorded days in [first, last]; without ``first`` the last ``DAYS`` of them.

    C1 is of the last settled days up to ``last``, whatever ``first`` is. The storage is read only,
    but for sums that save work later. Raises Refusal where no day of the range is recorded.
    """
    days = chosen_days(house, first, last)
    recorded = recorded_days(house.lake, days)
    policy = policy_of(house, recorded[-1])
    metric = policy.settlement.metric
    with clean_place() as scratch:
        return score(
            Asked(
                lake=house.lake,
                landed=house.landed,
                days=recorded,
                settled=_settled(house, days[-1]),
                policy=policy,
                disclose=lambda: of_days(house, days, metric),
                derive=lambda state, out: derived(house, state, out),
                compute_in=house.compute,
                scratch=scratch,
                command=f"attribution score --from {days[0]} --to {days[-1]}",
            )
        )


def chosen_days(house: House, first: date | None, last: date | None) -> list[date]:
    """Recorded days in the range; without ``first`` the last ``DAYS``. Refusal where there is none."""
    known = house.lake.days()
    days = [
        day for day in known if (first is None or first <= day) and (last is None or day <= last)
    ]
    if not days:
        said = f"recorded are {known[0]} to {known[-1]}" if known else "nothing is recorded yet"
        raise Refusal(
            f"no day of the range is recorded ({said})",
            where=str(house.lake.storage),
            remedy="run it first: attribution run --from DAY --to DAY",
        )
    return days if first is not None else days[-DAYS:]


def derived(house: House, state: Published, out: Path) -> Outcome:
    """A recorded state again, its planes computed from the objects that had landed by then.

    The clock is the state's own, so that what was open then is open again; the state before it is
    the recorded one, since what a closed period holds back depends on it.
    """
    from attribution_pipeline.attribution.reconcile import reconcile
    from attribution_pipeline.orchestration.planes import planes_then
    from attribution_pipeline.proof.replay_frozen import policy_of as frozen_policy
    from attribution_pipeline.proof.replay_frozen import previous_of

    manifest = house.lake.document(state)
    policy = frozen_policy(house.lake, manifest)
    planes_folder, day_folder = out / "planes", out / "day"
    planes_folder.mkdir()
    day_folder.mkdir()
    planes = planes_then(house, state, policy, planes_folder)
    return reconcile(
        planes,
        policy,
        state.day,
        policy_digest=state.policy_digest,
        recorded_at=state.recorded_at,
        run_id=state.run_id,
        forced=manifest["forced"],
        previous=previous_of(house.lake, state, manifest),
        out=day_folder,
        compute=house.compute(day_folder),
    )


def _settled(house: House, last: date) -> list[RecordedDay]:
    """The last settled days up to ``last``, oldest first."""
    found = [
        state.day
        for day in house.lake.days()
        if day <= last and (state := house.lake.head(day)) is not None and state.settled
    ]
    return recorded_days(house.lake, found[-SETTLED_DAYS:])
