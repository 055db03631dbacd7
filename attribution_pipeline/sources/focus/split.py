"""Split cost allocation: allocated rows stay, an origin row beside them must not count twice.

Belongs here: recognising origin rows. Does not: dividing anything.

FOCUS 1.3, data generator-calculated split cost allocation: for every origin charge the allocated
rows sum to the origin's costs and repeat its dimensions; nothing ties them to it. Three readings
are in circulation (facts: FOCUS PR #2494, #2395): the origin left out, kept at zero, or kept at
full cost. Only the last would count twice.
"""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from attribution_pipeline.sources.batch import Rejected
from attribution_pipeline.sources.focus.columns import COSTS

REASON = "split_origin_full_cost"

ORIGIN_DIMENSIONS = (
    "AllocatedMethodId", "AvailabilityZone", "BillingAccountId", "BillingCurrency",
    "ChargeCategory", "ChargeClass", "CommitmentDiscountId", "CommitmentDiscountStatus",
    "InvoiceId", "PricingCategory", "RegionId", "ResourceId", "ServiceName", "SkuId", "SkuPriceId",
    "SubAccountId",
)  # fmt: skip
_PERIODS = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")

ROUNDING_SHARE = Decimal("0.001")
"""How far allocated rows may miss their origin, as a share of it, and still be all of it: exports
round parts to cents (focus-data-toolkit allows 1e-4 on ratios). Anything farther off is a part of
its own: the unallocated rest, say."""

Sums = tuple[Decimal, Decimal]


class SplitOrigins:
    """Holds back rows that look like a full-cost origin until all rows of the file are known.

    Memory: one sum per origin charge that has allocated rows, and the rows held back.
    """

    def __init__(self) -> None:
        self._allocated: dict[str, Sums] = defaultdict(lambda: (Decimal(0), Decimal(0)))
        self._held: list[tuple[pa.Table, list[str]]] = []

    def pass_through(self, rows: pa.Table) -> pa.Table:
        """The rows that can land now."""
        split = pc.is_valid(rows["AllocatedMethodId"])
        if not pc.any(split).as_py():
            return rows
        suspect = pc.and_(split, _looks_like_origin(rows))
        self._remember(rows.filter(pc.and_(split, pc.invert(suspect))))
        held = rows.filter(suspect)
        if held.num_rows:
            self._held.append((held, _origin_keys(held)))
        return rows.filter(pc.invert(suspect))

    def finish(self) -> tuple[list[pa.Table], list[Rejected]]:
        """Of the rows held back: those that land after all, and those that would count twice."""
        totals: dict[str, Sums] = defaultdict(lambda: (Decimal(0), Decimal(0)))
        for table, keys in self._held:
            for key, costs in zip(keys, _costs(table), strict=True):
                totals[key] = _add(totals[key], costs)
        double = {key for key, total in totals.items() if self._is_all_of(key, total)}
        landed: list[pa.Table] = []
        rejected: list[Rejected] = []
        for table, keys in self._held:
            origin = pa.array([key in double for key in keys], pa.bool_())
            landed.append(table.filter(pc.invert(origin)))
            rejected += [
                Rejected(
                    position,
                    REASON,
                    "an origin row at full cost beside the rows that it was split into: "
                    "it would count twice",
                )
                for position in table.filter(origin)["position"].to_pylist()
            ]
        self._held.clear()
        return [table for table in landed if table.num_rows], rejected

    def _remember(self, allocated: pa.Table) -> None:
        if allocated.num_rows == 0:
            return
        keyed = pa.table(
            [pa.array(_origin_keys(allocated)), *[allocated[name] for name in COSTS]],
            names=["key", *COSTS],
        )
        sums = keyed.group_by("key").aggregate([(name, "sum") for name in COSTS])
        for row in sums.to_pylist():
            key = row["key"]
            part = (row[f"{COSTS[0]}_sum"], row[f"{COSTS[1]}_sum"])
            self._allocated[key] = _add(self._allocated[key], part)

    def _is_all_of(self, key: str, total: Sums) -> bool:
        if key not in self._allocated:
            return False
        return all(
            abs(allocated - origin) <= abs(origin) * ROUNDING_SHARE
            for allocated, origin in zip(self._allocated[key], total, strict=True)
        )


def _looks_like_origin(rows: pa.Table) -> pa.ChunkedArray:
    """Method named, nobody allocated to, no ratio, and not zeroed."""
    bare = pc.is_null(rows["AllocatedResourceId"])
    for name in ("AllocatedResourceName", "AllocatedTags"):
        bare = pc.and_(bare, pc.is_null(rows[name]))
    zeroed = pc.and_(*[pc.equal(rows[name], pa.scalar(Decimal(0))) for name in COSTS])
    candidate = pc.and_(bare, pc.invert(zeroed))
    if not pc.any(candidate).as_py():
        return candidate
    details = rows["AllocatedMethodDetails"].to_pylist()
    parts = pa.array([_has_elements(text) for text in details], pa.bool_())
    return pc.and_(candidate, pc.invert(parts))


def _has_elements(details: str | None) -> bool:
    """Whether AllocatedMethodDetails names a share: an origin's Elements are empty, or absent."""
    if details is None:
        return False
    try:
        document = json.loads(details)
    except ValueError:
        return False
    return isinstance(document, dict) and bool(document.get("Elements"))


def _origin_keys(rows: pa.Table) -> list[str]:
    columns = [rows[name].fill_null("\0") for name in ORIGIN_DIMENSIONS]
    columns += [rows[name].cast(pa.int64()).cast(pa.string()) for name in _PERIODS]
    joined = pc.binary_join_element_wise(*columns, "\x1f")
    return cast("list[str]", joined.to_pylist())


def _costs(rows: pa.Table) -> list[Sums]:
    return list(zip(*[rows[name].to_pylist() for name in COSTS], strict=True))


def _add(left: Sums, right: Sums) -> Sums:
    return left[0] + right[0], left[1] + right[1]
