"""Reservations as people and programs read them: on a terminal, as rows, in the UI.

Belongs here: columns, words and layout. Does not: status (``reservations``), formats (``output``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.views.cells import terminal_cell
from attribution_pipeline.views.output import records
from attribution_pipeline.views.reservations import (
    FORECAST_OVER,
    NO_AMOUNT,
    NOTHING_RECORDED,
    OTHER_CURRENCY,
    OVER,
    Status,
)
from attribution_pipeline.views.text_table import text_table

if TYPE_CHECKING:
    import pyarrow as pa

MONEY_COLUMNS = ("reserved", "attributed_to_date", "provisional", "forecast", "breach_by")
EARLIER_COLUMNS = ("of_earlier_days", "earlier_left_out")
"""Charges from before the first recorded day, booked on it: in ``attributed_to_date``, and no part of it."""
COLUMNS = (
    "reservation", "name", "scope", "period_start", "period_end", "state", "reserved",
    "attributed_to_date", "provisional", "forecast", "currency", "metric", "through",
    "days_recorded", "days_expected", "days_not_known", "forecast_method", "forecast_explained", "breach_day",
    "breach_by", "other_currencies", "amounts_replaced", *EARLIER_COLUMNS,
)  # fmt: skip
"""Of the view. Grain: one reservation, its scope, period and currency."""

SHOWN = (
    "reservation", "period_start", "period_end", "state", *MONEY_COLUMNS[:-1], "currency",
    "breach_day", "breach_by", "forecast_method",
)  # fmt: skip
"""Columns of the table on a terminal and in the UI; programs get all of them."""

DRIFT_MONEY = ("counted", "ledger_low", "ledger_high", "drift")
DRIFT_COLUMNS = (
    "reservation", "gateway", "counted_at", *DRIFT_MONEY, "currency", "days_missing",
)  # fmt: skip


def row(status: Status, metric: str) -> dict[str, Any]:
    """One reservation as a row. Amounts are decimals of its currency."""
    one = status.reservation
    return {
        "reservation": one.called,
        "name": one.name or None,
        "scope": one.scope.text,
        "period_start": one.period_start,
        "period_end": one.period_end,
        "state": status.state,
        "reserved": one.amount,
        "attributed_to_date": status.attributed,
        "provisional": status.provisional,
        "forecast": status.forecast,
        "currency": one.currency,
        "metric": metric,
        "through": status.through,
        "days_recorded": status.days_recorded,
        "days_expected": status.days_expected,
        "days_not_known": status.days_not_known,
        "forecast_method": status.method,
        "forecast_explained": status.explained,
        "breach_day": status.breach_day,
        "breach_by": status.breach_by,
        "other_currencies": ", ".join(f"{cost:f} {name}" for name, cost in status.others.items())
        or None,
        "amounts_replaced": one.said_otherwise,
        "of_earlier_days": status.earlier,
        "earlier_left_out": status.left_out,
    }


def drift_rows(statuses: Sequence[Status]) -> list[dict[str, Any]]:
    """One row a reservation and gateway that counts."""
    return [
        {
            "reservation": status.reservation.called,
            "gateway": drift.counter.gateway or "(unnamed)",
            "counted_at": drift.counter.counted_at,
            "counted": drift.counter.counted,
            "ledger_low": drift.ledger_low,
            "ledger_high": drift.ledger_high,
            "drift": drift.drift,
            "currency": status.reservation.currency,
            "days_missing": drift.days_missing,
        }
        for status in statuses
        for drift in status.drifts
    ]


def as_table(statuses: Sequence[Status], metric: str) -> pa.Table:
    """All of them, in the order given. Money is DECIMAL(38,12)."""
    import pyarrow as pa

    money, day, count = pa.decimal128(38, 12), pa.date32(), pa.int64()
    types = {
        **dict.fromkeys((*MONEY_COLUMNS, *EARLIER_COLUMNS), money),
        **dict.fromkeys(("period_start", "period_end", "through", "breach_day"), day),
        **dict.fromkeys(
            ("days_recorded", "days_expected", "days_not_known", "amounts_replaced"), count
        ),
    }
    schema = pa.schema([pa.field(name, types.get(name, pa.string())) for name in COLUMNS])
    return pa.Table.from_pylist([row(status, metric) for status in statuses], schema=schema)


def drift_table(statuses: Sequence[Status]) -> pa.Table:
    """``DRIFT_COLUMNS``. Grain: reservation and gateway."""
    import pyarrow as pa

    money = pa.decimal128(38, 12)
    types = {
        **dict.fromkeys(DRIFT_MONEY, money),
        "counted_at": pa.timestamp("us", tz="UTC"),
        "days_missing": pa.int64(),
    }
    schema = pa.schema([pa.field(name, types.get(name, pa.string())) for name in DRIFT_COLUMNS])
    return pa.Table.from_pylist(drift_rows(statuses), schema=schema)


def lines(rows: pa.Table) -> Iterator[str]:
    """Aligned text for a terminal; amounts to the cent, exact in the other formats."""
    return _lines(rows.select(SHOWN), MONEY_COLUMNS)


def drift_lines(rows: pa.Table) -> Iterator[str]:
    """The same of drift."""
    return _lines(rows, DRIFT_MONEY)


def _lines(rows: pa.Table, money: Sequence[str]) -> Iterator[str]:
    body = [
        [
            short(value) if name in money else terminal_cell(value)
            for name, value in zip(rows.column_names, one, strict=True)
        ]
        for one in records(rows)
    ]
    heads = [name.replace("_", " ") for name in rows.column_names]
    right = [name.replace("_", " ") for name in money]
    yield from text_table(heads, body, right=right).splitlines()


def sentence(status: Status) -> str:
    """What a person should know of one reservation."""
    one = status.reservation
    cost = f"{short(status.attributed)} {one.currency}"
    amount = f"{short(one.amount)} {one.currency}" if one.amount is not None else ""
    by = f"{short(status.breach_by)} {one.currency}"
    if status.state == OVER:
        said = f"is over its {amount} by {by}, since {status.breach_day}"
    elif status.state == FORECAST_OVER:
        said = (
            f"has spent {cost} of {amount} and is expected to go over on {status.breach_day}, "
            f"by {by} at the end of its period ({status.explained})"
        )
    elif status.state == OTHER_CURRENCY:
        found = ", ".join(f"{short(spent)} {name}" for name, spent in status.others.items())
        said = f"is in {one.currency} and its scope costs {found}: it guards nothing"
    elif status.state == NOTHING_RECORDED:
        said = (
            "can't be told: no day of its period is recorded, and none is to come"
            if status.days_not_known
            else "can't be told: no day is recorded yet"
        )
    elif status.state == NO_AMOUNT:
        said = f"has counters and no amount; {cost} stands against it"
    else:
        said = f"is within its {amount}: {cost} to date, {short(status.forecast)} expected"
        if status.days_not_known:
            said += f" ({status.explained})"
    return terminal_cell(f"{one.title} {said}{_earlier(status)}")


def _earlier(status: Status) -> str:
    """What is to be known of charges from before the first recorded day; nothing where there are none."""
    currency = status.reservation.currency
    booked = "of charges from before the first recorded day, booked on it"
    said = ""
    if status.earlier:
        said = f"; {short(status.earlier)} {currency} to date is {booked}, and in no mean of days"
    if status.left_out:
        said += (
            f"; {short(status.left_out)} {currency} {booked}, is of billing periods before this one and "
            "no part of it"
        )
    return said


def short(value: Decimal | None) -> str:
    """An amount for reading: to the cent, half to even; nothing for null."""
    return "" if value is None else f"{value:,.2f}"
