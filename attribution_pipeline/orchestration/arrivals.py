"""Whether there is something to land or to look at again, told from listings and one small file.

Belongs here: what makes a landing run worth its while. Does not: runs (``attempts``, ``sensors``),
landing (``sources``), Dagster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attribution_pipeline.lake.manifest import canonical
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.digests import (
    EvidenceDigests,
    last_digests,
    policies_digest,
)

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.house import House


@dataclass(frozen=True)
class Arrivals:
    """What lies in the sources and has not been landed, and what the digests have not seen."""

    unseen: int
    """Objects that can be landed now, new ones and those that are to be read again."""
    example: str
    """One of them."""
    awaiting: Mapping[str, int]
    """Objects that are held back, by reason."""
    behind: tuple[str, ...]
    """Why the evidence digests are to be looked at again, in words; empty where they are not."""
    landed: int
    """Number of the newest landing."""
    again: int
    """How many of ``unseen`` are landed, and to be read again for attributes that policies name."""
    key: str
    """Digest of all that: one landing run answers it."""

    @property
    def reasons(self) -> list[str]:
        """Why to land, in words; empty where there is nothing to do."""
        again = f", {self.again:,} of them to read again for span attributes" if self.again else ""
        new = f"{self.unseen:,} new objects, {self.example} first{again}"
        objects = [new] if self.unseen else []
        return [*objects, *self.behind]

    @property
    def why(self) -> str:
        """The reasons in one line."""
        return "; ".join(self.reasons)

    @property
    def held_back(self) -> str:
        """What waits in the sources, in words; empty where nothing does."""
        return ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.awaiting.items()))


def arrivals(house: House) -> Arrivals:
    """Look at every source's listing, the landed index, policies folder, keys and digests.

    Raises Refusal where a source is not there, the index is damaged or keys can't be read.
    """
    from attribution_pipeline.orchestration.span_attributes import names_of_days
    from attribution_pipeline.sources.unseen import unseen

    house.deployment.require_inputs()
    try:
        names = names_of_days(house, house.policies)
    except Refusal:
        names = (
            None  # the folder was changed, which is a reason to land; that run says what is wrong
        )
    found = unseen(house.sources, house.landed, house.now(), names)
    landed = house.landed.head[0]
    digests = last_digests(house)
    policies = policies_digest(house)
    keys = house.keys.fingerprint()
    behind = _behind(house, digests, landed, policies, keys)
    said = {
        "unseen": sorted(found.objects),
        "landed": landed,
        # written anew by the run that this asks for, so that what comes back asks again
        "digests": digests.written_at if digests and behind else None,
        "policies": policies if behind else None,
        "keys": keys if behind else None,
        "behind": behind,
    }
    first = found.objects[0] if found.objects else ("", "", "", "")
    return Arrivals(
        unseen=len(found.objects),
        example=f"{first[0]} {first[1]}: {first[2]}",
        awaiting=dict(found.awaiting),
        behind=behind,
        landed=landed,
        again=found.again,
        key=hashlib.sha256(canonical(said).encode()).hexdigest(),
    )


def _behind(
    house: House, digests: EvidenceDigests | None, landed: int, policies: str, keys: str
) -> tuple[str, ...]:
    if digests is None:
        return ("evidence was never looked at",)
    today = house.now().date()
    reasons = []
    if digests.landed < landed:
        reasons.append(f"landing {landed:,} came after evidence was looked at")
    if digests.policies != policies:
        reasons.append("the policies folder was changed")
    if digests.keys != keys:
        reasons.append("the keys of identity envelopes were changed")
    if digests.written_at.date() != today:
        reasons.append(f"it is {today}: charges settle with time")
    return tuple(reasons)
