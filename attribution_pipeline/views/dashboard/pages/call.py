"""One model call: what it cost, from which charges, who made it, what came of it.

Belongs here: the page. Does not: the charge itself (``charge``), outcomes' join (``outcome``).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.tokens import BUCKETS
from attribution_pipeline.views.dashboard import asked
from attribution_pipeline.views.dashboard.call_outcomes import outcomes_of_call
from attribution_pipeline.views.dashboard.place import word
from attribution_pipeline.views.dashboard.sheets import (
    Column,
    Sheet,
    each_in_currency,
    in_currency,
    merged_tail,
    others_said,
    sheet,
    with_word_tail,
)
from attribution_pipeline.views.dashboard.view import NotThere, Page, View, packet_command

if TYPE_CHECKING:
    import pyarrow as pa

VERDICTS = {
    "verified": "signed, and the signature holds",
    "unsigned": "nobody signed it: what the span says is believed as far as the policy goes",
}


def page(view: View) -> Page:
    """A call by its number."""
    number, day = view.integer("call"), view.place.day
    found = asked.call(view.books, day, number) if number is not None and day else None
    if found is None or number is None or day is None:
        raise NotThere(
            "there is no such call", where=f"call {view.query.get('call', '')}",
            remedy="go back to its workflow: a day that was recorded anew keeps its calls' numbers, "
            "a call that is gone was merged into another",
        )  # fmt: skip
    place = view.place
    metric = view.metric
    every = asked.call_rows(view.books, day, found)
    rows = in_currency(every, place.currency)
    data = with_word_tail(rows, metric)
    costs = sheet(
        "charges_of_call", "What it cost, and the charges that paid for it", data,
        [
            Column("service"), Column("component"), Column("token_kind"),
            Column("weight", "its part", "count"), Column("driver_total", "of all", "count"),
            Column("driver_unit", "unit"), Column(metric, "cost", "money"),
        ],
        metric=metric, note=others_said(every, metric, place.currency),
        href=lambda row: place.on(row["charge_date"]).url(
            "charge", charge=row["charge_id"], call=number
        ),
        empty="No charge of the bill has been divided among calls like this one.",
    )  # fmt: skip
    outcomes = outcomes_of_call(view.books, day, found, view.patience_s)
    listed = _listed(view, number, outcomes) if outcomes is not None else None
    total = {
        cost: sum(rows[cost].to_pylist(), Decimal(0)) for cost in ("billed_cost", "effective_cost")
    }
    tenant = found["tenant_id"]
    more: dict[str, Any] = {
        "call": found,
        "cost": total[metric],
        "billed": total["billed_cost"],
        "tail_of": merged_tail(data.to_pylist(), metric),
        "tokens": [(word(name), found[name]) for name in BUCKETS if found[name]],
        "who": [(word(name), found[name]) for name in WHO],
        "verdict": VERDICTS.get(found["verdict"], ""),
        "outcomes": listed,
        "packet": packet_command(tenant, day, day, str(view.books.deployment.path))
        if tenant is not None else None,
    }  # fmt: skip
    sheets = [costs] if listed is None else [costs, listed]
    return Page("call.html", f"Call {number}", sheets, more)


def _listed(view: View, number: int, outcomes: pa.Table) -> Sheet:
    """What came of the call."""
    place = view.place
    mine = each_in_currency(outcomes, place.currency, lambda row: row["outcome"])
    return sheet(
        "outcomes_of_call", "What came of it", mine,
        [
            Column("kind"), Column("observed_at", "observed", "instant"), Column("value", "value", "number"),
            Column("useful", "useful", "yes"), Column("operations", "calls behind it", "count"),
            Column(view.metric, "cost of all of them", "money"),
        ],
        note=others_said(outcomes, view.metric, place.currency),
        href=lambda row: place.url("outcome", call=number, outcome=row["outcome"]),
        empty="No outcome was recorded for this call.",
    )  # fmt: skip
