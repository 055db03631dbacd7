"""Whose names a packet hides: everybody that its days know of, but for the tenant.

Belongs here: collecting names. Does not: replacing them (``hiding``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attribution_pipeline.proof import replay_frozen
from attribution_pipeline.proof.packet.hiding import Hider
from attribution_pipeline.proof.packet.trace import Traced, actors

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.states import Published

NAMES_OF_WHO = ("tenant_id", "consumer_id", "principal_id", "project", "workflow_id")
"""Who-columns that name somebody. Task, feature, agent and environment are words that many share."""


def of_period(lake: Lake, states: Sequence[Published], hider: Hider, compute: Compute) -> None:
    """Whoever has a row or a call on any day of the packet is hidden on all of them."""
    from attribution_pipeline.attribution.engine import session

    listed = ", ".join(NAMES_OF_WHO)
    own: set[str] = set()
    tenants: set[str] = set()
    names: set[str] = set()
    with session(compute) as db:
        for number, state in enumerate(states):
            manifest = lake.document(state)
            operations = manifest["inputs"]["operations"]["files"]["operations"]
            db.view(f"ledger_{number}", replay_frozen.files_of(lake, manifest, "ledger"))
            db.view(f"calls_{number}", replay_frozen.verified(lake, operations))
            for tenant, *others in db.rows(
                f"select {listed} from ledger_{number} union select {listed} from calls_{number}"
            ):
                if tenant == hider.tenant:
                    own |= {tenant, *others} - {None}
                else:
                    tenants |= {tenant} - {None}
                    names |= set(others) - {None}
    hider.learn(tenants, names, own)


def of_day(trace: Traced, hider: Hider) -> None:
    """Everybody that the day knows of, and every spelling of a tenant."""
    policy = trace.found.policy
    own: set[str] = set()
    tenants: set[str] = set()
    names: set[str] = set()
    for who in actors(trace.db).values():
        said = {who[name] for name in NAMES_OF_WHO if who[name] is not None}
        if who["tenant_id"] == trace.tenant:
            own |= said
        else:
            tenants |= {who["tenant_id"]} - {None}
            names |= said
    spellings = {
        *policy.join.tenant_aliases,
        *policy.join.tenant_aliases.values(),
        *(name for pool in policy.pools for name in pool.fixed),
        *(owner.tenant for owner in policy.owners if not set(owner.tenant) & set("*?[")),
    }
    own |= {name for name in spellings if policy.tenant_alias(name) == trace.tenant}
    hider.learn(tenants | spellings, names, own)
