"""The views by name: business, product, workflow, model, platform, governance, backlog.

Belongs here: which columns of a view are shown how, and its plot. Does not: the views (``views.spend``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.views.dashboard import amounts
from attribution_pipeline.views.dashboard.books import sql_text
from attribution_pipeline.views.dashboard.place import NARROWING, Place, word
from attribution_pipeline.views.dashboard.sheets import (
    NOBODY,
    Column,
    Record,
    Sheet,
    in_currency,
    sheet,
)
from attribution_pipeline.views.dashboard.view import Page, View, step_down
from attribution_pipeline.views.spend import VIEWS, spend_view
from attribution_pipeline.views.spend import View as SpendView
from attribution_pipeline.views.spend.derived import QUANTUM, quotient
from attribution_pipeline.views.spend.table import MACHINES, PODS, earlier_days, earlier_said, tail

if TYPE_CHECKING:
    import pyarrow as pa

KINDS: Mapping[str, str] = {
    "calls": "count", "retries": "count", "traces": "count", "longest_chain": "count",
    "tokens": "count", "tenants": "count", "workflows": "count", "charges": "count",
    "outcomes": "count", "useful": "count", "unmatched": "count", "idle_share": "share",
    "value": "number", "cost_per_useful": "rate", "price_per_million": "rate",
}  # fmt: skip
"""Measures that are no part of the cost."""

TITLES: Mapping[str, str] = {
    "cost_per_useful": "per useful one", "price_per_million": "per million",
    "not_useful_cost": "of not useful", "longest_chain": "longest chain",
    "retry_cost": "of retries", "cache_saving": "cache saved",
}  # fmt: skip

EARLIER_DAYS = "before_first_day"
"""Measure of charges from before the ledger's first day, which are booked on it."""

MOST_WITH_SHARES = 5
"""Columns of a view beside which there is room for a share."""

WIDTHS = 12
"""Bars of the plot: the dearest rows."""

EMPTY: Mapping[str, str] = {
    "business": "No outcomes were recorded. An application reports them as rows of "
    "time,operation_id,trace_id,kind,value in a file; name its folder under `sources.outcomes` of the "
    "deployment file, and run a day.",
    "backlog": "Nothing to label: everything is attributed.",
    "platform": "No shared pool costs anything in this period.",
}

OVERLAPPING: Mapping[str, str] = {
    "business": "A call counts once a day of outcomes and kind: one with outcomes of two kinds, or on "
    "two days, is in each. So the rows have no total; it is cost that stands in the ledger already.",
}
"""Views whose rows do not add up, and why."""

NAMED_BY: Mapping[str, tuple[str, ...]] = {
    "model": ("model", "token_kind"), "backlog": ("resource_id", "service"),
    "platform": ("resource_id", "pool", "service"),
}  # fmt: skip
"""Keys that name a bar, where all of them would be too many."""

SAID: Mapping[str, Mapping[str, Mapping[str, str]]] = {"model": {"surface": {MACHINES: PODS}}}
"""View -> column -> value -> what people say for it."""

BELOW: Mapping[str, Mapping[str, str]] = {"backlog": {"service": "model"}}
"""View -> column -> the one that stands below its cells, where there is no room for all beside each other."""

BREAKDOWN: Mapping[str, tuple[str, ...]] = {
    "product": ("direct", "workload", "shared", "idle", "overhead", EARLIER_DAYS),
}
"""Measures that a view's bars are stacked of; of the others, confidences."""

CONFIDENCES = ("metered", "allocated", "estimated", "unallocated")


def page(view: View) -> Page:
    """One view of the place's days, in its currency."""
    spec = VIEWS[view.page]
    metric = view.metric
    rows = view.books.opened(
        view.span, spec.reads, lambda db: spend_view(db, view.page, metric), view.page
    )
    rows = _without_empty(in_currency(rows, view.place.currency))
    adds_up = view.page not in OVERLAPPING
    total = sum((cost for cost in rows[metric].to_pylist() if cost is not None), Decimal(0))
    table = sheet(
        view.page, spec.title, rows, _columns(view.page, spec, metric, rows.column_names), metric=metric,
        scale=total, total=total if adds_up and len(spec.keys) + len(spec.measures) <= MOST_WITH_SHARES else None,
        href=lambda record: _href(view.place, spec, record),
        note=_left_out(view) if view.page == "backlog" else "",
        empty=EMPTY.get(view.page, "Nothing was recorded in this period."),
    )  # fmt: skip
    more = {
        "question": spec.question,
        "total": total if adds_up else None,
        "overlaps": OVERLAPPING.get(view.page, ""),
        "is_part": view.page in ("platform", "backlog", "model"),
        "bars": _bars(
            view,
            spec,
            [row.record for row in table.rows][:WIDTHS],
            _stack(view.page, rows.column_names),
        ),
        "stack": _stack(view.page, rows.column_names),
        "empty": table.empty if not rows.num_rows else "",
    }
    sheets = [table] if view.page != "business" else [table, _kinds(view)]
    return Page("view.html", spec.title, sheets, more)


def _without_empty(rows: pa.Table) -> pa.Table:
    """Without the column of charges of earlier days, which but the ledger's first day has none."""
    is_empty = EARLIER_DAYS in rows.column_names and not any(rows[EARLIER_DAYS].to_pylist())
    return rows.drop_columns([EARLIER_DAYS]) if is_empty else rows


def _left_out(view: View) -> str:
    """What the backlog leaves out, since no label mends it."""
    found = view.books.opened(
        view.span, ("resources_daily",), lambda db: earlier_days(db, view.metric), "earlier days"
    )
    said = earlier_said(one for one in found if one[0] == view.place.currency)
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def _stack(page: str, columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for part in BREAKDOWN.get(page, CONFIDENCES) if part in columns)


def _kinds(view: View) -> Sheet:
    """What a useful outcome of each kind costs. Each call counts once a day of outcomes and kind."""
    import pyarrow as pa

    metric = view.metric
    query = sql_text("kinds").format(metric=metric, tail=tail(metric))
    rows = view.books.opened(
        view.span, VIEWS["business"].reads, lambda db: db.table(query), "kinds"
    )
    rows = in_currency(rows, view.place.currency)
    each = [
        quotient(cost, Decimal(useful), QUANTUM)
        for cost, useful in zip(rows[metric].to_pylist(), rows["useful"].to_pylist(), strict=True)
    ]
    money = pa.decimal128(38, 12)
    rows = rows.append_column(pa.field("cost_per_useful", money), pa.array(each, money))
    return sheet(
        "kinds", "A useful outcome, by kind", rows,
        [
            Column("kind"), Column("outcomes", "", "count"), Column("useful", "", "count"),
            Column("cost_per_useful", "per useful one", "rate"), Column(metric, "cost", "money"),
        ],
        metric=metric,
    )  # fmt: skip


def _columns(name: str, spec: SpendView, metric: str, there: Sequence[str]) -> list[Column]:
    below, said = BELOW.get(name, {}), SAID.get(name, {})
    keys = [
        Column(name, hints=below.get(name, ""), words=said.get(name, {}))
        for name in spec.keys
        if name not in below.values()
    ]
    measures = [
        Column(name, TITLES.get(name, ""), KINDS.get(name, "money"))
        for name in spec.measures
        if name in there
    ]
    return [*keys, *measures, Column(metric, "cost", "money")]


def _href(place: Place, spec: SpendView, record: Record) -> str | None:
    """The path at what a row says, where it can be narrowed to that."""
    keys = [name for name in spec.keys if name in NARROWING]
    if not keys or (spec.keys[0] == "kind" and record["feature"] is None):
        return None
    return step_down(place, record, keys)


def _bars(
    view: View, spec: SpendView, records: Sequence[Record], stack: Sequence[str]
) -> list[dict[str, Any]]:
    """The dearest rows as bars, each stacked by what it consists of."""
    costs = [record[view.metric] or Decimal(0) for record in records]
    longest = max(costs, default=Decimal(0))
    if len(records) < 2 or longest <= 0:
        return []
    found = []
    digits = amounts.digits_of_whole(longest)
    for record, cost in zip(records, costs, strict=True):
        keys = NAMED_BY.get(view.page, spec.keys)
        names = [str(record[name]) for name in keys if record[name] is not None]
        if view.page == "model" and record["surface"] == MACHINES:
            names.append(PODS)
        if record[keys[0]] is None and view.page not in NAMED_BY:
            names = [NOBODY.get(keys[0], ""), *names]
        found.append(
            {
                "name": " / ".join(names) or NOBODY.get(keys[0], ""),
                "cost": cost,
                "said": amounts.aligned(cost, digits),
                "href": _href(view.place, spec, record),
                "parts": [
                    (part, amounts.share(record[part], longest),
                     f"{word(part)} {amounts.money(record[part])}")
                    for part in stack
                    if record[part] and record[part] > 0
                ],
            }
        )  # fmt: skip
    return found
