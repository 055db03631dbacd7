"""What people look at: spend by outcome, product, workflow, model, platform and owner; what stands out.

Belongs here: the views, each one SQL file over the daily roll-ups, and their sums. Does not: the roll-ups
(``views.daily``), how rows are laid out (``output``, the dashboard), outcomes and reservations
themselves (``views.outcomes``, ``views.reservations``).

Every view carries the same tail: both costs, how sure they are (by confidence), what may still move
(provisional) and under which policy versions they stand. So no number is shown without these.
"""

from __future__ import annotations

from attribution_pipeline.views.spend.register import VIEWS, View
from attribution_pipeline.views.spend.table import spend_view

__all__ = ["VIEWS", "View", "spend_view"]
