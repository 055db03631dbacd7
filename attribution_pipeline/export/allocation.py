"""A charge's lines and ledger rows to allocated rows: every metric of a line by the rows that share it.

Belongs here: which metric is divided how. Does not: the arithmetic (``parts``), texts of a row
(``rows``).

- Billed and effective cost: what the ledger posted, laid over the lines.
- Quantities: by the ledger's shares, largest remainder at 1e-9.
- List and contracted cost: the line's unit price x the part's quantity, in full scale, where that
  product is the line's cost. Their sum is then exact, and each row keeps the rule of FOCUS. Where the
  line itself breaks that rule (rounded by its vendor), or has no unit price: by the same shares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attribution_pipeline.export import parts
from attribution_pipeline.export.classes import Class
from attribution_pipeline.export.parts import QUANTITY_SCALE, Number, plain
from attribution_pipeline.model.money import SCALE

PRICED = {
    "ListCost": ("ListUnitPrice", "PricingQuantity"),
    "ContractedCost": ("ContractedUnitPrice", "PricingQuantity"),
}
"""Cost = unit price x quantity (FOCUS 1.2, ListCost and ContractedCost)."""

SHARED = ("PricingQuantity", "ConsumedQuantity", "CommitmentDiscountQuantity")
"""Divided at 1e-9."""

IN_PRICING_CURRENCY = "PricingCurrencyEffectiveCost"

METRICS = (*SHARED, *PRICED, IN_PRICING_CURRENCY)
"""Of a line, as text; billed and effective cost are the ledger's."""

UNITS = {"tokens": "Tokens", "ms": "Milliseconds", "requests": "Requests"}
"""Units of drivers as FOCUS, UnitFormat, spells them. What else weighs stands in ``x_Driver...``."""

DIVIDING = frozenset(("operations", "workload", "driver"))
"""Bases of a row that a rule divided out to somebody; ``tag`` and ``none`` leave a charge whole."""


@dataclass(frozen=True)
class Line:
    """The metrics of a line, or of its slice of a day."""

    billed: int
    effective: int
    numbers: Mapping[str, Number | None]
    """``METRICS``, as far as the bill has them: of the slice."""
    whole: Mapping[str, Number | None]
    """The same with unit prices, of the whole line where it was cut into days: of that the product
    rule is asked."""


@dataclass(frozen=True)
class Part:
    """One allocated row: which line, which ledger row (None: the line as it is), its metrics."""

    line: int
    row: int | None
    metrics: Mapping[str, str | None]
    details: str | None
    """AllocatedMethodDetails; None where the line is not divided, or its shares are no ratios."""
    is_split: bool


def allocated(
    found: Class, lines: Sequence[Line], rows: Sequence[Mapping[str, Any]]
) -> Iterator[Part]:
    """The parts of every line of a class, line by line. ``rows``: all of the charge, with ``billed`` and
    ``effective`` in quanta."""
    members = [rows[number] for number in found.rows]
    if not members:
        yield from (_as_it_is(number, lines[number]) for number in found.lines)
        return
    billed = parts.over_lines(
        [m["billed"] for m in members], [lines[n].billed for n in found.lines]
    )
    effective = parts.over_lines(
        [m["effective"] for m in members], [lines[n].effective for n in found.lines]
    )
    weights = [m["effective"] for m in members]
    if not any(weights):
        weights = [m["billed"] for m in members]
    is_split = len(members) > 1 or members[0]["basis"] in DIVIDING
    details = _details(members, weights) if is_split else [None] * len(members)
    for number, of_billed, of_effective in zip(found.lines, billed, effective, strict=True):
        line = lines[number]
        if _says_nothing(line) and not any(of_billed) and not any(of_effective):
            yield _as_it_is(number, line)
            continue
        metrics = _metrics(line, weights)
        for at, row in enumerate(found.rows):
            yield Part(
                number,
                row,
                {
                    "BilledCost": plain(of_billed[at], SCALE),
                    "EffectiveCost": plain(of_effective[at], SCALE),
                    **{
                        name: None if texts is None else texts[at]
                        for name, texts in metrics.items()
                    },
                },
                details[at],
                is_split,
            )


def _says_nothing(line: Line) -> bool:
    """No cost, and nothing that is not zero."""
    return not any(number and number.digits for number in line.numbers.values()) and not (
        line.billed or line.effective
    )


def _as_it_is(number: int, line: Line) -> Part:
    metrics: dict[str, str | None] = {
        name: None if texts is None else texts[0] for name, texts in _metrics(line, [1]).items()
    }
    metrics |= {
        "BilledCost": plain(line.billed, SCALE),
        "EffectiveCost": plain(line.effective, SCALE),
    }
    return Part(number, None, metrics, None, False)


def _details(members: Sequence[Mapping[str, Any]], weights: Sequence[int]) -> list[str | None]:
    """FOCUS 1.3, AllocatedMethodDetails: ratio, and what it was measured by where that is one unit."""
    ratios = parts.ratios(weights)
    if ratios is None:
        return [None] * len(members)
    units = {member["driver_unit"] for member in members} - {None}
    found: list[str | None] = []
    for member, ratio in zip(members, ratios, strict=True):
        said = f'"AllocatedRatio":{plain(ratio, parts.RATIO_SCALE)}'
        unit = UNITS.get(member["driver_unit"])
        if len(units) == 1 and unit and member["driver_quantity"] is not None:
            said += f',"UsageQuantity":{member["driver_quantity"]:f},"UsageUnit":"{unit}"'
        found.append(f'{{"Elements":[{{{said}}}]}}')
    return found


def _metrics(line: Line, weights: Sequence[int]) -> dict[str, list[str] | None]:
    """Every other metric of a line, by row; None where the line has none."""
    shares: dict[str, _Shares] = {}
    for name, number in line.numbers.items():
        if number is not None and name in SHARED:
            shares[name] = _divided(number, weights, QUANTITY_SCALE)
    for name, number in line.numbers.items():
        if number is not None and name in (*PRICED, IN_PRICING_CURRENCY):
            shares[name] = _priced(line, name, shares) or _divided(number, weights, SCALE)
    return {
        name: [plain(part, found.scale) for part in found.parts]
        if (found := shares.get(name))
        else None
        for name in METRICS
    }


@dataclass(frozen=True)
class _Shares:
    """A number by row, in 10**-scale."""

    parts: Sequence[int]
    scale: int


def _divided(number: Number, weights: Sequence[int], least: int) -> _Shares:
    scale = max(least, number.scale)
    return _Shares(parts.by_weights(number.at(scale), weights), scale)


def _priced(line: Line, cost: str, shares: Mapping[str, _Shares]) -> _Shares | None:
    """Unit price x quantity of each part, where the whole line's cost is that product."""
    if cost not in PRICED:
        return None
    price, quantity, product = (line.whole.get(name) for name in (*PRICED[cost], cost))
    if price is None or quantity is None or product is None:
        return None
    if not price.times(quantity).equals(product):
        return None
    divided = shares[PRICED[cost][1]]
    return _Shares([price.digits * part for part in divided.parts], price.scale + divided.scale)
