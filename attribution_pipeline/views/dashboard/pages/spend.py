"""The drill path: a place's cost by day, by what a step down chooses, and at its end its calls.

Belongs here: what is shown at each step. Does not: a single call (``call``).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.ledger import CONFIDENCES
from attribution_pipeline.views.dashboard import amounts, asked, plots
from attribution_pipeline.views.dashboard.pages import gaps
from attribution_pipeline.views.dashboard.place import LEVELS, Place, word
from attribution_pipeline.views.dashboard.sheets import Column, Sheet, Tail, sheet
from attribution_pipeline.views.dashboard.view import Page, View, packet_command
from attribution_pipeline.views.spend.table import MACHINES, PODS

if TYPE_CHECKING:
    import pyarrow as pa

BESIDE_THE_LEVEL = ("component", "model", "service", "confidence")
"""What else a place may be cut by: small tables beside the step down."""

FEW = 8

CALLS_SHOWN = 25


def page(view: View) -> Page:
    """Total, trend, the step down; calls where the workflow is chosen."""
    total = asked.spend_total(view.books, view.place)
    level = view.place.next_level
    more: dict[str, Any] = {
        "total": headline(view, total),
        "plot": trend(view, "spend"),
    }
    sheets: list[Sheet] = []
    if total is not None:
        if level is not None:
            below = by_level(view, level, total[view.metric])
            if not _is_nobody(below, view.place, level):
                sheets.append(below)
        day = call_day(view)
        if "workflow_id" in view.place.within and day is not None:
            sheets += [calls_sheet(view, day), other_sheet(view, day)]
            more |= _day_of_calls(view, day)
        sheets += _gaps(view, total, day)
        more["cuts"] = [
            cut for column in BESIDE_THE_LEVEL
            if column not in view.place.within and (cut := small(view, column, total[view.metric]))
        ]  # fmt: skip
        sheets += more["cuts"]
    tenant = view.place.within.get("tenant_id")
    if tenant is not None and view.days:
        more["packet"] = packet_command(view, tenant, view.days[0], view.days[-1])
    return Page("spend.html", _title(view.place), sheets, more)


def _gaps(view: View, total: dict[str, Any], day: date | None) -> list[Sheet]:
    """Why nobody is charged; of one reason or one resource its charges."""
    within = view.place.within
    chosen = [name for name in (gaps.REASON, "resource_id") if within.get(name) is not None]
    found: list[Sheet] = []
    if not chosen:
        return [gaps.reasons_sheet(view, total[view.metric])] if total["unallocated"] else []
    if "resource_id" not in within:
        found.append(gaps.resources_sheet(view, total[view.metric]))
    return [*found, gaps.charges_sheet(view, day, total[view.metric])] if day is not None else found


def _is_nobody(below: Sheet, place: Place, level: str) -> bool:
    """Whether a step down leads nowhere: of a reason's cost often nothing is named at all."""
    named = [row.record[level] for row in below.rows]
    return gaps.REASON in place.within and named == [None]


def headline(view: View, total: dict[str, Any] | None) -> dict[str, Any] | None:
    """Both costs of a place and the tail of the one that is settled on."""
    if total is None:
        return None
    return {
        "cost": total[view.metric],
        "billed": total["billed_cost"],
        "effective": total["effective_cost"],
        "tail": Tail.of(total, view.metric),
        "currency": total["billing_currency"],
    }


def trend(view: View, page: str) -> plots.Bars | None:
    """The month's days, stacked by confidence; a bar leads to its day."""
    place = view.place.on(None)
    rows = asked.spend_daily(view.books, place).to_pylist()
    if not rows:
        return None
    days = []
    for row in rows:
        tail = Tail.of(row, view.metric)
        said = (
            f"{amounts.day(row['day'])}: {amounts.money(row[view.metric])} "
            f"{view.place.currency or ''} ({tail.said}); {tail.settlement}, policy {tail.policy}"
        )
        chosen = row["day"] == view.place.day
        days.append(
            plots.Day(
                row["day"], {name: row[name] for name in CONFIDENCES},
                (place if chosen else place.on(row["day"])).url(page), chosen, said,
            )
        )  # fmt: skip
    recorded = {day for day in view.books.days() if place.first <= day <= place.last}
    return plots.daily(days, place.first, place.last, recorded)


def by_level(view: View, level: str, total: Decimal) -> Sheet:
    """The step down: who is below, dearest first."""
    data = asked.spend_by(view.books, view.place, [level, "billing_currency"])
    return sheet(
        f"by_{level}", f"By {word(level)}", data,
        [Column(level), Column(view.metric, "cost", "money")], metric=view.metric, total=total,
        href=lambda record: view.place.at(level, record[level]).url("spend"),
        empty="Nothing was recorded here.",
    )  # fmt: skip


def small(view: View, column: str, total: Decimal) -> Sheet | None:
    """A place cut by one column, the dearest few; None where there is nothing to tell apart. By component
    it says what of each is on nobody's account: the tie-out has that apart. By model, what of each are
    pods: the rest is what its provider takes for it."""
    data = asked.spend_by(view.books, view.place, [column, "billing_currency"])
    if data.num_rows < 2:
        return None
    nobodys = sum(data["unallocated"].to_pylist(), Decimal(0))
    apart: list[Column] = []
    note = ""
    if column == "component" and nobodys not in (0, total):
        apart = [Column("unallocated", "of it unallocated", "money")]
    if column == "model" and (pods := _pods(view)):
        apart, note = [Column("pods", "of it pods", "money")], f"Pods of a model: {PODS}."
        data = _with_pods(data, pods)
    return sheet(
        f"by_{column}", f"By {word(column)}", data,
        [Column(column), *apart, Column(view.metric, "cost", "money")],
        metric=view.metric, total=total, note=note,
        href=lambda record: view.place.at(column, record[column]).url("spend"), most=FEW,
    )  # fmt: skip


def _pods(view: View) -> dict[str, Decimal]:
    """Model -> what of its cost are pods; nothing of models that have none."""
    rows = asked.spend_by(view.books, view.place, ["model", "surface", "billing_currency"])
    return {
        row["model"]: row[view.metric]
        for row in rows.to_pylist()
        if row["model"] is not None and row["surface"] == MACHINES and row[view.metric]
    }


def _with_pods(data: pa.Table, pods: dict[str, Decimal]) -> pa.Table:
    import pyarrow as pa

    zero, shape = Decimal(0), pa.decimal128(38, 12)
    values = [pods.get(model, zero) for model in data["model"].to_pylist()]
    return data.append_column(pa.field("pods", shape), pa.array(values, shape))


def call_day(view: View) -> date | None:
    """The day whose calls are listed: the chosen one, else the dearest of the place."""
    if view.place.day is not None:
        return view.place.day
    rows = asked.spend_daily(view.books, view.place).to_pylist()
    if not rows:
        return None
    found: date = max(rows, key=lambda row: (row[view.metric], row["day"]))["day"]
    return found


def calls_sheet(view: View, day: date) -> Sheet:
    """Calls of a day, dearest first."""
    data = asked.calls(view.books, view.place, day)
    note = (
        f"Calls of {amounts.day(day)}, dearest first. A call's cost is its part of the day's bill."
    )
    return sheet(
        "calls", "Model calls", data,
        [
            Column("started_at", "started, UTC", "time", missing="ended the next day"),
            Column("model"), Column("agent"),
            Column("input_tokens", "input", "count", "tokens"),
            Column("cached_tokens", "of it cached", "count", "tokens"),
            Column("output_tokens", "output", "count", "tokens"),
            Column(view.metric, "cost", "money"),
        ],
        metric=view.metric, note=note, most=CALLS_SHOWN,
        href=lambda record: view.place.on(record["called_on"]).url(
            "call", call=record["operation_number"]
        ) if record["called_on"] is not None else None,
        empty="No call of this day has a part of this cost: it is shared, or nobody saw the calls.",
    )  # fmt: skip


def other_sheet(view: View, day: date) -> Sheet:
    """What no call stands behind: shares of pools, idle, overhead."""
    data = gaps.with_lines(view, day, asked.other_costs(view.books, view.place, day))
    return sheet(
        "beside_calls", "Beside the calls", data,
        [
            Column("line", "charge", hints="service"), Column("component"), Column("resource_id"),
            Column("driver", "divided by"), Column(view.metric, "cost", "money"),
        ],
        metric=view.metric, most=FEW, scale=sum(data[view.metric].to_pylist(), Decimal(0)),
        note="Shared machines, idle time and overhead: divided by a driver, not by calls.",
        href=lambda record: view.place.on(day).url("charge", charge=record["charge_id"]),
        empty="Everything of this day is paid by call.",
    )  # fmt: skip


def _day_of_calls(view: View, day: date) -> dict[str, Any]:
    """How the day's calls and the rest come to the day's cost, exactly."""
    metric = view.metric
    total = asked.spend_total(view.books, view.place.on(day))
    calls = asked.calls(view.books, view.place, day)
    others = asked.other_costs(view.books, view.place, day)
    of_calls = sum(calls[metric].to_pylist(), Decimal(0))
    beside = sum(others[metric].to_pylist(), Decimal(0))
    return {
        "call_day": day,
        "calls_cost": of_calls,
        "beside_cost": beside,
        "day_cost": total[metric] if total else Decimal(0),
        "calls_count": calls.num_rows,
    }


def _title(place: Place) -> str:
    chosen = [place.within[name] or "nobody" for name in LEVELS if name in place.within]
    return " / ".join(chosen) or "Spend"
