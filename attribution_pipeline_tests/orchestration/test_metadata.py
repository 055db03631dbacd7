"""What people read beside an asset: money as text, tables that end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from attribution_pipeline.orchestration import metadata as shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0.00"),
        ("0E-12", "0.00"),
        ("1234567.5", "1,234,567.50"),
        ("-0.000000000001", "-0.000000000001"),
        ("-1234.560000000000", "-1,234.56"),
        ("3.328160854893", "3.328160854893"),
    ],
)
def test_money_keeps_every_digit_that_says_something(value: str, text: str) -> None:
    assert shown.money(Decimal(value)) == text


def test_a_share_of_nothing_is_not_a_number() -> None:
    assert shown.share(Decimal(0), Decimal(0)) is None
    assert shown.percent(None) == "no cost"
    assert shown.percent(Decimal("0.13461")) == "13.46 %"


def test_a_long_table_says_how_much_it_leaves_out() -> None:
    rows = [{"a": n, "b": None} for n in range(shown.MOST_ROWS + 7)]
    records = shown.table(rows, ("a", "b")).records
    assert len(records) == shown.MOST_ROWS + 1
    assert records[-1].data == {"a": "and 7 more", "b": ""}
    assert records[0].data == {"a": "0", "b": ""}
