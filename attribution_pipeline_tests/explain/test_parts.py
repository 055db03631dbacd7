"""What rows and calls count for: retries, samples, corrections, credits, currencies, odd names."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from attribution_pipeline.views.explain import Explanation, Period
from attribution_pipeline.views.explain.parts import PARTS, Sums
from attribution_pipeline.views.explain.told import Scale, lines
from attribution_pipeline_tests.attribution.days import (
    METERS,
    MIDNIGHT,
    call,
    day,
    line,
    token_line,
)
from attribution_pipeline_tests.explain.books import (
    AFTER,
    BEFORE,
    as_period,
    asked,
    parts,
    requests,
)

EARLIER_BY = timedelta(days=3)
ODD = "o'brien \N{SNOWMAN}"
"""A name that SQL and terminals must survive."""

Periods = tuple[Period, Period]


@pytest.fixture(scope="module")
def periods(tmp_path_factory: pytest.TempPathFactory) -> Periods:
    """Tenants who each do one thing differently on the second day, at the same price a token."""
    folder = tmp_path_factory.mktemp("days")
    before = day(
        folder / "before", METERS,
        lines=[
            token_line(1, "40", "m-uncached", 4000),
            token_line(2, "10", "n-uncached", 1000, BillingCurrency="EUR"),
            line(9, "54", ChargePeriodStart=MIDNIGHT - EARLIER_BY, ChargePeriodEnd=MIDNIGHT),
            line(8, "3"),
        ],
        spans=[
            call(1, "retries", uncached_input=100), call(2, "sampled", uncached_input=100),
            call(3, "corrected", uncached_input=100), call(4, "euros", uncached_input=100, model="n"),
            call(5, "euros", uncached_input=100), call(6, ODD, uncached_input=100),
            call(7, "silent", uncached_input=100),
        ],
    )  # fmt: skip
    after = day(
        folder / "after", METERS,
        lines=[
            token_line(1, "40", "m-uncached", 4000),
            token_line(2, "20", "n-uncached", 1000, BillingCurrency="EUR"),
            token_line(3, "-4", "m-uncached", 0, ChargeClass="Correction"),
            token_line(4, "-8", "m-uncached", 0, ChargeCategory="Credit"),
        ],
        spans=[
            call(1, "retries", uncached_input=100),
            call(11, "retries", uncached_input=100, attempt=2),
            call(12, "retries", uncached_input=100, attempt=3),
            call(2, "sampled", uncached_input=100, sampling_threshold="8"),
            call(3, "corrected", uncached_input=100),
            call(4, "euros", uncached_input=100, model="n"), call(5, "euros", uncached_input=100),
            call(6, ODD, uncached_input=200),
            call(7, "silent", uncached_input=100), call(17, "silent", metered=False),
        ],
    )  # fmt: skip
    return (
        as_period(BEFORE, dict(before.outcome.files)),
        as_period(AFTER, dict(after.outcome.files)),
    )


def moved(found: Explanation, currency: str = "USD") -> dict[str, str]:
    """Parts but for the correction and the credit, of which every call of the day has its share."""
    return {
        part: amount for part, amount in parts(found, currency).items()
        if part not in ("correction", "credit")
    }  # fmt: skip


def test_attempts_after_the_first_are_retries(periods: Periods) -> None:
    assert moved(asked(*periods, "retries")) == {"retries": "2"}


def test_a_sampled_call_counts_for_those_that_it_stands_for(periods: Periods) -> None:
    assert moved(asked(*periods, "sampled")) == {"requests": "1"}


def test_corrections_and_credits_are_no_price(periods: Periods) -> None:
    found = asked(*periods, "corrected")
    assert set(parts(found)) == {"correction", "credit"}
    assert found.total("USD").parts["credit"] == 2 * found.total("USD").parts["correction"]


def test_charges_from_before_the_first_day_are_a_part_of_their_own(periods: Periods) -> None:
    found = asked(*periods, None)
    total = found.total("USD")
    assert total.parts["before_first_day"] == -54 * 10**12
    assert found.beside["USD", "unallocated"][0] < 54 * 10**12, "they are nobody's, and not in it"
    assert sum(total.parts.values()) == total.change
    told = list(
        lines(found, *periods, tenant=None, metric="billed_cost", by=["tenant"], requests=None)
    )
    (headline,) = [text for text in told if text.startswith("Everybody") and " USD " in text]
    assert "charges from before the first recorded day -54.00" in headline
    assert headline.endswith("; without charges from before the first recorded day 15.00 USD less")
    assert any("booked on it: 54.00 -> 0.00" in text for text in told)


def test_rounding_for_the_eye_leaves_what_is_booked_on_the_first_day_as_the_bill_has_it() -> None:
    cents, unit = Scale(2), 10**12
    parts = {
        **Sums.none().parts,
        "before_first_day": -54 * unit,
        "unallocated": -unit * 166 // 10_000,
    }
    sums = Sums(54 * unit + unit * 1052 // 10_000, unit * 886 // 10_000, parts)
    assert sum(parts.values()) == sums.change
    before, after, shown = cents.rounded(sums)
    assert (before, after) == (5411, 9)
    assert (shown["before_first_day"], shown["unallocated"]) == (-5400, -2)


def test_currencies_are_explained_apart(periods: Periods) -> None:
    found = asked(*periods, "euros")
    assert found.currencies == ["EUR", "USD"]
    assert moved(found, "EUR") == {"price": "1"}
    assert moved(found, "USD") == {}


def test_a_call_that_does_not_say_what_it_used_is_no_request_and_is_counted(
    periods: Periods,
) -> None:
    found = asked(*periods, "silent")
    assert moved(found) == {}
    assert found.unmetered == (0, 1)


def test_a_tenants_odd_name_is_only_a_name(periods: Periods) -> None:
    found = asked(*periods, ODD)
    assert moved(found) == {"prompt_size": "1"}
    told = list(
        lines(found, *periods, tenant=ODD, metric="billed_cost", by=["workflow"], requests=None)
    )
    assert told[0].startswith(f"{ODD} spent 0.")
    assert "more (" in told[0]


def test_a_request_is_held_against_the_usual_call_of_its_workflow(periods: Periods) -> None:
    (row,) = requests(*periods, "euros", 1).to_pylist()
    assert (row["billing_currency"], row["cost"], row["usual_cost"]) == ("EUR", 2, 1)
    assert row["moved"] == Decimal(1)


def test_a_table_holds_every_part_and_currency(periods: Periods) -> None:
    table = asked(*periods, None).table(["tenant_id"], "billed_cost")
    assert table.column_names == [
        "tenant_id", "billing_currency", "metric", "against_cost", "cost", "change", *PARTS
    ]  # fmt: skip
    rows = table.to_pylist()
    assert {row["billing_currency"] for row in rows} == {"USD", "EUR"}
    assert all(sum(row[part] for part in PARTS) == row["change"] for row in rows)


def test_what_is_shown_sums_as_it_is_shown(periods: Periods) -> None:
    """Rounded for the eye, the parts still add up to the rounded change."""
    found = asked(*periods, None)
    told = list(
        lines(found, *periods, tenant=None, metric="billed_cost", by=["tenant"], requests=None)
    )
    head = next(n for n, text in enumerate(told) if text.startswith("part ") and "USD" in text)
    rules = [n for n, text in enumerate(told) if n > head and text.startswith("----")]
    amounts = [_amount(text) for text in told[rules[0] + 1 : rules[1]]]
    assert len(amounts) > 3
    assert sum(amounts) == _amount(told[rules[1] + 1])


def _amount(text: str) -> Decimal:
    return Decimal(next(word for word in text.split() if word[:1] in "+-" and "." in word))
