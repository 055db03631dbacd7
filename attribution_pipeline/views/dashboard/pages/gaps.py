"""What nobody is charged for, from a reason to its resources and charges, and from there to the bill.

Belongs here: the tables of reasons, resources and charges on the pages of the path. Does not: what a
reason means (``views.reasons``), the charge itself (``charge``).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from attribution_pipeline.views.dashboard import amounts, asked
from attribution_pipeline.views.dashboard.sheets import Column, Sheet, sheet, where
from attribution_pipeline.views.dashboard.view import View
from attribution_pipeline.views.reasons import meaning, remedy

if TYPE_CHECKING:
    import pyarrow as pa

REASON = "unallocated_reason"

FEW = 8


def reasons_sheet(view: View, total: Decimal, *, most: int = FEW) -> Sheet:
    """What of a place nobody is charged for, by reason, each with its sentence."""
    data = asked.spend_by(view.books, view.place, [REASON, "billing_currency"])
    kept = where(data, lambda row: row[REASON] is not None and bool(row[view.metric]))
    named = kept[REASON].to_pylist()
    parts = _components(view)
    kept = _with_text(kept, "means", [meaning(one, *parts[one]) for one in named])
    kept = _with_text(kept, "do", [remedy(one, parts[one][0]) for one in named])
    columns = [Column(REASON, "reason", hints="means"), Column(view.metric, "cost", "money")]
    return sheet(
        "by_reason", "By reason", kept, columns, metric=view.metric, total=total, most=most,
        href=lambda row: view.place.at(REASON, row[REASON]).url("spend"),
        empty="Everything is attributed.",
    )  # fmt: skip


def _components(view: View) -> dict[str, list[str]]:
    """Reason -> the components of what it keeps open here, dearest first."""
    rows = asked.spend_by(view.books, view.place, [REASON, "component", "billing_currency"])
    found: dict[str, list[str]] = {}
    for row in sorted(rows.to_pylist(), key=lambda row: -abs(row[view.metric])):
        if row[REASON] is not None and row[view.metric]:
            found.setdefault(row[REASON], []).append(row["component"])
    return found


def resources_sheet(view: View, total: Decimal) -> Sheet:
    """A reason's cost by resource: each leads to the resource's own charges."""
    data = asked.spend_by(
        view.books, view.place, ["resource_id", "service", "component", "billing_currency"]
    )
    return sheet(
        "by_resource", "By resource", data,
        [
            Column("resource_id", "resource"), Column("service"), Column("component"),
            Column(view.metric, "cost", "money"),
        ],
        metric=view.metric, total=total, most=FEW,
        href=lambda row: view.place.at("resource_id", row["resource_id"])
        .at("service", row["service"]).at("component", row["component"]).url("spend"),
    )  # fmt: skip


def charges_sheet(view: View, day: date, total: Decimal) -> Sheet:
    """Charges of a day, each leading to the line of the bill that it is."""
    data = with_lines(view, day, asked.day_charges(view.books, view.place, day))
    return sheet(
        "charges", "Charges", data,
        [
            Column("line", "charge", hints="service"), Column("resource_id"), Column("component"),
            Column(view.metric, "cost", "money"),
        ],
        metric=view.metric, scale=total,
        note=f"Of {amounts.day(day)}, dearest first; each leads to its line of the bill.",
        href=lambda row: view.place.on(day).url("charge", charge=row["charge_id"]),
        empty="No charge of this day is here.",
    )  # fmt: skip


def with_lines(view: View, day: date, data: pa.Table) -> pa.Table:
    """Rows with a ``charge_id``, each with its ``line``: what the bill says of it, which tells two
    charges of one resource apart."""
    charges = data["charge_id"].to_pylist()
    said = asked.lines_said(view.books, day, charges)
    names = [said.get(one) or f"charge {one[:12]}" for one in charges]
    return _with_text(data, "line", names)


def _with_text(data: pa.Table, name: str, texts: list[str]) -> pa.Table:
    import pyarrow as pa

    return data.append_column(pa.field(name, pa.string()), pa.array(texts, pa.string()))
