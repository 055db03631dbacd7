"""From pieces to ledger rows: identity, sums and formulas, against what the packet says.

Belongs here: a row's id, what a row must say. Does not: how pieces come about (``recompute``).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from .arithmetic import amount, quanta
from .failure import RECOMPUTATION, Failed
from .pieces import Piece, Request
from .records import COSTS, WHO, Day, Record

UNIT, NULL = "\x1f", "\x1e"
ID_DIGITS = 32

OF_CHARGE = (
    "billing_period", "provider", "service", "billing_account_id", "sub_account_id", "resource_id",
    "region", "charge_category", "charge_class", "billing_currency",
)  # fmt: skip
"""What a row has from its charge."""

WORST_LAST = ("metered", "allocated", "estimated")

Key = tuple[Any, ...]


def attribution_id(row: Record) -> str:
    """sha256 over the words that identify a row, its first 32 digits."""
    words = [
        row["charge_date"], row["charge_id"], row["component"], row["leg"],
        *(row.get(column) for column in WHO),
        row.get("operation_name"), row.get("model"), row.get("token_kind"),
        row.get("unallocated_reason"),
    ]  # fmt: skip
    text = UNIT.join(NULL if word is None else str(word) for word in words)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def require_rows(day: Day, pieces: Sequence[Piece]) -> Counter[str]:
    """That the rows are exactly what the pieces add up to; rows by the kind of division."""
    made = defaultdict(list)
    for piece in pieces:
        made[_key_of_piece(day, piece)].append(piece)
    counts: Counter[str] = Counter()
    seen = set()
    for row in day.rows:
        if attribution_id(row) != row["attribution_id"]:
            raise Failed(RECOMPUTATION, f"{_name(day, row)}: its id is not that of what it says")
        key = _key_of_row(row)
        if key in seen:
            raise Failed(RECOMPUTATION, f"{_name(day, row)}: it stands twice")
        seen.add(key)
        counts[_require_row(day, row, made.get(key, []))] += 1
    for key, found in made.items():
        is_nothing = not any(map(sum, zip(*(p.amounts for p in found), strict=True)))
        if key not in seen and not is_nothing and key[0] not in day.about["held"]:
            raise Failed(
                RECOMPUTATION, f"{day.day}: charge {key[0]} gives the tenant a row that is missing"
            )
    return counts


def _require_row(day: Day, row: Record, found: Sequence[Piece]) -> str:
    if row["charge_id"] in day.about["held"]:
        _require_held(day, row)
        return "held"
    sums = [sum(piece.amounts[n] for piece in found) for n in range(len(COSTS))]
    for cost, total in zip(COSTS, sums, strict=True):
        if quanta(row[cost]) != total:
            raise Failed(
                RECOMPUTATION,
                f"{_name(day, row)}: {cost} is {row[cost]}, recomputed {amount(total)}",
            )
    if not found:
        return "zero"
    for column, value in _formula(day, found).items():
        if row.get(column) != value:
            raise Failed(
                RECOMPUTATION,
                f"{_name(day, row)}: {column} is {row.get(column)}, recomputed {value}",
            )
    _require_charge(day, row)
    return found[0].kind


def _require_held(day: Day, row: Record) -> None:
    """Only a policy that holds closed periods takes a row out of the recomputation."""
    settlement = day.policy.get("settlement", {})
    if settlement.get("closed_period") != "hold" or row["settlement"] == "provisional":
        raise Failed(RECOMPUTATION, f"{_name(day, row)}: nothing holds it as it was")


def _formula(day: Day, found: Sequence[Piece]) -> dict[str, str | None]:
    quantities = [piece.quantity for piece in found if piece.quantity is not None]
    totals = [piece.total for piece in found if piece.total is not None]
    return {
        "basis": min(piece.basis for piece in found),
        "method": min(piece.method for piece in found),
        "driver": _least(piece.driver for piece in found),
        "driver_unit": _least(piece.unit for piece in found),
        "driver_quantity": str(max(quantities)) if quantities else None,
        "driver_total": str(max(totals)) if totals else None,
        "confidence": max((piece.confidence for piece in found), key=WORST_LAST.index),
        "pool": _least(day.parts[piece.part].get("pool") for piece in found),
        "surface": _least(day.parts[piece.part].get("surface") for piece in found),
    }


def _least(words: Iterable[str | None]) -> str | None:
    return min((word for word in words if word is not None), default=None)


def _require_charge(day: Day, row: Record) -> None:
    charge = day.charges[row["charge_id"]]
    for column in OF_CHARGE:
        if row.get(column) != charge.get(column):
            raise Failed(RECOMPUTATION, f"{_name(day, row)}: its {column} is not its charge's")


def require_requests(day: Day, requests: Sequence[Request]) -> int:
    """That request level says what operations have; how many rows of it were compared."""
    sums: dict[tuple[str, str, str, str | None], list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in requests:
        charge = day.parts[one.part]["charge"]["charge_id"]
        if charge in day.about["held"]:
            continue
        found = sums[charge, one.operation_key, one.component, one.token_kind]
        found[0] = max(found[0], one.weight)
        found[1] += one.amounts[0]
        found[2] += one.amounts[1]
    rows = {row["attribution_id"]: row for row in day.rows}
    compared = 0
    for cost in day.request_costs:
        row = rows[cost["attribution_id"]]
        if row["charge_id"] in day.about["held"]:
            continue
        key = (row["charge_id"], cost["operation_key"], row["component"], row.get("token_kind"))
        stated = [int(cost["weight"]), *(quanta(cost[name]) for name in COSTS)]
        if sums.pop(key, None) != stated:
            raise Failed(
                RECOMPUTATION,
                f"{_name(day, row)}: operation {cost['operation_key']} has otherwise of it",
            )
        compared += 1
    if sums:
        charge, operation, *_ = min(sums, key=str)
        raise Failed(
            RECOMPUTATION, f"{day.day}: operation {operation} has no request cost of {charge}"
        )
    return compared


def _key_of_piece(day: Day, piece: Piece) -> Key:
    charge = day.parts[piece.part]["charge"]["charge_id"]
    return (charge, piece.component, piece.leg, piece.who, piece.operation_name, piece.model,
            piece.token_kind)  # fmt: skip


def _key_of_row(row: Record) -> Key:
    who = tuple(row.get(column) for column in WHO)
    return (row["charge_id"], row["component"], row["leg"], who, row.get("operation_name"),
            row.get("model"), row.get("token_kind"))  # fmt: skip


def _name(day: Day, row: Record) -> str:
    return f"{day.day}: row {row['attribution_id']}"
