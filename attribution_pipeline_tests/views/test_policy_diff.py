"""Two policies side by side: exact, per currency, and nothing lost between them."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from attribution_pipeline.views import output
from attribution_pipeline.views import policy_diff as view
from attribution_pipeline_tests.views.test_ledger import rows_of

DAY = date(2026, 10, 5)
BY = view.columns_of(view.DEFAULT_BY)


def row(id_: str, cost: str, **more: Any) -> dict[str, Any]:
    return {
        "attribution_id": id_, "effective_cost": Decimal(cost), "pool": "vectors", **more,
    }  # fmt: skip


A = rows_of(
    row("1", "6", tenant_id="acme"),
    row("2", "3", tenant_id="globex"),
    row("3", "1", unallocated_reason="no_driver"),
    row("4", "5", tenant_id="acme", pool="support", component="overhead"),
)
B = rows_of(
    row("1", "5", tenant_id="acme"),
    row("2", "5", tenant_id="globex"),
    row("4", "5", tenant_id="acme", pool="support", component="overhead"),
)


def difference(*pairs: tuple[pa.Table, pa.Table], by: list[str] = BY) -> view.Difference:
    found = view.Difference(by, "effective_cost")
    for number, (a, b) in enumerate(pairs):
        day = DAY.replace(day=5 + number)
        found.days.append(view.compare(day, a.drop(["charge_date"]), b.drop(["charge_date"]), by,
                                       "effective_cost"))  # fmt: skip
    return found


def test_each_group_has_both_costs_its_change_and_its_share_of_all_change() -> None:
    rows = difference((A, B)).rows().to_pylist()
    assert [
        (row["tenant_id"], row["unallocated_reason"], row["pool"], row["cost_a"], row["cost_b"],
         row["change"], row["share_of_change"])
        for row in rows
    ] == [
        ("globex", None, "vectors", 3, 5, 2, Decimal("0.500000")),
        ("acme", None, "vectors", 6, 5, -1, Decimal("0.250000")),
        (None, "no_driver", "vectors", 1, 0, -1, Decimal("0.250000")),
        ("acme", None, "support", 5, 5, 0, Decimal(0)),
    ]  # fmt: skip


def test_the_table_puts_the_reason_in_the_tenant_s_place_and_counts_what_stays() -> None:
    said = list(view.table_lines(difference((A, B)).rows()))
    assert said[0].split() == [
        "tenant_id", "component", "pool", "billing_currency", "cost_a", "cost_b", "change",
        "share_of_change",
    ]  # fmt: skip
    assert [line.split()[0] for line in said[2:5]] == ["globex", "acme", "(no_driver)"]
    assert said[2].split()[-2:] == ["50.00", "%"]
    assert said[5:] == ["", "1 group without a change not shown"]


def test_csv_carries_every_group_and_the_metric() -> None:
    lines = "\n".join(output.csv_lines(difference((A, B)).rows()))
    records = list(csv.DictReader(io.StringIO(lines)))
    assert [*records[0]] == [*BY, "billing_currency", "metric", "cost_a", "cost_b", "change",
                             "share_of_change"]  # fmt: skip
    assert len(records) == 4
    assert {record["metric"] for record in records} == {"effective_cost"}


def test_what_is_affected_is_days_rows_and_moved_money_and_totals_are_equal() -> None:
    found = difference((A, B), (A, A))
    assert found.affected() == [
        "1 of 2 days change, 3 rows move, sum of their absolute changes 4 USD (effective_cost)",
        "total USD: under A 30.000000000000, under B 30.000000000000, difference 0.000000000000",
    ]
    assert found.is_even


def test_a_quantum_that_is_lost_between_the_sides_is_seen() -> None:
    short = rows_of(row("1", "14.999999999999", tenant_id="acme"))
    found = difference((A, short))
    assert not found.is_even
    assert found.affected()[1].endswith("difference -0.000000000001")


def test_equal_sides_change_nothing() -> None:
    found = difference((A, A))
    assert found.affected()[0] == (
        "0 of 1 day change, 0 rows move, sum of their absolute changes 0 (effective_cost)"
    )
    assert list(view.table_lines(found.rows()))[2:] == ["", "4 groups without a change not shown"]
    assert {row["share_of_change"] for row in found.rows().to_pylist()} == {None}


def test_a_row_that_goes_from_one_tenant_to_another_moves_in_both() -> None:
    """Who a row is for is part of its identity, so the old row ends and another begins."""
    a = rows_of(row("of-acme", "2", tenant_id="acme"))
    b = rows_of(row("of-globex", "2", tenant_id="globex"))
    (day,) = difference((a, b)).days
    assert (day.rows, day.moved) == (2, {"USD": Decimal(4)})


def test_currencies_are_never_added_and_shares_are_within_one() -> None:
    a = rows_of(row("1", "1", tenant_id="acme"), row("2", "8", billing_currency="EUR"))
    b = rows_of(row("3", "1", tenant_id="b"), row("4", "8", tenant_id="b", billing_currency="EUR"))
    found = difference((a, b))
    assert [
        (row["billing_currency"], row["change"], row["share_of_change"])
        for row in found.rows().to_pylist()
    ] == [
        ("EUR", 8, Decimal("0.5")), ("EUR", -8, Decimal("0.5")),
        ("USD", -1, Decimal("0.5")), ("USD", 1, Decimal("0.5")),
    ]  # fmt: skip
    assert [total[0] for total in found.totals()] == ["EUR", "USD"]


def test_amounts_beyond_a_float_and_beyond_the_default_context_are_exact() -> None:
    big = "12345678901234567890123.000000000001"
    a = rows_of(row("1", big, tenant_id="acme"), row("2", "0.000000000001", tenant_id="b"))
    b = rows_of(row("1", "0", tenant_id="acme"), row("2", "12345678901234567890123.000000000002",
                                                     tenant_id="b"))  # fmt: skip
    found = difference((a, b))
    assert found.is_even
    assert [row["change"] for row in found.rows().to_pylist()] == [Decimal(f"-{big}"), Decimal(big)]


def test_the_reason_stands_beside_the_tenant_only() -> None:
    assert view.columns_of(["tenant_id", "pool"]) == ["tenant_id", "unallocated_reason", "pool"]
    assert view.columns_of(["pool"]) == ["pool"]
    assert view.columns_of(["unallocated_reason", "tenant_id"]) == [
        "unallocated_reason", "tenant_id",
    ]  # fmt: skip


def test_days_can_be_groups() -> None:
    found = difference((A, B), (A, A), by=["charge_date"])
    assert {(row["charge_date"].day, row["cost_b"]) for row in found.rows().to_pylist()} == {
        (5, 15), (6, 15),
    }  # fmt: skip


@pytest.mark.parametrize("column", view.NO_GROUPS)
def test_columns_that_tell_states_apart_make_no_groups(column: str) -> None:
    from attribution_pipeline.model.errors import Refusal
    from attribution_pipeline.views.ledger import grouping

    with pytest.raises(Refusal, match=f"`{column}` is no column to group by"):
        grouping(column, never=view.NO_GROUPS)
