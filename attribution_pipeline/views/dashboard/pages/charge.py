"""Back to the charge: the bill's lines, their rate and invoice, and where the charge went.

Belongs here: the page. Does not: how a charge is divided (``attribution``), packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from attribution_pipeline.views.dashboard import asked
from attribution_pipeline.views.dashboard.place import Place
from attribution_pipeline.views.dashboard.sheets import (
    Column,
    in_currency,
    merged_tail,
    others_said,
    sheet,
    with_word_tail,
)
from attribution_pipeline.views.dashboard.view import NotThere, Page, View
from attribution_pipeline.views.spend.derived import ROUNDED

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
        raise NotThere("a charge needs its day", where="charge", remedy="open it from a call")
    lines = asked.charge_lines(view.books, day, charge)
    every = asked.charge_rows(view.books, day, charge)
    if not lines and not every.num_rows:
        raise NotThere(
            "there is no such charge", where=f"charge {charge} of {day}",
            remedy="go back to the call: a newer delivery of the bill may have replaced it",
        )  # fmt: skip
    currency = _currency(lines, every.to_pylist()) or view.place.currency
    rows = with_word_tail(in_currency(every, currency), view.metric)
    records = rows.to_pylist()
    lines = [line for line in lines if line["BillingCurrency"] in (None, currency)]
    billed = _sum(lines, "billed_cost"), _sum(lines, "effective_cost")
    recorded = _sum(records, "billed_cost"), _sum(records, "effective_cost")
    bare = Place(view.place.month, day, currency)
    went = sheet(
        "charge_went_to", "Where it went", rows,
        [
            Column("component"), Column("tenant_id"), Column("feature"), Column("workflow_id"),
            Column("unallocated_reason", "reason"),
            Column(view.metric, "cost", "money"),
        ],
        metric=view.metric, total=_sum(records, view.metric),
        note=others_said(every, view.metric, currency),
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
        "ties": billed == recorded,
        "tail_of": merged_tail(records, view.metric),
        "currency": currency,
        "back": _back(view, day),
    }
    bill = sheet("charge_lines", "The bill's lines", data, [], empty="")
    return Page("charge.html", "Charge", [bill, went], more)


def _currency(lines: Sequence[dict[str, Any]], records: Sequence[dict[str, Any]]) -> str | None:
    """Of the charge, whatever the page it was opened from is in."""
    named = [one["billing_currency"] for one in records] + [one["BillingCurrency"] for one in lines]
    return next((name for name in named if name is not None), None)


def _back(view: View, day: date) -> str | None:
    """The call that the reader came from: on the charge's day, or on the next, where it ended."""
    number = view.integer("call")
    if number is None:
        return None
    ended = day if asked.call(view.books, day, number) is not None else day + asked.DAY
    return view.place.on(ended).url("call", call=number)


def _sum(records: Sequence[dict[str, Any]], cost: str) -> Decimal:
    return sum((record[cost] for record in records), Decimal(0))


def _line(line: dict[str, Any]) -> dict[str, Any]:
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
            (name, line[column])
            for column, name in LINE_FIELDS
            if line[column] not in (None, "", ".")
        ],
        "place": f"{line['source']}, record {line['position']} of object {line['object_id'][:16]}",
    }


def _rate(line: dict[str, Any], quantity: Decimal | None) -> tuple[Decimal | None, str]:
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


def _lines_table(lines: Sequence[dict[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(list(lines)) if lines else pa.table({})
