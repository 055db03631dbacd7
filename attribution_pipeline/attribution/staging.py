"""Rows that no division makes: an amount that stays whole, for a tenant or open.

Belongs here: adding such rows to ``staged``. Does not: why a charge gets one (the phases).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.kernel import billed_actor

NOBODY = 1
"""``who_id`` of the empty set of who-columns (``sql/phases/operations.sql``)."""

UNVERIFIED = 2
"""``who_id`` of whoever was named and is not believed."""


class OpenRow(NamedTuple):
    """One whole amount of a portion with its reason. ``amounts``: quanta, None for all of it."""

    portion_id: int
    component: str
    leg: str
    reason: str
    amounts: tuple[int, int] | None = None


def add_open_rows(db: Session, rows: Sequence[OpenRow]) -> None:
    """Rows of basis ``none`` that nobody pays for."""
    import pyarrow as pa

    if not rows:
        return
    wide = pa.decimal128(38, 0)
    db.load(
        "open_rows",
        pa.table(
            {
                "portion_id": pa.array([row.portion_id for row in rows], pa.int64()),
                "component": pa.array([row.component for row in rows], pa.string()),
                "leg": pa.array([row.leg for row in rows], pa.string()),
                "reason": pa.array([row.reason for row in rows], pa.string()),
                "billed": pa.array([row.amounts and row.amounts[0] for row in rows], wide),
                "effective": pa.array([row.amounts and row.amounts[1] for row in rows], wide),
            }
        ),
    )
    db.execute(
        f"""
        insert into staged
        select o.portion_id, o.component, o.leg, 'none',
               -- what is left of a division is nobody's; a whole charge keeps the bill's principal
               case when o.billed is null then coalesce(a.who_id, {NOBODY}) else {NOBODY} end,
               null, null, null, o.reason, o.reason, 'none', null, null, null, null, 'unallocated',
               coalesce(cast(o.billed as {db.integer}), p.billed),
               coalesce(cast(o.effective as {db.integer}), p.effective)
        from open_rows o join portions p on p.portion_id = o.portion_id
        left join actors a on p.principal_id is not null
            and a.actor_key = {billed_actor("null", "p.principal_id")};
        drop table open_rows
        """
    )
