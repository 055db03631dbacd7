"""Which deliveries bill which account and period, of the bills that stand by their paths.

Belongs here: the few columns that tell it. Does not: which delivery stands (``attribution``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from attribution_pipeline.lake.landed.store import LandedView

_COLUMNS = ["object_id", "delivery", "delivery_order", "BillingAccountId", "BillingPeriodStart"]


@dataclass(frozen=True)
class BilledPeriod:
    """An object's part in the bill of an account and period. Grain: object, delivery, ``key``."""

    object_id: str
    delivery: str
    order: str
    """Sorts after every older delivery of the source."""
    key: tuple[str, str]
    """Billing account, start of the billing period."""


def billed_periods(landed: LandedView, source: str) -> list[BilledPeriod]:
    """Of one billing source. Raises Refusal naming a file that is missing or was changed."""
    current = set(landed.current_objects("billing").get(source, ()))
    files = [file for file in landed.files("billing") if file.source == source]
    landed.verify(files)
    found: dict[BilledPeriod, None] = {}
    for path in landed.local(files):
        table = pq.read_table(path, columns=_COLUMNS, partitioning=None)
        assert isinstance(table, pa.Table)
        grouped = table.group_by(_COLUMNS).aggregate([]).select(_COLUMNS)
        for object_id, delivery, order, account, start in zip(
            *(column.to_pylist() for column in grouped.columns), strict=True
        ):
            if object_id in current:
                one = BilledPeriod(object_id, delivery, order, (str(account), str(start)))
                found[one] = None
    return list(found)
