"""One model call: what it cost, from which charges, who made it, what came of it.

Belongs here: the page, and what it and ``attribution call`` say alike (``told``). Does not: the charge
itself (``charge``), outcomes' join (``outcome``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.tokens import BUCKETS
from attribution_pipeline.views.dashboard import amounts, asked
from attribution_pipeline.views.dashboard.call_outcomes import outcomes_of_call
from attribution_pipeline.views.dashboard.place import word
from attribution_pipeline.views.dashboard.sheets import (
    Column,
    Sheet,
    Tail,
    each_in_currency,
    in_currency,
    merged_tail,
    others_said,
    sheet,
    with_word_tail,
)
from attribution_pipeline.views.dashboard.view import NotThere, Page, View, packet_command
from attribution_pipeline.views.reasons import meaning

if TYPE_CHECKING:
    import pyarrow as pa

VERDICTS = {
    "verified": "signed, and the signature holds",
    "unsigned": "nobody signed it: what the span says is believed as far as the policy goes",
}

Fact = tuple[str, str, str]
"""What is asked, the answer, and the sentence behind it."""


@dataclass(frozen=True)
class Told:
    """A call in words and figures. ``costs``: a row for each ledger row that it has a part of;
    ``billed`` and ``cost`` are their sums, in the shown currency."""

    call: Mapping[str, Any]
    day: date
    cost: Decimal
    billed: Decimal
    tail: Tail
    costs: Sheet
    used: Sequence[Fact]
    who: Sequence[Fact]

    @property
    def started(self) -> str:
        """Every digit: calls of a trace are told apart by it."""
        return amounts.moment(self.call["started_at"])


def told(view: View) -> Told:
    """The call that the URL names by its day and number. Raises NotThere."""
    found, day = _named(view)
    number = int(found["operation_number"])
    place, metric = view.place, view.metric
    every = asked.call_rows(view.books, day, found)
    rows = in_currency(every, place.currency)
    data = _with_reasons(view, with_word_tail(rows, metric))
    costs = sheet(
        "charges_of_call", "What it cost, and the charges that paid for it", data,
        [
            Column("service", hints="invoice"), Column("component", hints="why"), Column("token_kind"),
            Column("weight", "its part", "count"), Column("driver_total", "of all", "count"),
            Column("driver_unit", "unit"), Column(metric, "cost", "money"),
        ],
        metric=metric, note=others_said(every, metric, place.currency),
        href=lambda row: place.on(row["charge_date"]).url(
            "charge", charge=row["charge_id"], call=number
        ),
        empty="No charge of the bill has been divided among calls like this one.",
    )  # fmt: skip
    total = {
        cost: sum(rows[cost].to_pylist(), Decimal(0)) for cost in ("billed_cost", "effective_cost")
    }
    return Told(
        found, day, total[metric], total["billed_cost"], merged_tail(data.to_pylist(), metric), costs,
        _used(found), _who(found),
    )  # fmt: skip


def page(view: View) -> Page:
    """A call by its number."""
    said = told(view)
    number = int(said.call["operation_number"])
    outcomes = outcomes_of_call(view.books, said.day, said.call, view.left_s)
    listed = _listed(view, number, outcomes) if outcomes is not None else None
    tenant = said.call["tenant_id"]
    more: dict[str, Any] = {
        "call": said.call,
        "cost": said.cost,
        "billed": said.billed,
        "tail_of": said.tail,
        "used": said.used,
        "who": said.who,
        "outcomes": listed,
        "packet": packet_command(view, tenant, said.day, said.day) if tenant is not None else None,
        "same": view.books.shell.line(
            "call", f"{said.call['trace_id']}:{said.call['span_id']}", "--from", str(said.day)
        ),
    }
    sheets = [said.costs] if listed is None else [said.costs, listed]
    return Page("call.html", f"Call {number}", sheets, more)


def _named(view: View) -> tuple[Mapping[str, Any], date]:
    number, day = view.integer("call"), view.place.day
    found = asked.call(view.books, day, number) if number is not None and day else None
    if found is None or day is None:
        raise NotThere(
            "there is no such call", where=f"call {view.query.get('call', '')}",
            remedy="go back to its workflow: a day that was recorded anew keeps its calls' numbers, "
            "a call that is gone was merged into another",
        )  # fmt: skip
    return found, day


def _with_reasons(view: View, data: pa.Table) -> pa.Table:
    """Each row with its invoice, and why nobody is charged where nobody is."""
    import pyarrow as pa

    records = data.to_pylist()
    paid = asked.invoices(view.books, [(row["charge_date"], row["charge_id"]) for row in records])
    texts = {
        "invoice": [
            "; ".join([*_unusual(row), paid[row["charge_date"], row["charge_id"]]])
            for row in records
        ],
        "why": [
            f"{reason}: {meaning(reason, row['component'])}"
            if (reason := row["unallocated_reason"])
            else ""
            for row in records
        ],
    }
    for name, values in texts.items():
        data = data.append_column(pa.field(name, pa.string()), pa.array(values, pa.string()))
    return data


def _unusual(row: Mapping[str, Any]) -> list[str]:
    """What a charge is, where it is no plain usage: a credit for the same tokens is a row of its own."""
    category = row["charge_category"]
    said = [category if category != "Usage" else None, row["charge_class"]]
    return [word.lower() for word in said if word]


def _used(call: Mapping[str, Any]) -> list[Fact]:
    tokens = [(word(name), f"{amounts.count(call[name])}", "") for name in BUCKETS if call[name]]
    return [
        *(tokens or [("tokens", "the call did not say what it used", "")]),
        ("active", f"{amounts.count(call['active_ms'])} ms", ""),
        ("attempt", str(call["attempt"] or 1), ""),
    ]


def _who(call: Mapping[str, Any]) -> list[Fact]:
    """Who caused it and how that is known; ids by which others know the call."""
    facts = [(word(name), call[name], "") for name in WHO]
    facts += [
        ("said by", call["identity_source"], ""),
        ("signature", call["verdict"], VERDICTS.get(call["verdict"], "")),
        ("trace", call["trace_id"], ""), ("span", call["span_id"], ""),
        ("response", call["response_id"], ""), ("recorded by", call["emitter"], ""),
    ]  # fmt: skip
    return [(name, str(value), why) for name, value, why in facts if value not in (None, "")]


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
