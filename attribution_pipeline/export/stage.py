"""From a day's charges to staged tables, a chunk at a time, with the count of everything.

Belongs here: the order of rows, what is tallied. Does not: single charges (``allocation``), columns
(``rows``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.export.allocation import METRICS, Line, Part, allocated
from attribution_pipeline.export.classes import Rules, classes, of_row
from attribution_pipeline.export.columns import UNIT_PRICES
from attribution_pipeline.export.parts import Number
from attribution_pipeline.export.rows import Chunk
from attribution_pipeline.model.cutting import cut
from attribution_pipeline.model.money import SCALE

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.export.origins import Charge
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.model.policy import Policy

CHUNK_ROWS = 10_000
"""Allocated rows that are held before they are staged."""

_WIDE = Context(prec=60)
"""DECIMAL(38,12) has 38 digits."""

OF_ROW = ("billed_cost", "effective_cost", "pool", "basis", "tenant_id", "principal_id",
          "driver_quantity", "driver_unit")  # fmt: skip
SLICED = {"ListCost": "list_cost", "PricingQuantity": "pricing_quantity",
          "ConsumedQuantity": "consumed_quantity"}  # fmt: skip
"""Metrics that the day's bill has its own part of, under another name; the rest are the line's."""
INSTANTS = ("ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd")
UNSLICED = tuple(name for name in METRICS if name not in SLICED)
OF_LINE = ("billed_cost", "effective_cost", "outside_range", "PrincipalId", "is_cut", "charge_day",
           *INSTANTS, *SLICED.values(), *(f"whole_{name}" for name in SLICED), *UNSLICED,
           *UNIT_PRICES)  # fmt: skip


@dataclass
class Tally:
    """What an export comes to; nothing is left out without standing here."""

    lines: int = 0
    """Lines of the bill, each once for every one of its days that is in the export."""
    rows: int = 0
    lines_as_they_are: int = 0
    ledger_rows: int = 0
    ledger_rows_at_zero: int = 0
    ledger_rows_without_a_line: int = 0
    quanta: Counter[tuple[str, str, str | None, str]] = field(default_factory=Counter)
    """(currency, confidence, unallocated reason, cost) to quanta."""


class Stager:
    """Charges of one day in, staged tables out. ``tenant``: only what is that tenant's."""

    def __init__(
        self, state: Published, policy: Policy, tally: Tally, *, tenant: str | None = None
    ) -> None:
        self._state = state
        self._rules = Rules(policy)
        self._method = f"{state.policy}@{state.policy_version}"
        self._tenant = tenant
        self._tally = tally
        self._columns = sorted({*self._rules.columns, *OF_LINE} - {*SLICED})

    def stage(self, charges: Iterable[Charge]) -> Iterator[pa.Table]:
        """The rows of every charge, in the order of charges, rules, lines and attribution ids."""
        chunk = Chunk()
        for charge in charges:
            if charge.lines is None:
                self._tally.ledger_rows_without_a_line += len(_cancelling(charge))
                continue
            chunk.begin(charge)
            for part, method in self._parts(charge):
                chunk.add(part, method)
                if len(chunk) >= CHUNK_ROWS:
                    yield self._table(chunk)
                    chunk = Chunk()
                    chunk.begin(charge)
        yield self._table(chunk)

    def _parts(self, charge: Charge) -> Iterator[tuple[Part, str]]:
        assert charge.lines is not None
        records = charge.lines.select(self._columns).to_pylist()
        rows = _rows(charge)
        lines = [_line(record) for record in records]
        self._tally.lines += len(lines)
        self._tally.ledger_rows += len(rows)
        keyed = [
            (*self._rules.of_line(record), (line.billed, line.effective))
            for line, record in zip(lines, records, strict=True)
        ]
        of_rows = [(of_row(row), (row["billed"], row["effective"])) for row in rows]
        for found in classes(keyed, of_rows, charge.charge_id):
            method = f"{self._method}/{found.rule}"
            for part in allocated(found, lines, rows):
                yield part, method

    def _table(self, chunk: Chunk) -> pa.Table:
        import pyarrow.compute as pc

        table = chunk.table(self._state)
        if self._tenant is not None:
            table = table.filter(pc.equal(table["x_TenantId"], self._tenant))
        self._count(table)
        return table

    def _count(self, table: pa.Table) -> None:
        tally = self._tally
        tally.rows += table.num_rows
        tally.lines_as_they_are += table["x_AttributionId"].null_count
        names = ("BillingCurrency", "x_Confidence", "x_UnallocatedReason")
        costs = ("BilledCost", "EffectiveCost")
        found = [table[name].to_pylist() for name in (*names, *costs)]
        for currency, confidence, reason, *amounts in zip(*found, strict=True):
            for cost, text in zip(costs, amounts, strict=True):
                tally.quanta[currency, confidence, reason, cost] += Number.of(text).at(SCALE)


def _rows(charge: Charge) -> list[dict[str, Any]]:
    """The ledger's rows of a charge, with ``billed`` and ``effective`` in quanta."""
    rows = [] if charge.rows is None else charge.rows.select(OF_ROW).to_pylist()
    for row in rows:
        row["billed"] = _quanta(row["billed_cost"])
        row["effective"] = _quanta(row["effective_cost"])
    return rows


def _cancelling(charge: Charge) -> list[dict[str, Any]]:
    """What a closed period holds of a charge that its vendor took back. Raises Broken where it does not
    cancel out."""
    rows = _rows(charge)
    classes(
        [], [(of_row(row), (row["billed"], row["effective"])) for row in rows], charge.charge_id
    )
    return rows


def _line(record: Mapping[str, Any]) -> Line:
    numbers = {name: _number(record[sliced]) for name, sliced in SLICED.items()}
    whole = dict(numbers)
    of_line = {name: _number(record[name]) for name in UNSLICED}
    if record["is_cut"]:
        whole = {name: _number(record[f"whole_{name}"]) for name in SLICED}
        days = cut(*(_microseconds(record[name]) for name in INSTANTS))
        at = days.days.index(record["charge_day"])
        numbers |= {
            name: None if number is None else Number.of(days.divide_text(record[name])[at])
            for name, number in of_line.items()
        }
    else:
        numbers |= of_line
    prices = {name: _number(record[name]) for name in UNIT_PRICES}
    return Line(
        _quanta(record["billed_cost"]), _quanta(record["effective_cost"]), numbers,
        {**whole, **of_line, **prices},
    )  # fmt: skip


def _number(text: str | None) -> Number | None:
    return None if text is None else Number.of(text)


def _quanta(amount: Decimal) -> int:
    return int(_WIDE.scaleb(amount, SCALE))


def _microseconds(instant: Any) -> int:
    from datetime import UTC, datetime, timedelta

    passed: int = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return passed
