"""Which policy governs a day: the version in force, unless the day is closed under another.

Belongs here: that choice. Does not: what is in force on a day (``model.policy``), what a version
says. Recording, evidence and staleness ask the same question, so it is asked here alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House


@dataclass(frozen=True)
class Governing:
    """``policy`` governs the day. ``kept``: it is the one that a closed day was recorded under,
    and another version is in force. ``forced``: it was made to reach back over a closed period."""

    policy: Policy
    kept: bool = False
    forced: bool = False

    @property
    def digest(self) -> str:
        """Of the policy."""
        return self.policy.digest


def governing(house: House, day: date, *, force: bool = False) -> Governing:
    """A new version governs what is open. Over a recorded day with settled charges it reaches
    back only by force; until then the version that the day was recorded under stays.

    Raises Refusal where no version is in force, or where used versions are not as they were.
    """
    house.require_policy_history()
    policy, digest = house.policies.in_force(day)
    head = house.lake.head(day)
    if head is None or not head.settled or head.policy_digest == digest:
        return Governing(policy)
    if force:
        return Governing(policy, forced=True)
    return Governing(recorded_policy(house, head), kept=True)


def recorded_policy(house: House, state: Published) -> Policy:
    """The policy that a state was recorded under, from the lake's own copy."""
    return house.lake.policies.load(house.lake.document(state)["policy"]["file"])
