"""Which recorded days are no longer what they would be today, and what moved.

Belongs here: the one comparison behind everything late: spans, restated bills, corrections, closes,
policies, kernels. Does not: today's evidence digests (``digests``), who asks for a day and when
(``sensors``), Dagster.

A day is stale when the digest of any plane of its evidence, the policy that is in force on it, or
the kernel differ from what its newest recorded state names. Only digests are compared, so evidence
that is delivered again, under whatever name, moves nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from attribution_pipeline.lake.manifest import canonical
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.digests import (
    DayDigests,
    EvidenceDigests,
    last_digests,
    newest_states,
)
from attribution_pipeline.orchestration.planes import ASSET_OF_PLANE

if TYPE_CHECKING:
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.orchestration.house import House

POLICY = "policy"
KERNEL_MOVED = "kernel"
"""What can move beside planes, which are called by their assets."""

FIRST_DAY = "first_day"
"""A recorded day before the deployment's first is no partition any more: it can't be run."""

RESENT_WAITS = timedelta(hours=24)
"""Some charges (tax to date, for one) are sent with another amount every day of a month. Their days
are reconciled again once a day at most, and at close."""


@dataclass(frozen=True)
class StaleDay:
    """A recorded day that would come out otherwise today."""

    day: date
    moved: tuple[str, ...]
    """Assets of the planes that moved, in their order; then ``policy`` and ``kernel``."""
    target: str
    """Digest of what the day would be computed from today."""
    manifest_id: str
    """The recorded state that it would follow."""
    needs_force: bool = False
    """Another policy is in force, and the day has settled charges: it stays under the version that
    it was recorded under unless it is run by force. Other evidence that moved is taken in."""
    waits_until: datetime | None = None
    """Billing alone moved, and the day was recorded not long ago."""
    refused: tuple[str, ...] = ()
    """Why it can't be run, a line each: to be put right before."""

    @property
    def is_due(self) -> bool:
        """Whether a run without force would bring it up to date now."""
        by_itself = self.moved != (POLICY,) if self.needs_force else True
        return by_itself and self.waits_until is None and not self.refused


def stale_days(house: House) -> list[StaleDay]:
    """Every stale day, oldest first. Opens no evidence and no manifest: heads' notes, the digests
    as last written, and the policies are all that it reads.

    Raises Refusal where the policies can't be used, or are not what recorded days used.
    """
    house.require_policy_history()
    digests = last_digests(house)
    now = house.now()
    found = (_compared(house, head, digests, now) for head in newest_states(house).values())
    return [day for day in found if day is not None]


def unread_days(house: House, stale: Iterable[StaleDay]) -> set[date]:
    """Days that are due by their policy and would be run without attributes that it names, because no
    landing has read their spans for them yet. Where a landing has tried, what lacks attributes is gone,
    and holds nothing."""
    from attribution_pipeline.orchestration.span_attributes import days_to_read

    days = {one.day for one in stale if one.is_due and POLICY in one.moved and not one.needs_force}
    return days_to_read(house, days)


def _compared(
    house: House, head: Published, digests: EvidenceDigests | None, now: datetime
) -> StaleDay | None:
    from attribution_pipeline.attribution import KERNEL

    today = _today(head, digests)
    refused = dict(today.refused)
    if head.day < house.deployment.first_day:
        refused[FIRST_DAY] = f"before the deployment's first day, {house.deployment.first_day}"
    try:
        policy = house.policies.in_force(head.day)[1]
    except Refusal as refusal:
        policy, refused[POLICY] = "", refusal.line()
    moved = _moved_planes(head, today)
    if policy != head.policy_digest:
        moved = (*moved, POLICY)
    if head.kernel != KERNEL:
        moved = (*moved, KERNEL_MOVED)
    unusable = (ASSET_OF_PLANE.get(name, name) for name in refused if name != FIRST_DAY)
    moved = tuple(dict.fromkeys((*moved, *unusable)))
    if not moved:
        return None
    needs_force = POLICY in moved and head.settled
    taken_in = tuple(name for name in moved if not (needs_force and name == POLICY))
    return StaleDay(
        day=head.day,
        moved=moved,
        target=_target(head, today, policy, KERNEL),
        manifest_id=head.manifest_id,
        needs_force=needs_force,
        waits_until=_waits_until(head, taken_in, now),
        refused=tuple(refused.values()),
    )


def _today(head: Published, digests: EvidenceDigests | None) -> DayDigests:
    """What was looked at after the day was computed. A day that was computed from newer evidence
    than the digests know is ahead of them, and they say nothing of it."""
    if digests is None or (head.landed, head.recorded_at) >= (digests.landed, digests.written_at):
        return DayDigests()
    return digests.days.get(head.day, DayDigests())


def _moved_planes(head: Published, today: DayDigests) -> tuple[str, ...]:
    """Assets of the planes that are not what the recorded state names."""
    return tuple(
        asset
        for name, asset in ASSET_OF_PLANE.items()
        if name in today.planes and today.planes[name].digest not in ("", head.inputs.get(name))
    )


def _target(head: Published, today: DayDigests, policy: str, kernel: str) -> str:
    said = {
        "day": head.day,
        "evidence": {
            **head.inputs,
            **{name: one.digest or one.basis for name, one in today.planes.items()},
        },
        "refused": today.refused,
        "policy": policy,
        "kernel": kernel,
    }
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def _waits_until(head: Published, moved: tuple[str, ...], now: datetime) -> datetime | None:
    """Newly settled charges move the plane of close records too, so such a day never waits."""
    until = head.recorded_at + RESENT_WAITS
    return until if moved == (ASSET_OF_PLANE["billing"],) and now < until else None


def count_of(days: Sized) -> str:
    """How many days, in words."""
    return "1 day" if len(days) == 1 else f"{len(days):,} days"


def by_moved(days: Iterable[StaleDay]) -> Mapping[str, int]:
    """What moved -> number of days."""
    counts: dict[str, int] = {}
    for day in days:
        for name in day.moved:
            counts[name] = counts.get(name, 0) + 1
    return counts
