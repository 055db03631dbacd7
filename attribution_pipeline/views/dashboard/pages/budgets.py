"""Reservations beside the ledger: what was set aside, what stands against it, what is to come.

Belongs here: the page. Does not: status (``views.reservations``). A reservation guards spend and
attributes nothing: no figure of this page is a part of what anybody is charged.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.ledger import is_earlier
from attribution_pipeline.views import reservation_tables
from attribution_pipeline.views.dashboard import amounts
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline.views.dashboard.sheets import Column, sheet
from attribution_pipeline.views.dashboard.view import Page, View
from attribution_pipeline.views.forecast import HISTORY_DAYS
from attribution_pipeline.views.reservations import LEDGER_COLUMNS, Status, statuses
from attribution_pipeline.views.reserved import reservations_of

if TYPE_CHECKING:
    import pyarrow as pa

PERIOD = "billing_period"

EMPTY = (
    "No budget is landed. Write one as YAML or CSV (scope, period, amount, currency), name its folder "
    "under `sources.reservations` of the deployment file, and run a day."
)

STATES = {
    "over": "over", "forecast_over": "expected to go over", "within": "within",
    "other_currency": "guards nothing: other currency", "no_amount": "no amount",
    "nothing_recorded": "nothing recorded",
}  # fmt: skip


def page(view: View) -> Page:
    """Every reservation whose period touches the place's month."""
    found = _statuses(view)
    metric = view.metric
    rows = reservation_tables.as_table(found, metric)
    drift = reservation_tables.drift_table(found)
    table = sheet(
        "budgets", "Every budget", rows,
        [
            Column("reservation"), Column("scope"), Column("state", words=STATES),
            Column("reserved", "reserved", "money"),
            Column("attributed_to_date", "to date", "money"),
            Column("provisional", "provisional", "money"),
            Column("forecast", "expected", "money"), Column("currency"),
            Column("breach_day", "over on", "day"),
        ],
        empty=EMPTY,
    )  # fmt: skip
    drifts = sheet(
        "drift", "Gateways' counters against the ledger", drift,
        [
            Column("reservation"), Column("gateway"), Column("counted_at", "counted at", "instant"),
            Column("counted", "counted", "money"), Column("ledger_low", "ledger", "money"),
            Column("drift", "apart", "signed"), Column("currency"),
        ],
        note="A gateway counts calls at list price; the ledger has what was billed.",
        empty="No gateway delivers counters.",
    )  # fmt: skip
    bars = [_bar(status) for status in found]
    return Page("budgets.html", "Budgets", [table, drifts], {"bars": bars, "empty": EMPTY})


def _bar(status: Status) -> dict[str, Any]:
    """Spent and expected against what was reserved, as shares of the widest of the three."""
    one = status.reservation
    reserved, spent = one.amount, status.attributed
    expected = status.forecast if status.forecast is not None else spent
    widest = max(abs(value) for value in (reserved or Decimal(0), spent, expected)) or Decimal(1)
    return {
        "name": one.called,
        "scope": one.scope.text,
        "state": status.state,
        "sentence": reservation_tables.sentence(status),
        "reserved": reserved,
        "spent": spent,
        "currency": one.currency,
        "spent_share": amounts.share(spent, widest),
        "settled_share": amounts.share(spent - status.provisional, widest),
        "expected_share": amounts.share(expected, widest),
        "limit_share": amounts.share(reserved, widest) if reserved else None,
        "first": one.period_start,
        "last": one.period_end - timedelta(days=1),
    }


def _statuses(view: View) -> list[Status]:
    """Of reservations of the month, against the ledger as it stands."""
    books = view.books
    key = ("budgets", books.version, books.landed.head, view.place.month, view.metric)
    return books.kept(key, lambda: _made(view))


def _made(view: View) -> list[Status]:
    books, place = view.books, view.place.on(None)
    found = [
        one for one in reservations_of(_landed(books))
        if one.period_start <= place.last and place.first < one.period_end
    ]  # fmt: skip
    days = books.days()
    if not found or not days:
        return []
    first = min(days[-1] - timedelta(days=HISTORY_DAYS - 1), *(one.period_start for one in found))
    inside = [day for day in days if day >= first]
    columns = sorted({column for one in found for column in one.scope.columns})
    return statuses(found, _ledger(view, columns, inside[0]), inside, view.metric)


def _ledger(view: View, columns: list[str], first: date) -> pa.Table:
    """The ledger's sums by day and the scopes' columns, as far back as forecasts look. Roll-ups have no
    billing period: of the few rows that are asked for theirs the ledger says it."""
    import pyarrow as pa

    from attribution_pipeline.model.daily import KEYS
    from attribution_pipeline.model.ledger import LEDGER

    books, metric = view.books, view.metric
    named = [*LEDGER_COLUMNS, *(name for name in columns if name not in LEDGER_COLUMNS)]
    days = books.days()
    if not set(columns) <= {"charge_date", *KEYS["spend_daily"]}:
        return books.lake.read("ledger", first, days[-1], [*named, metric])
    listed = ", ".join(name for name in named if name != PERIOD)
    rows = books.opened(
        (first, days[-1]), ("spend_daily",),
        lambda db: db.table(
            f"select {listed}, cast(null as date) as {PERIOD}, "
            f"cast(sum({metric}) as decimal(38, 12)) as {metric} from spend_daily group by {listed}"
        ),
        f"budgets of {listed}",
    )  # fmt: skip
    is_of_earlier = [is_earlier(reason) for reason in rows["unallocated_reason"].to_pylist()]
    earlier = pa.array(is_of_earlier, pa.bool_())
    found = [
        rows.filter(pa.array([not one for one in is_of_earlier], pa.bool_())).select(
            [*named, metric]
        )
    ]
    for day in sorted({*rows["charge_date"].filter(earlier).to_pylist()}):
        of_day = books.lake.read("ledger", day, day, [*named, metric])
        reasons = of_day["unallocated_reason"].to_pylist()
        found.append(of_day.filter(pa.array(map(is_earlier, reasons), pa.bool_())))
    return pa.concat_tables(
        table.cast(pa.schema([LEDGER.field(name) for name in [*named, metric]])) for table in found
    )


def _landed(books: Books) -> Iterator[dict[str, Any]]:
    """Standing records of budgets and counters, older objects first."""
    import pyarrow.parquet as pq

    landed = books.landed
    place = {
        (source, one): number
        for source, ids in landed.current_objects("reservations").items()
        for number, one in enumerate(ids)
    }
    files = landed.files("reservations")
    landed.verify(files)
    rows = [
        row
        for path in landed.local(files)
        for row in pq.read_table(path, partitioning=None).to_pylist()
        if (row["source"], row["object_id"]) in place
    ]
    yield from sorted(
        rows,
        key=lambda row: (row["source"], place[row["source"], row["object_id"]], row["position"]),
    )
