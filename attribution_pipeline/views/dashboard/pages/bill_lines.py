"""Lines of the bill as a reader checks them against the invoice; those alike but for their period as one.

Belongs here: a line's figures and words, folding. Does not: the page (``charge``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from attribution_pipeline.views.dashboard import asked
from attribution_pipeline.views.spend.derived import ROUNDED

RATES = (
    ("ContractedUnitPrice", "contracted unit price"), ("ListUnitPrice", "list unit price"),
)  # fmt: skip
"""FOCUS columns that say a rate, the one that is paid first."""

RATE_DIGITS = Decimal("1e-12")

FIELDS = (
    ("ChargeDescription", "description"), ("ServiceName", "service"), ("SkuId", "SKU"),
    ("SkuMeter", "meter"), ("ResourceId", "resource"), ("RegionId", "region"),
    ("ChargeCategory", "category"), ("ChargeClass", "class"), ("PricingCategory", "pricing"),
    ("CommitmentDiscountId", "commitment"), ("CommitmentDiscountStatus", "commitment status"),
    ("SubAccountId", "sub account"), ("source", "source"), ("delivery", "delivery"),
)  # fmt: skip
"""What a reader asks of a line, and what it is called."""

OPEN = 3
"""Cards that are open; of more lines that differ, each further one opens on a click."""

EACH_SHOWN = 50
"""Lines of a fold that are told one by one, and cards of a page; the export has every one."""

OF_ITS_OWN = ("from", "to", "place")
"""What lines that are folded may differ in."""


def folded(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lines alike but for their period as one: that line, and what it comes to with its likes.

    ``count`` lines from ``from`` to ``to``; ``billed_sum`` and ``effective_sum`` their exact sums;
    ``each`` of them, in the order of their periods.
    """
    alike: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in map(shown, lines):
        key = tuple(repr(value) for name, value in line.items() if name not in OF_ITS_OWN)
        alike.setdefault(key, []).append(line)
    return [_one(sorted(group, key=_period)) for group in alike.values()]


def _period(line: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(line["from"]), str(line["to"]), line["place"]


def _one(group: list[dict[str, Any]]) -> dict[str, Any]:
    ends = [line["to"] for line in group if line["to"] is not None]
    return group[0] | {
        "count": len(group),
        "to": max(ends, default=None),
        "billed_sum": sum((line["billed"] for line in group), Decimal(0)),
        "effective_sum": sum((line["effective"] for line in group), Decimal(0)),
        "each": group[:EACH_SHOWN],
    }


def shown(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line as a reader checks it against the invoice."""
    quantity, unit = _decimal(line["pricing_quantity"]), line["PricingUnit"]
    rate, said = _rate(line, quantity)
    if quantity is None:  # what was consumed is told in its own unit: no rate is of that
        quantity, unit = _decimal(line["consumed_quantity"]), line["ConsumedUnit"]
    return {
        "invoice": line["InvoiceId"] or asked.NOT_INVOICED,
        "invoiced": line["InvoiceId"] is not None,
        "issuer": line["InvoiceIssuerName"] or line["ProviderName"],
        "account": line["BillingAccountId"],
        "quantity": quantity,
        "unit": unit or "",
        "rate": rate,
        "rate_said": said,
        "billed": line["billed_cost"],
        "effective": line["effective_cost"],
        "currency": line["BillingCurrency"],
        "from": line["ChargePeriodStart"],
        "to": line["ChargePeriodEnd"],
        "fields": [
            (name, line[column]) for column, name in FIELDS if line[column] not in (None, "", ".")
        ],
        "place": f"{line['source']}, record {line['position']} of object {line['object_id'][:16]}",
    }


def _rate(line: Mapping[str, Any], quantity: Decimal | None) -> tuple[Decimal | None, str]:
    """What a priced unit costs: as the bill says it, else the cost over the quantity. Nothing without
    a priced quantity."""
    if quantity is None:
        return None, ""
    for column, name in RATES:
        said = _decimal(line[column])
        if said is not None:
            return _plain(said), name
    if not quantity:
        return None, ""
    each = ROUNDED.divide(line["billed_cost"], quantity).quantize(RATE_DIGITS, ROUND_HALF_EVEN)
    return _plain(each), "a unit, from cost and quantity"


def _plain(amount: Decimal) -> Decimal:
    """Without zeros behind the point that say nothing."""
    whole = amount.to_integral_value()
    return whole if amount == whole else amount.normalize()


def _decimal(text: str | None) -> Decimal | None:
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        return None
