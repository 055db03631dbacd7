"""What one division gives the tenant, before pieces of one identity are added up to a ledger row.

Belongs here: the piece, quantities that an operation weighs. Does not: divisions, rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from .arithmetic import adjusted
from .records import Amounts, Record, Who

BUCKETS = (
    "uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other",
    "visible_output", "reasoning",
)  # fmt: skip
KINDS = {
    **{bucket: (bucket,) for bucket in BUCKETS},
    "input": BUCKETS[:5],
    "cache_write": BUCKETS[2:5],
    "output": BUCKETS[5:],
    "total": BUCKETS,
}
"""What a meter's ``token_kind`` adds up."""

UNITS = {"active_time": "ms", "gpu_time": "ms", "requests": "requests", "tokens": "tokens"}
"""Drivers that an operation has a quantity of."""


@dataclass(frozen=True)
class Piece:
    """One part of a division that is the tenant's. ``kind``: by which report line it is counted."""

    kind: str
    part: int
    component: str
    leg: str
    basis: str
    method: str
    who: Who
    amounts: Amounts
    confidence: str
    operation_name: str | None = None
    model: str | None = None
    token_kind: str | None = None
    driver: str | None = None
    unit: str | None = None
    quantity: int | None = None
    total: int | None = None


@dataclass(frozen=True)
class Request:
    """What one operation has of one part of a charge."""

    part: int
    operation_key: str
    component: str
    token_kind: str | None
    weight: int
    amounts: Amounts


def tokens(operation: Record, kind: str) -> int:
    """An operation's tokens of a kind, for all calls that it stands for."""
    seen = sum(int(operation.get(bucket) or 0) for bucket in KINDS[kind])
    return adjusted(seen, int(operation["counted"]), int(operation["of_sampled"]))


def quantity(operation: Record, driver: str) -> int:
    """What an operation weighs under a driver. Tokens and requests count on the day of its end, active
    time on every day that it touches."""
    counted, of_sampled = int(operation["counted"]), int(operation["of_sampled"])
    if driver == "active_time" or (driver == "gpu_time" and operation["on_gpu"]):
        return adjusted(int(operation["active_ms"]), counted, of_sampled)
    if driver == "requests" and operation["ends_today"]:
        return adjusted(1, counted, of_sampled)
    if driver == "tokens" and operation["ends_today"]:
        return tokens(operation, "total")
    return 0
