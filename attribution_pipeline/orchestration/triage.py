"""What a triage is asked of, taken from a deployment.

Belongs here: choosing days and their month to date. Does not: verdicts (``proof.triage``), Dagster
(``assets.score``), printing (``commands.triage``).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from attribution_pipeline.orchestration.completeness import policy_of
from attribution_pipeline.orchestration.replaying import replay
from attribution_pipeline.orchestration.scoring import chosen_days
from attribution_pipeline.proof.relations import recorded_days
from attribution_pipeline.proof.replay import clean_place
from attribution_pipeline.proof.triage import Asked, Triage, triage

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.house import House


def triage_of(
    house: House, first: date | None = None, last: date | None = None, only: str | None = None
) -> Triage:
    """P1 to P3 of the recorded days in [first, last]; without ``first`` the last seven of them.
    ``only``: one of the three, whatever the others say.

    P2 samples those days; P3 is of the month to date of the newest of them. The storage is read
    only. Raises Refusal where no day of the range is recorded.
    """
    days = chosen_days(house, first, last)
    recorded = recorded_days(house.lake, days)
    newest = days[-1]
    begin = newest.replace(day=1)
    month = recorded_days(house.lake, [day for day in house.lake.days() if begin <= day <= newest])
    policy = policy_of(house, recorded[-1])
    with clean_place() as scratch:
        return triage(
            Asked(
                lake=house.lake,
                landed=house.landed,
                days=recorded,
                month=month,
                policy=policy,
                policies={one.day: policy_of(house, one) for one in month},
                replay=lambda one: replay(house, one.state),
                compute_in=house.compute,
                scratch=scratch,
                command=f"attribution triage --from {days[0]} --to {newest}"
                + (f" --only {only}" if only else ""),
            ),
            only,
        )
