"""Back to the charge: the bill's lines, their rate and invoice, and where the charge went.

Belongs here: the page. Does not: how a charge is divided (``attribution``), packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.views.dashboard import asked
from attribution_pipeline.views.dashboard.place import Place
from attribution_pipeline.views.dashboard.sheets import (
    Column,
    merged_tail,
    sheet,
    with_word_tail,
)
from attribution_pipeline.views.dashboard.view import Page, View
from attribution_pipeline.views.spend.derived import ROUNDED

NOT_INVOICED = "not invoiced yet"

RATES = (
    ("ContractedUnitPrice", "contracted unit price"), ("ListUnitPrice", "list unit price"),
)  # fmt: skip
"""FOCUS columns that say a rate, the one that is paid first."""

RATE_DIGITS = Decimal("1e-12")

LINE_FIELDS = (
    ("ChargeDescription", "description"), ("ServiceName", "service"), ("SkuId", "SKU"),
    ("SkuMeter", "meter"), ("ResourceId", "resource"), ("RegionId", "region"),
    ("ChargeCategory", "category"), ("ChargeClass", "class"), ("PricingCategory", "pricing"),
    ("CommitmentDiscountId", "commitment"), ("CommitmentDiscountStatus", "commitment status"),
    ("SubAccountId", "sub account"), ("source", "source"), ("delivery", "delivery"),
)  # fmt: skip
"""What a reader asks of a line, and what it is called."""


def page(view: View) -> Page:
    """A charge of a day."""
    day, charge = view.place.day, view.query.get("charge", "")
    if day is None or not charge:
        raise Refusal("a charge needs its day", where="charge", remedy="open it from a call")
    lines = asked.charge_lines(view.books, day, charge)
    rows = with_word_tail(asked.charge_rows(view.books, day, charge), view.metric)
    if not lines and not rows.num_rows:
        raise Refusal(
            "there is no such charge", where=f"charge {charge} of {day}",
            remedy="go back to the call: a newer delivery of the bill may have replaced it",
        )  # fmt: skip
    records = rows.to_pylist()
    billed = _sum(lines, "billed_cost"), _sum(lines, "effective_cost")
    recorded = _sum(records, "billed_cost"), _sum(records, "effective_cost")
    bare = Place(view.place.month, day, view.place.currency)
    went = sheet(
        "charge_went_to", "Where it went", rows,
        [
            Column("component"), Column("tenant_id"), Column("feature"), Column("workflow_id"),
            Column("unallocated_reason", "reason"),
            Column(view.metric, "cost", "money"),
        ],
        metric=view.metric, total=_sum(records, view.metric),
        href=lambda row: bare.at("feature", row["feature"]).at("tenant_id", row["tenant_id"])
        .at("workflow_id", row["workflow_id"]).url("spend"),
    )  # fmt: skip
    shown = [_line(line) for line in lines]
    data = _lines_table(lines)
    more: dict[str, Any] = {
        "charge": charge,
        "lines": shown,
        "cost": _sum(records, view.metric),
        "billed": billed[0],
        "effective": billed[1],
        "recorded_billed": recorded[0],
        "recorded_effective": recorded[1],
        "ties": billed == recorded,
        "tail_of": merged_tail(records, view.metric),
        "call": view.integer("call"),
    }
    bill = sheet("charge_lines", "The bill's lines", data, [], empty="")
    return Page("charge.html", "Charge", [bill, went], more)


def _sum(records: Sequence[dict[str, Any]], cost: str) -> Decimal:
    return sum((record[cost] for record in records), Decimal(0))


def _line(line: dict[str, Any]) -> dict[str, Any]:
    """A line as a reader checks it against the invoice."""
    quantity = _decimal(line["pricing_quantity"]) or _decimal(line["consumed_quantity"])
    rate, said = _rate(line, quantity)
    return {
        "invoice": line["InvoiceId"] or NOT_INVOICED,
        "invoiced": line["InvoiceId"] is not None,
        "issuer": line["InvoiceIssuerName"] or line["ProviderName"],
        "account": line["BillingAccountId"],
        "quantity": quantity,
        "unit": line["PricingUnit"] or line["ConsumedUnit"] or "",
        "rate": rate,
        "rate_said": said,
        "list_cost": _decimal(line["list_cost"]),
        "billed": line["billed_cost"],
        "effective": line["effective_cost"],
        "currency": line["BillingCurrency"],
        "from": line["ChargePeriodStart"],
        "to": line["ChargePeriodEnd"],
        "fields": [
            (name, line[column])
            for column, name in LINE_FIELDS
            if line[column] not in (None, "", ".")
        ],
        "place": f"{line['source']}, record {line['position']} of object {line['object_id'][:16]}",
    }


def _rate(line: dict[str, Any], quantity: Decimal | None) -> tuple[Decimal | None, str]:
    """What a unit costs: as the bill says it, else the cost over the quantity."""
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


def _lines_table(lines: Sequence[dict[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(list(lines)) if lines else pa.table({})
