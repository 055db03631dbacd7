"""Reservations beside the ledger: what was reserved, what stands against it, what is to come.

Belongs here: the status of a reservation. Does not: what was reserved (``reserved``), layout
(``reservation_tables``), the forecast's methods (``forecast``), gateways' counters
(``reservation_drift``), which days and policy (``orchestration.reserving``).

A reservation guards spend and attributes nothing (design: product page). This view reads the ledger
and writes nowhere; no table of it has a reservation in it. Sums are of one currency: what a scope
costs in another is told beside it and never added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from attribution_pipeline.model.money import to_decimal, to_quanta
from attribution_pipeline.views.forecast import ALL_RECORDED, NO_HISTORY, Forecast, forecast
from attribution_pipeline.views.reservation_drift import Drift, drifts
from attribution_pipeline.views.reserved import Reservation

if TYPE_CHECKING:
    import pyarrow as pa

WITHIN, FORECAST_OVER, OVER = "within", "forecast_over", "over"
OTHER_CURRENCY, NO_AMOUNT, NOTHING_RECORDED = "other_currency", "no_amount", "nothing_recorded"

STATES = (OVER, FORECAST_OVER, OTHER_CURRENCY, NOTHING_RECORDED, NO_AMOUNT, WITHIN)
"""What a reservation is in, the most pressing first. ``other_currency``: its scope costs, and nothing
in its currency, so it guards nothing."""

LEDGER_COLUMNS = ("charge_date", "billing_currency", "settlement")
PROVISIONAL = "provisional"

Spent = dict[date, int]
"""Charge day -> quanta."""


@dataclass(frozen=True)
class Status:
    """One reservation on the newest recorded day. Amounts in its currency."""

    reservation: Reservation
    state: str
    through: date | None
    """The newest recorded day of the period."""
    attributed: Decimal
    provisional: Decimal
    """The part of ``attributed`` whose charges are not settled."""
    forecast: Decimal | None
    """For the whole period; null where no day is recorded."""
    method: str
    explained: str
    days_recorded: int
    days_expected: int
    """Days of the period that are not recorded, past or to come: the forecast's part."""
    breach_day: date | None = None
    """``over``: the recorded day with which it went over; ``forecast_over``: the day expected to."""
    breach_by: Decimal | None = None
    """How much over, now or at the end of the period."""
    others: Mapping[str, Decimal] = field(default_factory=dict)
    """Currency -> what the scope costs in it besides; never added up."""
    drifts: tuple[Drift, ...] = ()


def statuses(
    found: Sequence[Reservation], ledger: pa.Table, days: Sequence[date], metric: str
) -> list[Status]:
    """The status of each, most pressing first.

    ``ledger``: ``LEDGER_COLUMNS``, the scopes' columns and ``metric``, of all ``days``; ``days``: the
    recorded ones, those before the period too, from which forecasts are made.
    """
    sums = {columns: _sums(ledger, columns, metric) for columns in {r.scope.columns for r in found}}
    made = [_status(one, sums[one.scope.columns].get(one.scope.values, []), days) for one in found]
    return sorted(made, key=lambda one: (STATES.index(one.state), one.reservation.period_start))


_Cost = tuple[date, str, bool, int]
"""Day, currency, whether it is provisional, quanta."""


def _sums(
    ledger: pa.Table, columns: Sequence[str], metric: str
) -> dict[tuple[str | None, ...], list[_Cost]]:
    groups = ledger.group_by([*LEDGER_COLUMNS, *columns], use_threads=False)
    costs: dict[tuple[str | None, ...], list[_Cost]] = defaultdict(list)
    for row in groups.aggregate([(metric, "sum")]).to_pylist():
        costs[tuple(row[column] for column in columns)].append((
            row["charge_date"], row["billing_currency"], row["settlement"] == PROVISIONAL,
            to_quanta(row[f"{metric}_sum"])[0],
        ))  # fmt: skip
    return costs


def _status(one: Reservation, costs: Sequence[_Cost], days: Sequence[date]) -> Status:
    spent: Spent = dict.fromkeys(days, 0)
    others: dict[str, int] = defaultdict(int)
    provisional = 0
    for day, currency, is_provisional, quanta in costs:
        inside = one.period_start <= day < one.period_end
        if currency == one.currency:
            spent[day] += quanta
            provisional += quanta if inside and is_provisional else 0
        elif inside:
            others[currency or ""] += quanta
    recorded = [day for day in one.days if day in spent]
    attributed = sum(spent[day] for day in recorded)
    method = forecast(spent)
    total = _total(one, spent, method)
    open_days = len(one.days) - len(recorded)
    in_currency = any(currency == one.currency for _, currency, _, _ in costs)
    state = _state(one, attributed, total, bool(spent), in_currency or not others)
    breach_day, by = _breach(one, spent, method, state, attributed, total)
    return Status(
        one, state, max(recorded, default=None), to_decimal(attributed), to_decimal(provisional),
        None if total is None else to_decimal(total),
        method.method if open_days else ALL_RECORDED,
        f"{method.explained}, for {open_days} of {len(one.days)} days" if open_days
        else "every day of the period is recorded",
        len(recorded), open_days, breach_day, by,
        {currency: to_decimal(quanta) for currency, quanta in sorted(others.items()) if quanta},
        drifts(one, spent),
    )  # fmt: skip


def _total(one: Reservation, spent: Spent, method: Forecast) -> int | None:
    """Recorded days as they stand and the others as expected, in whole quanta, half to even."""
    if method.method == NO_HISTORY:
        return None
    expected = sum((method.expected(day) for day in one.days if day not in spent), Fraction(0))
    return round(sum(spent[day] for day in one.days if day in spent) + expected)


def _state(
    one: Reservation, attributed: int, total: int | None, any_day: bool, in_currency: bool
) -> str:
    if one.amount is None:
        return NO_AMOUNT
    if not any_day:
        return NOTHING_RECORDED
    if not in_currency:
        return OTHER_CURRENCY
    limit = to_quanta(one.amount)[0]
    if attributed > limit:
        return OVER
    return FORECAST_OVER if total is not None and total > limit else WITHIN


def _breach(
    one: Reservation, spent: Spent, method: Forecast, state: str, attributed: int, total: int | None
) -> tuple[date | None, Decimal | None]:
    if state not in (OVER, FORECAST_OVER) or one.amount is None or total is None:
        return None, None
    limit, running = to_quanta(one.amount)[0], Fraction(0)
    by = to_decimal((attributed if state == OVER else total) - limit)
    for day in one.days:
        if day in spent:
            running += spent[day]
        elif state == FORECAST_OVER:
            running += method.expected(day)
        # rounded as the total is: the last day must agree with it
        if round(running) > limit:
            return day, by
    raise AssertionError("what is over its amount went over it on some day")
