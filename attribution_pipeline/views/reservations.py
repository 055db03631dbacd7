"""Reservations beside the ledger: what was reserved, what stands against it, what is to come.

Belongs here: the status of a reservation. Does not: what was reserved (``reserved``), layout
(``reservation_tables``), the forecast's methods (``forecast``), gateways' counters
(``reservation_drift``), which days and policy (``orchestration.reserving``).

A reservation guards spend and attributes nothing (design: product page). This view reads the ledger
and writes nowhere; no table of it has a reservation in it. Sums are of one currency: what a scope
costs in another is told beside it and never added.

Charges from before the ledger's first day are booked on it (``model.ledger.EARLIER``). They count to date
where their billing period begins in the reservation's: they were billed in it. They are of no recorded day,
so no forecast and no drift rests on them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from attribution_pipeline.model.ledger import is_earlier
from attribution_pipeline.model.money import to_decimal, to_quanta
from attribution_pipeline.views.forecast import (
    ALL_RECORDED,
    NO_HISTORY,
    NONE_TO_COME,
    Forecast,
    forecast,
)
from attribution_pipeline.views.reservation_drift import Drift, drifts
from attribution_pipeline.views.reserved import Reservation

if TYPE_CHECKING:
    import pyarrow as pa

WITHIN, FORECAST_OVER, OVER = "within", "forecast_over", "over"
OTHER_CURRENCY, NO_AMOUNT, NOTHING_RECORDED = "other_currency", "no_amount", "nothing_recorded"

STATES = (OVER, FORECAST_OVER, OTHER_CURRENCY, NOTHING_RECORDED, NO_AMOUNT, WITHIN)
"""What a reservation is in, the most pressing first. ``other_currency``: its scope costs, and nothing
in its currency, so it guards nothing."""

LEDGER_COLUMNS = (
    "charge_date", "billing_currency", "settlement", "unallocated_reason", "billing_period",
)  # fmt: skip
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
    earlier: Decimal
    """The part of ``attributed`` that is of days before the first recorded one and booked on it."""
    left_out: Decimal
    """The same of billing periods that began before the reservation's: no part of ``attributed``."""
    forecast: Decimal | None
    """Recorded days of the period and those after the last recorded one; null where neither is known."""
    method: str
    explained: str
    days_recorded: int
    days_expected: int
    """Days of the period after the last recorded day: the forecast's part."""
    days_not_known: int
    """Days of the period before the last recorded day that are not recorded: no part of any sum."""
    breach_day: date | None = None
    """``over``: the recorded day with which it went over; ``forecast_over``: the day expected to,
    after the last recorded one."""
    breach_by: Decimal | None = None
    """How much over, now or at the end of the period."""
    others: Mapping[str, Decimal] = field(default_factory=dict)
    """Currency -> what the scope costs in it besides; never added up."""
    drifts: tuple[Drift, ...] = ()


def statuses(
    found: Sequence[Reservation], ledger: pa.Table, days: Sequence[date], metric: str
) -> list[Status]:
    """The status of each, most pressing first.

    ``ledger``: ``LEDGER_COLUMNS``, the scopes' columns and ``metric``, of all ``days``, summed or not
    (``billing_period`` is asked of earlier charges alone); ``days``: the recorded ones, those before the
    period too, from which forecasts are made.
    """
    sums = {columns: _sums(ledger, columns, metric) for columns in {r.scope.columns for r in found}}
    made = [_status(one, sums[one.scope.columns].get(one.scope.values, []), days) for one in found]
    return sorted(made, key=lambda one: (STATES.index(one.state), one.reservation.period_start))


class _Cost(NamedTuple):
    day: date
    currency: str
    is_provisional: bool
    earlier: date | None
    """The billing period of charges from before the first recorded day; null of all others."""
    quanta: int


def _sums(
    ledger: pa.Table, columns: Sequence[str], metric: str
) -> dict[tuple[str | None, ...], list[_Cost]]:
    groups = ledger.group_by([*LEDGER_COLUMNS, *columns], use_threads=False)
    costs: dict[tuple[str | None, ...], list[_Cost]] = defaultdict(list)
    for row in groups.aggregate([(metric, "sum")]).to_pylist():
        costs[tuple(row[column] for column in columns)].append(_Cost(
            row["charge_date"], row["billing_currency"], row["settlement"] == PROVISIONAL,
            row["billing_period"] if is_earlier(row["unallocated_reason"]) else None,
            to_quanta(row[f"{metric}_sum"])[0],
        ))  # fmt: skip
    return costs


def _status(one: Reservation, costs: Sequence[_Cost], days: Sequence[date]) -> Status:
    spent: Spent = dict.fromkeys(days, 0)
    earlier: Spent = defaultdict(int)
    others: dict[str, int] = defaultdict(int)
    provisional = left_out = 0
    for cost in costs:
        inside = one.period_start <= cost.day < one.period_end
        if cost.earlier is not None and cost.earlier < one.period_start:
            left_out += cost.quanta if inside and cost.currency == one.currency else 0
        elif cost.currency == one.currency:
            (spent if cost.earlier is None else earlier)[cost.day] += cost.quanta
            provisional += cost.quanta if inside and cost.is_provisional else 0
        elif inside:
            others[cost.currency or ""] += cost.quanta
    recorded = [day for day in one.days if day in spent]
    before = sum(earlier[day] for day in recorded)
    attributed = before + sum(spent[day] for day in recorded)
    method = forecast(spent)
    to_come, not_known = _unrecorded(one, spent)
    total = _total(attributed, to_come, method) if recorded or to_come else None
    in_currency = any(cost.currency == one.currency for cost in costs)
    state = _state(one, attributed, total, in_currency or not others)
    stands = {day: spent[day] + earlier[day] for day in recorded}
    breach_day, by = _breach(one, stands, method, to_come, state, attributed, total)
    return Status(
        one, state, max(recorded, default=None), to_decimal(attributed), to_decimal(provisional),
        to_decimal(before), to_decimal(left_out),
        None if total is None else to_decimal(total),
        method.method if to_come else NONE_TO_COME if not_known else ALL_RECORDED,
        _explained(one, method, to_come, not_known),
        len(recorded), len(to_come), len(not_known), breach_day, by,
        {currency: to_decimal(quanta) for currency, quanta in sorted(others.items()) if quanta},
        drifts(one, spent),
    )  # fmt: skip


def _unrecorded(one: Reservation, spent: Spent) -> tuple[list[date], list[date]]:
    """Days of the period that are not recorded: after the last recorded day of all, and before it.

    What was before it may be older than the deployment or was never run: nothing says what it cost.
    """
    newest = max(spent, default=date.min)
    absent = [day for day in one.days if day not in spent]
    return [day for day in absent if day > newest], [day for day in absent if day < newest]


def _explained(
    one: Reservation, method: Forecast, to_come: Sequence[date], not_known: Sequence[date]
) -> str:
    said = []
    if to_come:
        said.append(f"{method.explained}, for {len(to_come)} of {len(one.days)} days")
    elif not not_known:
        said.append("every day of the period is recorded")
    if not_known:
        days = "1 day" if len(not_known) == 1 else f"{len(not_known)} days"
        verb = "is" if len(not_known) == 1 else "are"
        said.append(f"{days} before {not_known[-1] + timedelta(days=1)} {verb} not known")
    return "; ".join(said)


def _total(attributed: int, to_come: Sequence[date], method: Forecast) -> int | None:
    """Recorded days as they stand and those to come as expected, in whole quanta, half to even."""
    if method.method == NO_HISTORY:
        return None
    return round(attributed + sum((method.expected(day) for day in to_come), Fraction(0)))


def _state(one: Reservation, attributed: int, total: int | None, in_currency: bool) -> str:
    if one.amount is None:
        return NO_AMOUNT
    if total is None:
        return NOTHING_RECORDED
    if not in_currency:
        return OTHER_CURRENCY
    limit = to_quanta(one.amount)[0]
    if attributed > limit:
        return OVER
    return FORECAST_OVER if total > limit else WITHIN


def _breach(
    one: Reservation,
    spent: Spent,
    method: Forecast,
    to_come: Sequence[date],
    state: str,
    attributed: int,
    total: int | None,
) -> tuple[date | None, Decimal | None]:
    if state not in (OVER, FORECAST_OVER) or one.amount is None or total is None:
        return None, None
    limit = to_quanta(one.amount)[0]
    if state == OVER:
        by, running = to_decimal(attributed - limit), Fraction(0)
        costs = [(day, Fraction(spent[day])) for day in one.days if day in spent]
    else:  # recorded days are behind: a credit among them may hide that one was over for a while
        by, running = to_decimal(total - limit), Fraction(attributed)
        costs = [(day, method.expected(day)) for day in to_come]
    for day, cost in costs:
        running += cost
        # rounded as the total is: the last day must agree with it
        if round(running) > limit:
            return day, by
    raise AssertionError("what is over its amount went over it on some day")
