"""The month: what it cost, that it ties to the bill, where it went, what stands out.

Belongs here: the first page. Does not: the path below it (``spend``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.ledger import is_earlier
from attribution_pipeline.views import tie_out
from attribution_pipeline.views.dashboard import amounts, asked
from attribution_pipeline.views.dashboard.pages.gaps import REASON, reasons_sheet
from attribution_pipeline.views.dashboard.pages.spend import by_level, headline, small, trend
from attribution_pipeline.views.dashboard.place import month_before
from attribution_pipeline.views.dashboard.sheets import Column, Sheet, in_currency, sheet
from attribution_pipeline.views.dashboard.view import Page, View, step_down

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.views.spend.highlights import Highlight

REASONS_SHOWN = 6

HIGHLIGHTS_SHOWN = 8

TO_THE_CENT = Decimal(1)
"""Scale of what stands out: the sentences beside the amounts have cents."""

FURTHER = {
    "idle": "platform", "anomaly": "explain", "unused_job": "workflow", "outrun": "business",
}  # fmt: skip
"""Kind of a highlight -> the page that has more of it, where its own rows are not in one place."""

PARTS = {
    "direct": "calls that a provider meters",
    "workload": "own machines, by the time that calls used",
    "shared": "what many share, by a driver",
    "idle": "capacity that stood idle",
    "overhead": "support, taxes and fees, spread over the rest",
    "unallocated": "on nobody's account",
    tie_out.BEFORE_FIRST_DAY: "charges from before the first recorded day, booked on it",
    "not_yet_due": "billed, and due on days that are not recorded yet",
}
"""A part of the tie-out in a sentence."""


def page(view: View) -> Page:
    """A month, or a day of it."""
    total = asked.spend_total(view.books, view.place)
    more: dict[str, Any] = {
        "total": headline(view, total),
        "plot": trend(view, "overview"),
        "tie": tied(view),
        "before": _before(view),
    }
    sheets: list[Sheet] = []
    if total is not None:
        cost = total[view.metric]
        sheets.append(by_level(view, "feature", cost))
        more["cuts"] = [
            cut for column in ("tenant_id", "component", "model", "service")
            if (cut := small(view, column, cost)) is not None
        ]  # fmt: skip
        sheets += more["cuts"]
        found = reasons_sheet(view, cost, most=REASONS_SHOWN)
        reasons = replace(found, name="unattributed", title="What could not be attributed, and why")
        sheets.append(reasons)
        more["reasons"] = reasons
        more["stands"] = standing_out(view)
        sheets += [more["stands"]] if more["stands"] is not None else []
    return Page("overview.html", "Overview", sheets, more)


def tied(view: View) -> dict[str, Any] | None:
    """The tie-out of the place's days in its currency: billed, and its parts, to the last unit."""
    rows: list[Mapping[str, Any]] = []
    for day in view.days:
        head = view.books.head(day)
        if head is not None:
            rows += view.books.document(head)["output"]["tie_out"]
    sums = tie_out.summed(rows)
    column = sums.get((view.place.currency or "", view.metric))
    if column is None:
        return None
    reasons = asked.spend_by(view.books, view.place, [REASON, "billing_currency"]).to_pylist()
    earlier = sum((row[view.metric] for row in reasons if is_earlier(row[REASON])), Decimal(0))
    column |= {
        tie_out.BEFORE_FIRST_DAY: earlier,
        "unallocated": column["unallocated"] - earlier,
    }
    return {
        "billed": column["billed"],
        "difference": column["difference"],
        "parts": [(name.replace("_", " "), column[name], PARTS[name])
                  for name in tie_out.PARTS if column[name]],
        "digits": amounts.digits_of_whole(column["billed"]),
    }  # fmt: skip


def standing_out(view: View) -> Sheet | None:
    """What somebody should read first, dearest first. None: it is being worked out."""
    from attribution_pipeline.views.spend.anomalies import recorded_anomalies
    from attribution_pipeline.views.spend.highlights import READS, highlights

    newest, books, metric = view.days[-1], view.books, view.metric
    scheduled = view.books.deployment.scheduled_workflows

    def ask(db: Session) -> pa.Table:
        unusual, _ = recorded_anomalies(books.lake, metric, newest, compute=books.compute())
        return _as_table(highlights(db, metric, newest, unusual=unusual, scheduled=scheduled))

    rows = books.opened_later(view.span, READS, ask, "highlights", view.left_s)
    if rows is None:
        return None
    mine = in_currency(rows, view.place.currency)
    return sheet(
        "highlights", "What stands out", mine,
        [Column("says"), Column("cost", "cost", "money")],
        href=lambda row: _further(view, row), most=HIGHLIGHTS_SHOWN, scale=TO_THE_CENT,
        empty="Nothing stands out.",
    )  # fmt: skip


def _as_table(found: list[Highlight]) -> pa.Table:
    """What the command writes, and the columns by which a line's own rows are found."""
    import pyarrow as pa

    from attribution_pipeline.views.spend.highlights import OF, as_table

    table = as_table(found)
    for name in dict.fromkeys(name for names in OF.values() for name in names):
        values = pa.array([one.of.get(name) for one in found], pa.string())
        table = table.append_column(pa.field(name, pa.string()), values)
    return table


def _further(view: View, row: Mapping[str, Any]) -> str | None:
    """The rows that a highlight is of, where they are in one place; else where more of its kind is."""
    from attribution_pipeline.views.spend.highlights import OF

    kind = row["kind"]
    if kind in OF:
        return step_down(view.place, row, OF[kind])
    page = FURTHER.get(kind)
    return view.place.url(page) if page is not None else None


def _before(view: View) -> dict[str, Any] | None:
    """The month before, where it is recorded: what the headline is held against."""
    assert view.place.month is not None
    if view.place.day is not None:
        return None
    month = month_before(view.place.month)
    days: Sequence[Any] = [day for day in view.books.days() if day.replace(day=1) == month]
    if not days:
        return None
    total = asked.spend_total(view.books, view.place.in_month(month))
    if total is None:
        return None
    return {"month": month, "cost": total[view.metric], "days": len(days)}
