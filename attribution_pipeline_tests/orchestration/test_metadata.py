"""What people read beside an asset: money as text, tables that end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.ledger_figures import tie_out_lines


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
    rows = [{"a": n, "b": 1000 if n == 3 else None} for n in range(shown.MOST_ROWS + 7)]
    records = shown.table(rows, ("a", "b")).records
    assert len(records) == shown.MOST_ROWS + 1
    assert records[-1].data == {"a": "and 7 more", "b": ""}
    assert [record.data["b"] for record in records[2:5]] == ["", "1,000", ""]


def test_a_column_that_says_nothing_is_left_out() -> None:
    found = shown.table([{"a": 1, "b": None}, {"a": 2}], ("a", "b"))
    assert [column.name for column in found.schema.columns] == ["a"]
    assert [record.data for record in found.records] == [{"a": "1"}, {"a": "2"}]


def test_amounts_in_a_table_show_every_decimal() -> None:
    (record,) = shown.table([{"cost": Decimal("1234.500000000000")}], ("cost",)).records
    assert record.data == {"cost": "1,234.500000000000"}


def test_the_tie_out_is_a_line_a_row_and_a_column_a_cost() -> None:
    amounts = dict.fromkeys(("direct", "workload", "shared", "idle", "overhead"), "0.000000000000")
    row = {**amounts, "billed": "2.000000000000", "unallocated": "2.000000000000"}
    recorded = [
        {**row, "billing_currency": "USD", "cost": cost, "difference": "0.000000000000"}
        for cost in ("billed_cost", "effective_cost")
    ]
    rows, columns = tie_out_lines(recorded)
    assert columns == ("", "billed_cost USD", "effective_cost USD")
    assert rows[0] == {
        "": "billed", "billed_cost USD": Decimal(2), "effective_cost USD": Decimal(2),
    }  # fmt: skip
    assert rows[-1][""] == "difference"
    assert rows[-1]["billed_cost USD"] == Decimal(0)
