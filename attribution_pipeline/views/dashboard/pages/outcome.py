"""One outcome: what was reported, which calls are behind it, what they cost together.

Belongs here: the page. Does not: the join (``call_outcomes``).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attribution_pipeline.views.dashboard import asked
from attribution_pipeline.views.dashboard.call_outcomes import calls_of_outcome, outcomes_of_call
from attribution_pipeline.views.dashboard.sheets import (
    Column,
    each_in_currency,
    merged_tail,
    others_said,
    sheet,
)
from attribution_pipeline.views.dashboard.view import NotThere, Page, View


def page(view: View) -> Page:
    """An outcome of a call."""
    number, day = view.integer("call"), view.place.day
    call = asked.call(view.books, day, number) if number is not None and day else None
    wanted = view.query.get("outcome", "")
    rows: list[dict[str, Any]] = []
    if call is not None and day is not None:
        found = outcomes_of_call(view.books, day, call)
        assert found is not None, "it was waited for"
        rows = [row for row in found.to_pylist() if row["outcome"] == wanted]
    if call is None or day is None or not rows:
        raise NotThere(
            "there is no such outcome", where=f"outcome {wanted}", remedy="go back to its call"
        )
    every = calls_of_outcome(view.books, day, call, wanted)
    metric = view.books.metric_of(day, day)  # what ``call_outcomes`` sums by
    currency = view.place.currency
    calls = each_in_currency(
        every, currency, lambda row: (row["charge_date"], row["operation_number"])
    )
    behind = sheet(
        "calls_of_outcome", "Calls behind it", calls,
        [
            Column("started_at", "started", "instant"), Column("model"), Column("agent"),
            Column(metric, "cost", "money"),
        ],
        metric=metric, note=others_said(every, metric, currency),
        href=lambda row: view.place.on(row["charge_date"]).url(
            "call", call=row["operation_number"]
        ),
    )  # fmt: skip
    data = calls.to_pylist()
    more = {
        "outcome": rows[0],
        "cost": sum((row[metric] or Decimal(0) for row in data), Decimal(0)),
        "tail_of": merged_tail(data, metric),
        "calls_count": len({row["operation_number"] for row in data}),
        "back": view.place.url("call", call=number),
        "call": number,
    }
    return Page("outcome.html", f"Outcome {rows[0]['kind']}", [behind], more)
