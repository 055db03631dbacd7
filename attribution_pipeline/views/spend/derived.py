"""Prices, shares and savings of a view's rows: what SQL engines would compute in floating point.

Belongs here: quotients of exact amounts, rounded once, for reading. Does not: sums (``sql/``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.money import SCALE

if TYPE_CHECKING:
    import pyarrow as pa

Record = dict[str, Any]

ROUNDED = Context(prec=100, rounding=ROUND_HALF_EVEN)
"""Products are exact in it (38 by 38 digits), quotients are cut far below what is shown."""

MILLION = 1_000_000
SHARE_DIGITS = Decimal("0.0001")
PRICE_DIGITS = Decimal("0.000001")
QUANTUM = Decimal(1).scaleb(-SCALE)

CACHED, UNCACHED = "cache_read", ("uncached_input", "input")
"""Token kinds: what a cache answered, and what the same tokens would have been without it."""


def with_quotients(name: str, rows: pa.Table, metric: str) -> pa.Table:
    """The view's rows with its quotients, before ``billing_currency``."""
    derive = DERIVED.get(name)
    if derive is None:
        return rows
    import pyarrow as pa

    at = rows.schema.get_field_index("billing_currency")
    for column, values in derive(rows.to_pylist(), metric).items():
        made = pa.array(values, pa.decimal128(38, 12))
        rows = rows.add_column(at, column, made)
        at += 1
    return rows


def _platform(rows: list[Record], metric: str) -> Mapping[str, list[Decimal | None]]:
    return {"idle_share": [quotient(row["idle"], row[metric], SHARE_DIGITS) for row in rows]}


def _business(rows: list[Record], metric: str) -> Mapping[str, list[Decimal | None]]:
    """At the ledger's last digit; null without a useful outcome, and without a cost."""
    return {
        "cost_per_useful": [quotient(row[metric], Decimal(row["useful"]), QUANTUM) for row in rows]
    }


def _model(rows: list[Record], metric: str) -> Mapping[str, list[Decimal | None]]:
    """Price per million tokens; and what cached tokens would have cost more at the uncached price
    of the same route. Null where either is unknown."""
    route = ("provider", "model", "surface", "billing_currency")
    full: dict[tuple[Any, ...], Record] = {}
    for kind in reversed(UNCACHED):
        full |= {
            tuple(row[name] for name in route): row for row in rows if row["token_kind"] == kind
        }
    prices, savings = [], []
    for row in rows:
        prices.append(price(row, metric))
        other = full.get(tuple(row[name] for name in route))
        saves = row["token_kind"] == CACHED and row["tokens"] and other and other["tokens"]
        savings.append(_saving(row, other, metric) if saves and other else None)
    return {"price_per_million": prices, "cache_saving": savings}


def _saving(cached: Record, full: Record, metric: str) -> Decimal:
    with_cache: Decimal = cached[metric]
    without = ROUNDED.multiply(full[metric], cached["tokens"])
    found = quotient(without, full["tokens"], PRICE_DIGITS)
    return (found or Decimal(0)) - with_cache.quantize(PRICE_DIGITS, ROUND_HALF_EVEN)


def price(row: Record, metric: str) -> Decimal | None:
    """Cost of a million tokens; null without tokens."""
    return quotient(ROUNDED.multiply(row[metric], Decimal(MILLION)), row["tokens"], PRICE_DIGITS)


def quotient(part: Decimal | None, whole: Decimal | None, digits: Decimal) -> Decimal | None:
    """Rounded half-even once; null where there is nothing to divide by."""
    if part is None or not whole:
        return None
    return ROUNDED.divide(part, whole).quantize(digits, ROUND_HALF_EVEN)


DERIVED: Mapping[str, Callable[[list[Record], str], Mapping[str, list[Decimal | None]]]] = {
    "business": _business,
    "platform": _platform,
    "model": _model,
}
"""View -> its quotients by column."""
