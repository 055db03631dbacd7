"""What pages ask: spend of a place by some columns, by day, its calls, a call's charges.

Belongs here: filling the queries of ``sql/``. Does not: opening files (``books``), layout (``sheets``).
Everything is Arrow with exact decimals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.requests import operation_key, operation_rows
from attribution_pipeline.proof.relations import quoted
from attribution_pipeline.views.dashboard.books import Books, sql_text
from attribution_pipeline.views.dashboard.place import NARROWING, Place
from attribution_pipeline.views.spend.table import tail

if TYPE_CHECKING:
    import pyarrow as pa

DAY = timedelta(days=1)

NOT_INVOICED = "not invoiced yet"

LINE_SAID = (
    "ChargeDescription", "SkuMeter", "ChargeCategory", "PricingCategory", "CommitmentDiscountStatus",
)  # fmt: skip
"""FOCUS columns that tell charges of one resource apart; the second where there is no first."""

LINES_AT_ONCE = 16384
"""Lines of a bill that are in memory at a time: a wide place may have all charges of a day."""

BESIDE_THE_SUMS = frozenset({"resource_id"})
"""Columns that may narrow a place and are not among the sums of every day: too many values."""


def metric_of(books: Books, place: Place) -> str:
    """The cost that a place is settled on."""
    return books.metric_of(place.first, place.last)


def currencies(books: Books, place: Place) -> list[str]:
    """Of the period, by name. Currencies are never added, so a page shows one."""
    rows = books.spend(
        "select distinct billing_currency from spend "
        f"where day between date '{place.first}' and date '{place.last}' order by billing_currency"
    )
    return [name for name in rows["billing_currency"].to_pylist() if name is not None]


def spend_by(books: Books, place: Place, columns: Sequence[str]) -> pa.Table:
    """Grain: ``columns``; then both costs and the tail, dearest first, nulls last among equals."""
    metric = metric_of(books, place)
    order = ", ".join([f"sum({metric}) desc", *(f"{name} nulls last" for name in columns)])
    text = sql_text("by").format(
        columns=", ".join(columns),
        tail=tail(metric),
        metric=metric,
        where=where(place),
        order=order,
    )
    return _spend(books, place, columns, text)


def _spend(books: Books, place: Place, columns: Sequence[str], query: str) -> pa.Table:
    """A query of ``spend``: of the sums in memory, or where it names what these do not tell apart of
    the ledger itself."""
    if not BESIDE_THE_SUMS & {*place.within, *columns}:
        return books.spend(query)
    days = [day for day in books.days() if place.first <= day <= place.last]
    more = "".join(f"{name}, " for name in sorted(BESIDE_THE_SUMS))
    summed = sql_text("cube").format(rows="ledger", more=more, where=_inside(place))
    rows = books.of_days(days, summed, ("ledger",))

    def ask() -> pa.Table:
        with books.session() as db:
            db.load("spend", rows)
            return db.table(query)

    return books.kept(("beside the sums", books.version, place.query(), query), ask)


def spend_total(books: Books, place: Place) -> dict[str, Any] | None:
    """One record with both costs and the tail; None where the place costs nothing at all."""
    rows = spend_by(books, place, ["billing_currency"]).to_pylist()
    return rows[0] if rows else None


def spend_daily(books: Books, place: Place) -> pa.Table:
    """Grain: day, of those with cost."""
    metric = metric_of(books, place)
    text = sql_text("daily").format(tail=tail(metric), metric=metric, where=where(place))
    return _spend(books, place, (), text)


def calls(books: Books, place: Place, day: date) -> pa.Table:
    """Grain: call that has a part of the place's cost of ``day``; dearest first. ``called_on`` is the
    day among whose operations it is: it ended there; null where that day is not recorded."""
    metric = metric_of(books, place)
    text = sql_text("calls").format(
        metric=metric, tail=tail(metric), where=_inside(place), after=day + DAY,
        operations=operation_rows("operations"),
    )  # fmt: skip
    return books.of_days(
        [day], text, ("ledger", "operation_costs", "operations"), {"operations": [day + DAY]}
    )


def other_costs(books: Books, place: Place, day: date) -> pa.Table:
    """Grain: component, resource, charge: what the place costs on ``day`` beside calls."""
    metric = metric_of(books, place)
    return books.of_days(
        [day],
        sql_text("other").format(metric=metric, tail=tail(metric), where=_inside(place)),
        ("ledger",),
    )


def invoices(books: Books, charges: Sequence[tuple[date, str]]) -> dict[tuple[date, str], str]:
    """(day, charge) -> the invoice that it is on, or that there is none yet."""
    found = {}
    for day, charge in dict.fromkeys(charges):
        named = {line["InvoiceId"] for line in charge_lines(books, day, charge)} - {None}
        found[day, charge] = f"invoice {', '.join(sorted(named))}" if named else NOT_INVOICED
    return found


def day_charges(books: Books, place: Place, day: date) -> pa.Table:
    """Grain: component, service, resource, charge, reason: all that the place costs on ``day``."""
    metric = metric_of(books, place)
    text = sql_text("charges").format(metric=metric, tail=tail(metric), where=_inside(place))
    return books.of_days([day], text, ("ledger",))


def lines_said(books: Books, day: date, charges: Sequence[str]) -> dict[str, str]:
    """Some charges of a day -> what the bill says of each: description or meter, and how it is priced.
    Read each time and not kept: a day may have a million charges, a page a few of them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = pa.array(dict.fromkeys(charges), pa.string())
    found: dict[str, str] = {}
    for path in books.evidence(day, "billing", "charges") if charges else ():
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(LINES_AT_ONCE, columns=["charge_id", *LINE_SAID]):
                mine = batch.filter(pc.is_in(batch["charge_id"], value_set=wanted))
                for row in mine.to_pylist():
                    description, *rest = (row[name] for name in LINE_SAID)
                    said = [description or rest[0], *rest[1:]]
                    words = ", ".join(dict.fromkeys(one for one in said if one))
                    found.setdefault(row["charge_id"], words)
    return found


def call(books: Books, day: date, number: int) -> dict[str, Any] | None:
    """One published call with its key; None where the day has no such number."""
    query = operation_rows(f"(select * from operations where operation_number = {number})")
    found = books.of_days([day], query, ("operations",)).to_pylist()
    return found[0] if found else None


def call_rows(books: Books, day: date, call: Mapping[str, Any]) -> pa.Table:
    """Grain: ledger row that a call has a part of, also of the day before: a call may run over midnight,
    and is named by its key there."""
    import pyarrow as pa

    def of(one: date, wanted: str) -> pa.Table:
        text = sql_text("call_rows").format(metric=books.metric_of(day, day), call=wanted)
        return books.of_days([one], text, ("ledger", "operation_costs"))

    here = of(day, f"c.operation_number = {call['operation_number']}")
    before = of(day - DAY, f"c.operation_key = {quoted(call['operation_key'])}")
    return pa.concat_tables([before, here])


def with_costs(books: Books, calls: pa.Table, metric: str, currency: str | None) -> pa.Table:
    """Some calls, by ``charge_date`` and ``operation_number``, each with ``metric`` as ``call_rows`` of
    it come to; null where it costs nothing in the currency."""
    import pyarrow as pa

    keys = [(row["charge_date"], row["operation_number"]) for row in calls.to_pylist()]
    costs: dict[tuple[date, int], Any] = {}
    if keys and currency is not None:
        text = sql_text("found_costs").format(
            metric=metric, currency=quoted(currency), key=operation_key(),
            wanted=" or ".join(
                f"(charge_date = date '{day}' and operation_number = {number})"
                for day, number in keys
            ),
        )  # fmt: skip
        days = sorted({one for day, _ in keys for one in (day - DAY, day)})
        rows = books.of_days(days, text, ("operations", "operation_costs", "ledger")).to_pylist()
        costs = {(row["charge_date"], row["operation_number"]): row["cost"] for row in rows}
    shape = pa.decimal128(38, 12)
    return calls.append_column(metric, pa.array([costs.get(key) for key in keys], shape))


def charge_rows(books: Books, day: date, charge: str) -> pa.Table:
    """Grain: who has which part of a charge."""
    return books.of_days(
        [day],
        sql_text("charge_rows").format(metric=books.metric_of(day, day), charge=quoted(charge)),
        ("ledger",),
    )


def charge_lines(books: Books, day: date, charge: str) -> list[dict[str, Any]]:
    """The lines of the bill that are the charge, as they were when the day was computed."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    for path in books.evidence(day, "billing", "charges"):
        rows += pq.read_table(
            path, filters=[("charge_id", "=", charge)], partitioning=None
        ).to_pylist()
    return rows


def where(place: Place) -> str:
    """SQL: what of ``spend`` is inside a place."""
    return f"day between date '{place.first}' and date '{place.last}' and {_inside(place)}"


def _inside(place: Place) -> str:
    said = [
        f"{name} is not distinct from {_literal(place.within[name])}"
        for name in NARROWING
        if name in place.within
    ]
    if place.currency is not None:
        said.append(f"billing_currency = {quoted(place.currency)}")
    return " and ".join(said) or "true"


def _literal(value: str | None) -> str:
    return "null" if value is None else quoted(value)
