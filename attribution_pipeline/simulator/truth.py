"""``truth/``: for each cost what really caused it, whether that could be known, and how exactly.

Belongs here: the two truth tables and exact apportioning. Does not: what happened (``tally``), what
was charged (``charges``), how a ledger is judged by it (``proof/accuracy``).

Truth is what happened, whatever reached us. ``knowable`` says whether every carrier of a cause
reached us; it is decided here, never by the engine. ``expected_reason`` is the unallocated reason
under which honest attribution must show what is not knowable; null where it must not stay
unallocated (idle and overhead go to recipients by policy; a lost call's part of a pod goes to the
pod's other calls, which is what the bound covers).
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.model.money import SCALE

CAUSES = ("call", "workload", "usage", "tag", "platform", "idle", "commitment", "overhead", "none")

_KEY = [
    pa.field("charge_date", pa.date32()),
    *[
        pa.field(name, pa.string())
        for name in (
            "provider", "service", "sub_account_id", "resource_id", "region", "charge_category",
            "charge_class", "model", "token_kind",
        )
    ],
]  # fmt: skip

TRUTH = pa.schema(
    [
        *_KEY,
        pa.field("tenant_id", pa.string()),
        pa.field("workflow_id", pa.string()),
        pa.field("cause", pa.string()),
        pa.field("knowable", pa.bool_()),
        pa.field("expected_reason", pa.string()),
        pa.field("billed_cost", pa.decimal128(38, SCALE)),
        pa.field("effective_cost", pa.decimal128(38, SCALE)),
        pa.field("billing_currency", pa.string()),
    ]
)
"""Grain: charge x cause x tenant x workflow. Sums to the bill, exactly."""

BOUNDS = pa.schema(
    [
        *_KEY,
        pa.field("billed_cost", pa.decimal128(38, SCALE)),
        pa.field("effective_cost", pa.decimal128(38, SCALE)),
        pa.field("billing_currency", pa.string()),
    ]
)
"""Grain: charge. How much of it lost evidence and OpenCost's rounding can put on a wrong cause."""

CURRENCY = "USD"


class ChargeKey(NamedTuple):
    """What truth and ledger both know a charge by."""

    charge_date: date
    provider: str
    service: str
    sub_account_id: str | None
    resource_id: str | None
    region: str | None
    charge_category: str
    charge_class: str | None = None
    model: str | None = None
    token_kind: str | None = None


class Cause(NamedTuple):
    """One cause of a charge. Amounts in quanta."""

    tenant_id: str | None
    workflow_id: str | None
    cause: str
    knowable: bool
    expected_reason: str | None
    billed: int
    effective: int


class TruthTables:
    """Collects the truth of one day."""

    def __init__(self) -> None:
        self._causes: list[tuple[ChargeKey, Cause]] = []
        self._bounds: dict[ChargeKey, list[Fraction]] = {}

    def add(self, key: ChargeKey, causes: list[Cause]) -> None:
        self._causes += [(key, cause) for cause in causes if cause.billed or cause.effective]

    def bound(self, key: ChargeKey, billed: Fraction, effective: Fraction) -> None:
        """Bounds of the charges of one key add up."""
        sums = self._bounds.setdefault(key, [Fraction(0), Fraction(0)])
        sums[0] += billed
        sums[1] += effective

    def truth(self) -> pa.Table:
        keys = [key for key, _ in self._causes]
        causes = [cause for _, cause in self._causes]
        columns = [*_columns(keys), *_columns(causes, upto=5)]
        amounts = [money([c.billed for c in causes]), money([c.effective for c in causes])]
        return _table(TRUTH, columns, amounts)

    def bounds(self) -> pa.Table:
        keys = list(self._bounds)
        # rounded up: a bound may not lose a part of a quantum
        sums = [[-(-value // 1) for value in self._bounds[key]] for key in keys]
        amounts = [money([int(s[0]) for s in sums]), money([int(s[1]) for s in sums])]
        return _table(BOUNDS, list(_columns(keys)), amounts)


def _columns(rows: list[ChargeKey] | list[Cause], upto: int = len(ChargeKey._fields)) -> list[list]:  # type: ignore[type-arg]
    return [[row[place] for row in rows] for place in range(upto)]


def _table(schema: pa.Schema, columns: list[list], amounts: list[pa.Array]) -> pa.Table:  # type: ignore[type-arg]
    arrays = [
        pa.array(values, field.type)
        for values, field in zip(columns, list(schema)[: len(columns)], strict=True)
    ]
    rows = len(amounts[0])
    return pa.Table.from_arrays([*arrays, *amounts, pa.array([CURRENCY] * rows)], schema=schema)


def money(quanta: list[int]) -> pa.Array:
    """64-bit quanta as DECIMAL(38,12), without Python decimals."""
    low = np.array(quanta, dtype=np.int64)
    wide = np.empty((len(low), 2), dtype=np.int64)
    wide[:, 0], wide[:, 1] = low, low >> 63
    return pa.Array.from_buffers(
        pa.decimal128(38, SCALE), len(low), [None, pa.py_buffer(wide.tobytes())]
    )


def write_table(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd")


def apportion(amount: int, weights: np.ndarray) -> np.ndarray:
    """``amount`` over non-negative weights: truncated parts, left-over quanta one each in order.

    Every part is within one quantum of its exact share. 64 bits hold while the sum of weights is
    under 2**31.5, which is asserted.
    """
    total = int(weights.sum())
    if total <= 0 or total * int(weights.max()) >= 2**63:
        raise ValueError(f"cannot apportion over weights that sum to {total}")
    size = abs(amount)
    parts: np.ndarray = (size // total) * weights + (size % total) * weights // total
    left = size - int(parts.sum())
    parts[np.flatnonzero(weights)[:left]] += 1
    if amount < 0:
        np.negative(parts, out=parts)
    return parts
