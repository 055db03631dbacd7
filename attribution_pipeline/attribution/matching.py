"""Which rule takes which charge: the policy's conditions over distinct charges, once, in Python.

Belongs here: the order of rules for one charge. Does not: the order of phases (``reconcile``), or
what a condition means (``model/policy``).

A charge belongs to the first of: outside the computed range; a meter that matches and names a
model; a pool that matches; its own tenant tag; a built-in pool; nothing (``unmatched``). A pool
with ``tagged: first`` or ``driver: none`` lets the tag answer before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy, Pool

Row = Mapping[str, str | None]
Kind = Literal["outside", "meter", "split", "driver", "tag", "unused", "purchase", "unmatched"]

SURFACE_OF_CATEGORY = {
    "AI and Machine Learning": "model_inference",
    "Storage": "storage",
    "Networking": "network",
    "Management and Governance": "observability",
}
"""FOCUS ServiceCategory to surface, where a rule names none; anything else is ``other``."""

ALWAYS_READ = (
    "AllocatedTags", "ChargeCategory", "CommitmentDiscountStatus", "ResourceId", "ServiceCategory",
    "ServiceName", "Tags",
)  # fmt: skip


@dataclass(frozen=True)
class Assignment:
    """What takes a charge. ``pool`` is an index into the policy's pools, -1 where none is meant."""

    kind: Kind
    pool: int = -1
    surface: str = "other"
    provider: str | None = None
    model: str | None = None
    token_kind: str | None = None
    meter: int = -1
    tenant: str | None = None


def columns_read(policy: Policy) -> list[str]:
    """Charge columns that the policy's rules look at, sorted: charges equal in them match alike."""
    named = {column for meter in policy.meters for column in meter.match}
    named |= {column for pool in policy.pools for column in pool.match}
    named |= {meter.model.from_ for meter in policy.meters if not isinstance(meter.model, str)}
    named |= {mapping.to for mapping in policy.nodes}
    columns = set(ALWAYS_READ)
    for column in named:
        if column.startswith(("Tags.", "AllocatedTags.")):
            continue
        columns.add("x_columns" if column.startswith("x_") else column)
    return sorted(columns)


def assign(row: Row, policy: Policy, *, outside_range: bool) -> Assignment:
    """The rule that takes a charge with these columns."""
    surface = SURFACE_OF_CATEGORY.get(row.get("ServiceCategory") or "", "other")
    if outside_range:
        return Assignment("outside", surface=surface)
    from attribution_pipeline.model.policy import matches

    tags = tags_of(row)
    for index, meter in enumerate(policy.meters):
        if matches(meter.match, row, tags) and (model := meter.model_of(row, tags)) is not None:
            return Assignment(
                "meter",
                surface=meter.surface or surface,
                provider=meter.provider,
                model=model,
                token_kind=meter.token_kind,
                meter=index,
            )
    asks_tags = "resource_tag" in policy.join.identity
    # a tag that was set to nothing names nobody
    tenant = tags.get(policy.join.tenant_tag, "").strip() if asks_tags else ""
    tagged = (
        Assignment("tag", surface=surface, tenant=policy.tenant_alias(tenant)) if tenant else None
    )
    found = policy.pool_of(row, tags)
    if found is not None:
        index, pool = found
        if tagged and (pool.tagged == "first" or (pool.driver == "none" and not pool.split)):
            return tagged
        kind: Kind = "split" if pool.split else "driver"
        return Assignment(kind, pool=index, surface=_surface(pool, surface))
    if tagged:
        return tagged
    if row.get("CommitmentDiscountStatus") == "Unused":
        return Assignment("unused", surface=surface)
    if row.get("ChargeCategory") == "Purchase":
        return Assignment("purchase", surface=surface)
    return Assignment("unmatched", surface=surface)


def tags_of(row: Row) -> dict[str, str]:
    """A charge's own tags with those of its split allocation, as text by key."""
    tags: dict[str, str] = {}
    for column in ("Tags", "AllocatedTags"):
        text = row.get(column)
        if text:
            tags |= {
                key: value if isinstance(value, str) else json.dumps(value)
                for key, value in json.loads(text).items()
                if value is not None
            }
    return tags


def _surface(pool: Pool, inferred: str) -> str:
    return pool.surface or ("kubernetes" if pool.split else inferred)
