"""Back to the charge: where it went, and the bill's lines with their rate and invoice.

Belongs here: the page. Does not: a line's figures (``bill_lines``), how a charge is divided (``attribution``), packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from attribution_pipeline.views.dashboard import asked
from attribution_pipeline.views.dashboard.pages import bill_lines
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
    folds = bill_lines.folded(lines)
    data = _lines_table(lines)
    more: dict[str, Any] = {
        "charge": charge,
        "lines": len(lines),
        "folds": folds[: bill_lines.EACH_SHOWN],
        "more_folds": max(0, len(folds) - bill_lines.EACH_SHOWN),
        "open": bill_lines.OPEN,
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


def _lines_table(lines: Sequence[dict[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(list(lines)) if lines else pa.table({})
