"""The table that a run ends with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attribution_pipeline.views import tie_out


def _row(cost: str = "billed_cost", currency: str = "USD", **lines: Decimal) -> dict[str, Any]:
    return {"billing_currency": currency, "cost": cost, **lines}


def test_days_add_up_per_currency_and_cost_and_currencies_stay_apart() -> None:
    rows = [
        _row(billed=Decimal("1.5"), direct=Decimal("1.5")),
        _row(billed=Decimal("2"), idle=Decimal("2")),
        _row("effective_cost", billed=Decimal(3)),
        _row(currency="EUR", billed=Decimal(4)),
    ]
    found = tie_out.summed(rows)
    assert list(found) == [
        ("EUR", "billed_cost"), ("USD", "billed_cost"), ("USD", "effective_cost"),
    ]  # fmt: skip
    assert found["USD", "billed_cost"]["billed"] == Decimal("3.5")
    assert found["USD", "billed_cost"]["idle"] == Decimal(2)
    assert found["EUR", "billed_cost"]["not_yet_due"] == 0


def test_one_quantum_beside_a_huge_amount_is_not_rounded_away() -> None:
    huge, quantum = Decimal("98765432109876543210.0"), Decimal("0.000000000001")
    (column,) = tie_out.summed([_row(difference=huge), _row(difference=quantum)]).values()
    assert str(column["difference"]) == "98765432109876543210.000000000001"


def test_amounts_as_a_manifest_writes_them_are_read_exactly() -> None:
    (column,) = tie_out.summed([{**_row(), "billed": "0.1"}, {**_row(), "billed": "0.2"}]).values()
    assert column["billed"] == Decimal("0.3")


def test_table_has_a_line_per_part_with_every_decimal_and_the_difference_last() -> None:
    lines = tie_out.lines([_row(billed=Decimal(10), direct=Decimal("-2.25"))])
    assert lines == [
        "             billed_cost USD",
        "-----------  ---------------",
        "billed       10.000000000000",
        "direct       -2.250000000000",
        "workload      0.000000000000",
        "shared        0.000000000000",
        "idle          0.000000000000",
        "overhead      0.000000000000",
        "unallocated   0.000000000000",
        "not yet due   0.000000000000",
        "-----------  ---------------",
        "difference    0.000000000000",
    ]


def test_charges_from_before_the_first_day_have_a_line_where_there_are_any() -> None:
    lines = tie_out.lines(
        [_row(billed=Decimal(5), before_first_day=Decimal(5)), _row("effective_cost")]
    )
    (line,) = [line for line in lines if line.startswith("before first day")]
    assert line.split() == ["before", "first", "day", "5.000000000000", "0.000000000000"]
