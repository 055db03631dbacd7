"""What planes of evidence take from a policy: where two versions agree on it, the planes are one.

Belongs here: that list, a plane at a time. Does not: computing planes (``attribution``), keeping them
(``orchestration.planes``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

OPERATIONS, KUBERNETES, CLOSES = "operations", "kubernetes", "closes"


def reads(policy: Policy, plane: str) -> Any:
    """What a plane takes from the policy; None for one that takes nothing."""
    if plane == OPERATIONS:
        return [
            policy.join.attributes, policy.join.tenant_aliases, policy.join.identity,
            [issuer.model_dump() for issuer in policy.issuers],
        ]  # fmt: skip
    if plane == KUBERNETES:
        return policy.join.tenant_label
    if plane == CLOSES:
        return policy.settlement.provisional_for.total_seconds()
    return None


def read_otherwise(one: Policy, other: Policy) -> frozenset[str]:
    """The planes that two versions read otherwise."""
    return frozenset(
        plane
        for plane in (OPERATIONS, KUBERNETES, CLOSES)
        if reads(one, plane) != reads(other, plane)
    )
