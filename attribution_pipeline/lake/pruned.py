"""Removing what was planned, and the receipt that stays.

Belongs here: the order (receipt first), the receipt's content. Does not: the choice (``pruning``).

Before anything goes, ``pruned/<instant>.json`` names every file that is about to: whoever later misses
one learns there that it was taken away on purpose, when, and with which digest.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from attribution_pipeline.lake.checked import with_digest
from attribution_pipeline.lake.custody import remove
from attribution_pipeline.lake.store import create_once

if TYPE_CHECKING:
    from attribution_pipeline.lake.pruning import Plan
    from attribution_pipeline.lake.tables import Lake

FOLDER = "pruned"
SCHEMA = 1


def apply_plan(lake: Lake, plan: Plan, now: datetime) -> tuple[int, int, int]:
    """Remove the plan's files; (files removed, their bytes, files left because they changed)."""
    if not plan.files:
        return 0, 0, 0
    said = {
        "schema": SCHEMA,
        "pruned_at": now.isoformat(),
        "states": [{"charge_date": day, "state": state} for day, state in plan.states],
        "files": [
            {"path": one.held.name, "bytes": one.held.bytes, "why": one.why} for one in plan.files
        ],
    }
    name = f"{FOLDER}/{now.strftime('%Y%m%dT%H%M%SZ')}.json"
    create_once(lake.store, name, with_digest(said))
    removed = size = 0
    for one in plan.files:
        if remove(lake.storage, one.held):
            removed, size = removed + 1, size + one.held.bytes
    return removed, size, len(plan.files) - removed
