"""A call that somebody has an id of: from a log line, a trace, a vendor's answer.

Belongs here: the page. Does not: the search (``finding``), the call (``call``).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from attribution_pipeline.views.dashboard.asked import with_costs
from attribution_pipeline.views.dashboard.finding import MOST, Found, find_calls, required
from attribution_pipeline.views.dashboard.place import day_of
from attribution_pipeline.views.dashboard.sheets import Column, Sheet, sheet
from attribution_pipeline.views.dashboard.view import NotThere, Page, View


def page(view: View) -> Page:
    """Calls that answer to ``q``, in all recorded days or those between ``from`` and ``to``."""
    text = view.query.get("q", "").strip()
    sheets: list[Sheet] = []
    searched = True
    if text:
        required(text)  # here too: a search for what can be no id does not wait for others
        first, last = (_bound(view, name) for name in ("from", "to"))
        currency, metric = view.place.currency, view.metric
        key = ("find", view.books.version, text, first, last, currency, metric)

        def find() -> Found:
            calls = find_calls(view.books, text, first, last)
            return replace(calls, rows=with_costs(view.books, calls.rows, metric, currency))

        found = view.books.later(key, find, view.left_s)
        searched = found is not None
        if found is not None and found.days:
            place = view.place
            cut = f" The newest {MOST}; older days were not looked through." if found.is_cut else ""
            sheets.append(
                sheet(
                    "found", "Calls", found.rows,
                    [
                        Column("started_at", "started", "instant"), Column("model"),
                        Column("tenant_id"), Column("feature"), Column("workflow_id"),
                        Column("found_by", "found by"), Column(view.metric, "cost", "money"),
                    ],
                    note=f"Looked through {found.span}.{cut}",
                    href=lambda row: place.on(row["charge_date"]).without(*place.within).url(
                        "call", call=row["operation_number"]
                    ),
                    empty=f"Not found in {found.span}. An id is a call's trace, span or response id, or "
                    "its operation key. A call of today is found once its day was run; a span that "
                    "stands for no billed call has none.",
                )
            )  # fmt: skip
    more = {"text": text, "searched": searched}
    return Page("find.html", f"Find {text}" if text else "Find a call", sheets, more)


def _bound(view: View, name: str) -> date | None:
    """A day that bounds the search; None where the URL names none. Raises NotThere: without the bound
    that somebody meant, every day would be searched."""
    text = view.query.get(name, "")
    day = day_of(text)
    if text and day is None:
        raise NotThere("this is no day", where=f"{name}={text}", remedy="write YYYY-MM-DD")
    return day
