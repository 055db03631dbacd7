"""A reservation's status is arithmetic on ledger rows: to date, provisional, forecast, breach, drift."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_pipeline.model.reservations import parse_scope
from attribution_pipeline.views.reservation_tables import COLUMNS, as_table, row, sentence
from attribution_pipeline.views.reservations import Status, statuses
from attribution_pipeline.views.reserved import Counter, Reservation, reservations_of

FIRST = date(2026, 10, 1)
METRIC = "effective_cost"
SCHEMA = pa.schema(
    [
        pa.field("charge_date", pa.date32()),
        pa.field("billing_currency", pa.string()),
        pa.field("settlement", pa.string()),
        pa.field("unallocated_reason", pa.string()),
        pa.field("billing_period", pa.date32()),
        pa.field("tenant_id", pa.string()),
        pa.field(METRIC, pa.decimal128(38, 12)),
    ]
)


def day(number: int) -> date:
    return FIRST + timedelta(days=number - 1)


def budget(amount: str | None, *, first: int = 1, days: int = 31, **more: Any) -> Reservation:
    said = {"currency": "USD", "scope": parse_scope("tenant_id = acme"), **more}
    return Reservation(
        period_start=day(first), period_end=day(first + days),
        amount=None if amount is None else Decimal(amount), **said,
    )  # fmt: skip


def ledger(costs: Sequence[tuple[int, str]], **more: Any) -> list[dict[str, Any]]:
    """One row for each (day of October, amount), of acme, settled, in USD."""
    return [
        {"charge_date": day(number), "billing_currency": "USD", "settlement": "settled",
         "tenant_id": "acme", "billing_period": FIRST, METRIC: Decimal(cost), **more}
        for number, cost in costs
    ]  # fmt: skip


def status(one: Reservation, rows: list[dict[str, Any]], days: int) -> Status:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    (found,) = statuses([one], table, [day(n + 1) for n in range(days)], METRIC)
    return found


def test_to_date_and_provisional_are_sums_of_the_scope_inside_the_period() -> None:
    rows = [
        *ledger([(1, "100"), (2, "1.000000000001"), (3, "2")]),
        *ledger([(3, "4")], settlement="provisional"),
        *ledger([(3, "1000")], tenant_id="globex"),
    ]
    found = status(budget("500", first=2), rows, 3)
    assert (found.attributed, found.provisional) == (Decimal("7.000000000001"), Decimal(4))
    assert (found.through, found.days_recorded, found.days_expected) == (day(3), 2, 29)


def test_few_days_are_forecast_at_their_mean_and_the_method_says_so() -> None:
    found = status(budget("500"), ledger([(1, "10"), (3, "11")]), 3)
    # a day without cost is a day: 31 x 21 / 3, in twelve digits
    assert (found.method, found.forecast) == ("run_rate", Decimal(217))
    assert found.explained == (
        "the mean of the 3 recorded days from 2026-10-01 to 2026-10-03, for 28 of 31 days"
    )


def test_two_weeks_are_forecast_by_weekday() -> None:
    # 2026-10-01 is a Thursday: working days cost 10, weekends nothing
    costs = [(n, "10") for n in range(1, 15) if day(n).weekday() < 5]
    found = status(budget("500"), ledger(costs), 14)
    working = sum(day(n).weekday() < 5 for n in range(1, 32))
    assert (found.method, found.forecast) == ("seasonal_weekday", Decimal(10 * working))


def test_a_period_that_is_recorded_whole_is_not_forecast() -> None:
    found = status(budget("500", days=2), ledger([(1, "10"), (2, "5")]), 2)
    assert (found.method, found.forecast, found.state) == ("all_recorded", Decimal(15), "within")


def recorded_on(one: Reservation, costs: Sequence[tuple[int, str]]) -> Status:
    """Of a ledger whose recorded days are those of the costs."""
    table = pa.Table.from_pylist(ledger(costs), schema=SCHEMA)
    (found,) = statuses([one], table, [day(number) for number, _ in costs], METRIC)
    return found


def test_only_days_after_the_last_recorded_one_are_forecast() -> None:
    # three days of a month whose first 17 are before the deployment's first, and a hole on the 19th
    found = recorded_on(budget("500", days=30), [(18, "5"), (20, "6"), (21, "7")])
    assert (found.days_recorded, found.days_expected, found.days_not_known) == (3, 9, 18)
    assert found.forecast == Decimal(18 + 9 * 6)
    assert found.explained == (
        "the mean of the 3 recorded days from 2026-10-18 to 2026-10-21, for 9 of 30 days; "
        "18 days before 2026-10-20 are not known"
    )
    assert "18 days before 2026-10-20 are not known" in sentence(found)


def test_no_day_is_expected_to_go_over_that_is_not_to_come() -> None:
    found = recorded_on(budget("20", days=30), [(18, "5"), (19, "5"), (20, "5")])
    assert (found.state, found.breach_day) == ("forecast_over", day(22))
    # on the 18th 25 stood against 20, until a credit came
    found = recorded_on(budget("20", days=30), [(18, "25"), (19, "-10"), (20, "3")])
    assert (found.state, found.breach_day) == ("forecast_over", day(21))


def earlier(number: int, amount: str, **more: Any) -> list[dict[str, Any]]:
    """A charge from before the first recorded day, booked on it."""
    return ledger([(number, amount)], unallocated_reason="outside_range", **more)


def from_the_18th(one: Reservation, rows: list[dict[str, Any]]) -> Status:
    """Of a ledger whose first of three recorded days is the 18th; 6 a day beside ``rows``."""
    every = [*ledger([(18, "6"), (19, "6"), (20, "6")]), *rows]
    table = pa.Table.from_pylist(every, schema=SCHEMA)
    (found,) = statuses([one], table, [day(18), day(19), day(20)], METRIC)
    return found


def test_charges_from_before_the_first_day_count_to_date_and_in_no_mean_of_days() -> None:
    found = from_the_18th(budget("500", days=30), earlier(18, "54", settlement="provisional"))
    assert (found.attributed, found.earlier, found.provisional) == (72, 54, 54)
    assert found.forecast == 72 + 10 * 6
    assert found.explained.startswith("the mean of the 3 recorded days")
    assert sentence(found).endswith(
        "; 54.00 USD to date is of charges from before the first recorded day, booked on it, and in "
        "no mean of days"
    )
    said = row(found, METRIC)
    assert (said["of_earlier_days"], said["earlier_left_out"]) == (54, 0)


def test_charges_from_before_the_first_day_may_bring_a_budget_over_its_amount() -> None:
    found = from_the_18th(budget("60", days=30), earlier(18, "54"))
    assert (found.state, found.breach_day, found.breach_by) == ("over", day(19), 12)
    assert "of charges from before the first recorded day" in sentence(found)


def test_charges_of_a_billing_period_before_a_budgets_are_no_part_of_it() -> None:
    rows = [*earlier(18, "54"), *earlier(18, "1000", billing_period=date(2026, 9, 1))]
    found = from_the_18th(budget("500", days=30), rows)
    assert (found.state, found.attributed, found.left_out) == ("within", 72, 1000)
    assert "1,000.00 USD of charges from before" in sentence(found)
    # one that begins with the deployment has no day that they could be of
    begun = from_the_18th(budget("500", first=18, days=10), rows)
    assert (begun.attributed, begun.left_out, begun.forecast) == (18, 1054, 18 + 7 * 6)


def test_charges_from_before_the_first_day_are_in_another_currency_as_they_are_in_ones_own() -> (
    None
):
    rows = earlier(18, "54", billing_currency="EUR")
    assert from_the_18th(budget("500", days=30), rows).others == {"EUR": 54}


def test_no_counter_drifts_by_charges_from_before_the_first_day() -> None:
    counted = Counter("gateway", Decimal(12), datetime(2026, 10, 20, tzinfo=UTC))
    rows = earlier(18, "54", billing_period=day(18))
    found = from_the_18th(budget("500", first=18, days=10, counters=(counted,)), rows)
    assert found.earlier == 54
    assert found.drifts[0].drift == 0


@pytest.mark.parametrize(
    ("first", "state", "method", "forecast"),
    [(1, "within", "none_to_come", Decimal(11)), (3, "nothing_recorded", "none_to_come", None)],
)
def test_a_period_that_is_past_with_days_missing_is_not_forecast(
    first: int, state: str, method: str, forecast: Decimal | None
) -> None:
    found = recorded_on(budget("500", first=first, days=2), [(2, "11"), (9, "7")])
    assert (found.state, found.method, found.forecast) == (state, method, forecast)
    assert found.explained.endswith("not known")
    assert "known" in sentence(found) or "none is to come" in sentence(found)


@given(
    st.sets(st.integers(1, 40), min_size=1),
    st.integers(1, 40),
    st.integers(1, 30),
    st.integers(0, 9),
)
def test_a_forecast_is_what_is_attributed_and_the_mean_for_each_day_to_come(
    days: set[int], first: int, long: int, limit: int
) -> None:
    one = budget(f"{limit}0", first=first, days=long)
    found = recorded_on(one, [(number, "4") for number in sorted(days)])
    to_come = [other for other in one.days if other > day(max(days))]
    assert found.days_expected == len(to_come)
    assert found.days_recorded + found.days_expected + found.days_not_known == long
    if found.forecast is not None:
        assert found.forecast == found.attributed + 4 * len(to_come)
    if found.state == "forecast_over":
        assert found.breach_day in to_come


def test_a_forecast_is_rounded_once_half_to_even() -> None:
    tenth = "0.000000000001"
    found = status(budget("1", days=4), ledger([(1, tenth)]), 2)
    # one quantum and two days at half a quantum each
    assert found.forecast == Decimal("0.000000000002")
    found = status(budget("1", days=3), ledger([(1, tenth)]), 2)
    assert found.forecast == Decimal("0.000000000002")  # 1.5 quanta


def test_over_is_the_day_that_passed_the_amount_and_by_how_much_now() -> None:
    found = status(budget("25"), ledger([(1, "10"), (2, "10"), (3, "10")]), 3)
    assert (found.state, found.breach_day, found.breach_by) == ("over", day(3), Decimal(5))
    exactly = status(budget("30", days=3), ledger([(1, "10"), (2, "10"), (3, "10")]), 3)
    assert (exactly.state, exactly.breach_day) == ("within", None)


def test_forecast_over_is_the_day_expected_to_and_the_excess_at_the_end() -> None:
    found = status(budget("100", days=20), ledger([(1, "10"), (2, "10")]), 2)
    assert (found.state, found.breach_day, found.breach_by) == (
        "forecast_over", day(11), Decimal(100),
    )  # fmt: skip
    assert "expected to go over on 2026-10-11" in sentence(found)


def test_currencies_are_kept_apart_and_a_budget_in_another_guards_nothing() -> None:
    rows = [*ledger([(1, "10")]), *ledger([(1, "7"), (2, "1")], billing_currency="EUR")]
    found = status(budget("500"), rows, 2)
    assert (found.attributed, found.others) == (Decimal(10), {"EUR": Decimal(8)})
    (pounds,) = (status(budget("500", currency="GBP"), rows, 2),)
    assert (pounds.state, pounds.attributed) == ("other_currency", Decimal(0))
    assert "is in GBP and its scope costs 8.00 EUR, 10.00 USD" in sentence(pounds)


def test_nothing_recorded_is_said_and_not_taken_for_zero_spend() -> None:
    found = status(budget("500"), [], 0)
    assert (found.state, found.forecast, found.method) == ("nothing_recorded", None, "no_history")


def test_a_scope_of_two_columns_and_of_all_sum_their_own_rows() -> None:
    rows = pa.Table.from_pylist(
        [*ledger([(1, "1")]), *ledger([(1, "2")], tenant_id="globex")], schema=SCHEMA
    ).append_column("surface", pa.array(["embeddings", "embeddings"]))
    both = budget("9", scope=parse_scope("tenant_id = acme; surface = embeddings"))
    everything = budget("9", scope=parse_scope("*"))
    found = {one.reservation.scope.text: one.attributed
             for one in statuses([both, everything], rows, [day(1)], METRIC)}  # fmt: skip
    assert found == {"*": Decimal(3), "surface = embeddings; tenant_id = acme": Decimal(1)}


def counter(number: int, hour: int, counted: str, gateway: str = "llm") -> Counter:
    at = datetime.combine(day(number), datetime.min.time(), UTC) + timedelta(hours=hour)
    return Counter(gateway, Decimal(counted), at)


def drift(counters: Sequence[Counter], days: int = 2) -> tuple[Decimal | None, int, Decimal]:
    one = budget("500", counters=tuple(counters))
    (found,) = status(one, ledger([(1, "10"), (2, "4")]), days).drifts
    return found.drift, found.days_missing, found.counter.counted


def test_a_counter_at_midnight_is_held_against_the_days_before() -> None:
    assert drift([counter(3, 0, "15")]) == (Decimal(1), 0, Decimal(15))
    assert drift([counter(3, 0, "13.5")]) == (Decimal("-0.5"), 0, Decimal("13.5"))


def test_a_counter_within_a_day_drifts_only_outside_of_that_day() -> None:
    assert drift([counter(2, 12, "12")])[0] == Decimal(0)
    assert drift([counter(2, 12, "9")])[0] == Decimal(-1)
    assert drift([counter(2, 12, "15")])[0] == Decimal(1)


def test_the_newest_counter_that_days_are_recorded_for_is_taken() -> None:
    assert drift([counter(2, 0, "10"), counter(9, 0, "99")]) == (Decimal(0), 0, Decimal(10))
    assert drift([counter(2, 0, "10"), counter(3, 0, "15")]) == (Decimal(1), 0, Decimal(15))
    assert drift([counter(9, 0, "99")]) == (None, 6, Decimal(99))


def test_records_of_one_scope_period_and_currency_are_one_reservation_with_the_newest_amount() -> (
    None
):
    base = {"scope": "{}", "period_start": day(1), "period_end": day(8), "currency": "USD",
            "name": None, "gateway": None, "counted": None, "counted_at": None}  # fmt: skip
    at = datetime(2026, 10, 3, tzinfo=UTC)
    found = reservations_of(
        [
            {**base, "amount": Decimal(5), "name": "all"},
            {**base, "amount": None, "gateway": "llm", "counted": Decimal(1), "counted_at": at},
            {**base, "amount": Decimal(7)},
            {**base, "amount": Decimal(7), "currency": "EUR"},
        ]
    )
    assert [(one.currency, one.amount, one.name, one.said_otherwise) for one in found] == [
        ("EUR", Decimal(7), "", 0), ("USD", Decimal(7), "all", 1),
    ]  # fmt: skip
    assert found[1].counters == (Counter("llm", Decimal(1), at),)


def test_every_column_of_the_view_is_filled_from_a_status() -> None:
    found = status(budget("25"), ledger([(1, "10"), (2, "20")]), 2)
    assert set(row(found, METRIC)) == set(COLUMNS)
    (told,) = as_table([found], METRIC).to_pylist()
    assert (told["breach_by"], told["state"]) == (Decimal(5), "over")
