"""Removing what was planned, and the receipt that stays.

Belongs here: the order (a last look, the receipt, then removing). Does not: the choice (``pruning``),
the receipt's content (``receipts``).

Before anything goes, ``pruned/<instant>.json`` names every file that is about to: whoever later misses
one learns there that it was taken away on purpose, when, and with which digest. What a run published
since the plan was made, and what it placed again, stays.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from attribution_pipeline.lake import receipts
from attribution_pipeline.lake.custody import remove, require_removable
from attribution_pipeline.lake.pruning import named_by_newest

if TYPE_CHECKING:
    from attribution_pipeline.lake.pruning import Plan
    from attribution_pipeline.lake.tables import Lake


def apply_plan(lake: Lake, plan: Plan, now: datetime) -> tuple[int, int, int]:
    """Remove the plan's files; (files removed, their bytes, files left because they changed or are
    named by now). Raises Refusal for a bucket, and then no receipt is written."""
    require_removable(lake.storage)
    if not plan.files:
        return 0, 0, 0
    named = named_by_newest(lake)
    going = [one for one in plan.files if one.held.name not in named]
    if not going:
        return 0, 0, len(plan.files)
    said = [(one.held.name, one.held.bytes, one.why) for one in going]
    receipts.write(lake.store, now, plan.states, said)
    removed = size = 0
    for one in going:
        if remove(lake.storage, one.held):
            removed, size = removed + 1, size + one.held.bytes
    return removed, size, len(plan.files) - removed
