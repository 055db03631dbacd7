"""Deliberate mutations of an export: what each of them breaks, somebody must notice.

Belongs here: changing rows. Does not: who notices.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

Rows = list[dict[str, Any]]
Change = Callable[[dict[str, Any]], None]

_QUANTUM = Decimal(1).scaleb(-12)


def _first(test: Callable[[dict[str, Any]], Any], change: Change) -> Callable[[Rows], Rows]:
    """The rows with the first such row changed."""

    def mutate(rows: Rows) -> Rows:
        rows = copy.deepcopy(rows)
        change(next(row for row in rows if test(row)))
        return rows

    return mutate


def _set(**values: Any) -> Change:
    return lambda row: row.update(values)


def _add(name: str, amount: Decimal) -> Change:
    return lambda row: row.update({name: row[name] + amount})


def _split(row: dict[str, Any]) -> bool:
    """One of several rows of a priced line."""
    return bool(row["AllocatedMethodDetails"]) and row["ListUnitPrice"] and row["x_Leg"] == "own"


def _all(row: dict[str, Any]) -> bool:
    return True


def _swap_period(row: dict[str, Any]) -> None:
    row["ChargePeriodStart"], row["ChargePeriodEnd"] = (
        row["ChargePeriodEnd"],
        row["ChargePeriodStart"],
    )


def _ratio(row: dict[str, Any]) -> None:
    said = json.loads(row["AllocatedMethodDetails"])
    said["Elements"][0]["AllocatedRatio"] += 0.1
    row["AllocatedMethodDetails"] = json.dumps(said)


def _same_resource(rows: Rows) -> Rows:
    rows = copy.deepcopy(rows)
    group = [row for row in rows if row["x_OriginId"] == next(filter(_split, rows))["x_OriginId"]]
    group[1]["AllocatedResourceId"] = group[0]["AllocatedResourceId"]
    return rows


def _one_less(rows: Rows) -> Rows:
    at = next(number for number, row in enumerate(rows) if _split(row))
    return [*rows[:at], *rows[at + 1 :]]


def _one_twice(rows: Rows) -> Rows:
    return [*rows, next(row for row in rows if _split(row))]


def _origin_beside(rows: Rows) -> Rows:
    """The third reading of the standard: the origin kept at full cost, so that it counts twice."""
    row = next(row for row in rows if _split(row))
    return [*rows, row | {"BilledCost": row["x_SplitOriginCost"], "AllocatedResourceId": None}]


MUTATIONS: dict[str, Callable[[Rows], Rows]] = {
    "a currency that is none": _first(_all, _set(BillingCurrency="US$")),
    "a billed cost left out": _first(_all, _set(BilledCost=None)),
    "a billed cost a quantum off": _first(_split, _add("BilledCost", _QUANTUM)),
    "a billed cost a cent off": _first(_split, _add("BilledCost", Decimal("0.01"))),
    "a billed cost two cents off": _first(_split, _add("BilledCost", Decimal("0.02"))),
    "an effective cost a quantum off": _first(_split, _add("EffectiveCost", _QUANTUM)),
    "a list cost that is no product": _first(_split, _add("ListCost", Decimal("0.5"))),
    "a contracted cost a quantum off": _first(_split, _add("ContractedCost", _QUANTUM)),
    "a quantity off": _first(_split, _add("PricingQuantity", Decimal("0.000000001"))),
    "a quantity on a tax": _first(lambda row: row["ChargeCategory"] == "Tax", _set(PricingQuantity=Decimal(1))),
    "a quantity left out": _first(_split, _set(PricingQuantity=None)),
    "a category in lower case": _first(_all, _set(ChargeCategory="usage")),
    "a class that is none": _first(_all, _set(ChargeClass="Refund")),
    "a unit that is none": _first(lambda row: row["PricingUnit"], _set(PricingUnit="hrs")),
    "nested tags": _first(_all, _set(Tags='{"a": {"b": 1}}')),
    "a period that ends before it begins": _first(_all, _swap_period),
    "a period a second late": _first(
        _all, lambda row: row.update(ChargePeriodEnd=row["ChargePeriodEnd"] + timedelta(seconds=1))
    ),
    "a ratio off": _first(_split, _ratio),
    "one resource twice": _same_resource,
    "a row left out": _one_less,
    "a row twice": _one_twice,
    "an origin at full cost beside its parts": _origin_beside,
    "another tenant": _first(lambda row: row["x_TenantId"], _set(x_TenantId="tenant-z")),
    "a reason hushed up": _first(
        lambda row: row["x_UnallocatedReason"], _set(x_UnallocatedReason=None)
    ),
    "a service in two categories": _first(_split, _set(ServiceCategory="Security")),
}  # fmt: skip
