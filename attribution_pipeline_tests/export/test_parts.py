"""Exact parts: both margins of a table, quantities by weights of any sign, costs by price."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_pipeline.export import parts
from attribution_pipeline.export.allocation import Line, allocated
from attribution_pipeline.export.classes import Class, classes
from attribution_pipeline.export.parts import Number, plain
from attribution_pipeline.model.errors import Broken

AMOUNTS = st.integers(-(10**20), 10**20)
MANY = st.lists(AMOUNTS, min_size=1, max_size=6)


@given(MANY, MANY)
def test_a_table_keeps_both_margins_and_stays_near_its_shares(rows: list[int], lines: list[int]):
    lines = [*lines, sum(rows) - sum(lines)]
    table = list(parts.over_lines(rows, lines))
    assert [sum(column) for column in table] == lines
    assert [sum(column[at] for column in table) for at in range(len(rows))] == rows
    total = sum(rows)
    if total:
        for column, line in zip(table, lines, strict=True):
            for cell, row in zip(column, rows, strict=True):
                assert abs(cell - Fraction(row * line, total)) < 2


def test_one_line_is_its_rows_and_margins_that_differ_are_broken():
    assert list(parts.over_lines([7, -2], [5])) == [[7, -2]]
    with pytest.raises(Broken, match="sum to 5 quanta"):
        list(parts.over_lines([7, -2], [2, 2]))


@given(AMOUNTS, MANY.filter(any))
def test_parts_by_weights_sum_and_are_less_than_one_off(amount: int, weights: list[int]):
    found = parts.by_weights(amount, weights)
    assert sum(found) == amount
    if sum(weights):
        for part, weight in zip(found, weights, strict=True):
            assert abs(part - Fraction(amount * weight, sum(weights))) < 1


@given(MANY.filter(any))
def test_ratios_sum_to_one_or_are_none(weights: list[int]):
    found = parts.ratios(weights)
    if min(weights) < 0 < max(weights):
        assert found is None
    else:
        assert found is not None
        assert sum(found) == 10**12
        assert min(found) >= 0


@pytest.mark.parametrize(
    ("digits", "scale", "text"),
    [(0, 12, "0"), (-5, 3, "-0.005"), (1230, 2, "12.3"), (-(10**12), 12, "-1"), (700, 0, "700")],
)
def test_numbers_are_plain_text_and_come_back(digits: int, scale: int, text: str):
    assert plain(digits, scale) == text
    assert Number.of(text).equals(Number(digits, scale))


def test_e_notation_is_read_exactly():
    assert Number.of("9E-7").equals(Number.of("0.0000009"))
    assert Number.of("1.5E+3").equals(Number.of("1500"))


def row(billed: int, effective: int, **said: Any) -> dict[str, Any]:
    return {"billed": billed, "effective": effective, "basis": "workload", "driver_unit": None,
            "driver_quantity": None} | said  # fmt: skip


def of_one_line(line: Line, *rows: dict[str, Any]) -> list[Any]:
    return list(allocated(Class("rule", [0], list(range(len(rows)))), [line], rows))


HOURS = {"PricingQuantity": Number.of("10"), "ListCost": Number.of("25")}


def test_negative_idle_has_a_negative_quantity_and_no_ratio():
    """A node that was over-allocated by a tenth."""
    line = Line(100, 100, HOURS, HOURS | {"ListUnitPrice": Number.of("2.5")})
    found = of_one_line(line, row(110, 110), row(-10, -10, basis="none"))
    assert [part.metrics["PricingQuantity"] for part in found] == ["11", "-1"]
    assert [part.metrics["ListCost"] for part in found] == ["27.5", "-2.5"]
    assert [part.details for part in found] == [None, None]
    assert all(part.is_split for part in found)


def test_a_cost_that_is_no_product_is_divided_by_shares():
    line = Line(100, 100, HOURS, HOURS | {"ListUnitPrice": Number.of("2.49")})
    found = of_one_line(line, row(1, 1), row(2, 2), row(97, 97))
    assert [part.metrics["ListCost"] for part in found] == ["0.25", "0.5", "24.25"]


def test_a_purchase_is_shared_by_what_was_billed():
    line = Line(100, 0, HOURS, HOURS)
    found = of_one_line(line, row(25, 0), row(75, 0))
    assert [part.metrics["PricingQuantity"] for part in found] == ["2.5", "7.5"]


def test_leftover_quanta_of_a_quantity_go_to_the_largest_remainder_and_ties_to_the_first():
    line = Line(3, 3, {"PricingQuantity": Number.of("1")}, {})
    found = of_one_line(line, row(1, 1), row(1, 1), row(1, 1))
    assert [part.metrics["PricingQuantity"] for part in found] == [
        "0.333333334", "0.333333333", "0.333333333",
    ]  # fmt: skip


def test_lines_of_two_rules_are_told_apart_only_where_their_rows_sum_to_them():
    a, b = ("tag", "a"), ("tag", "b")
    lines = [(a, "tag", (5, 5)), (b, "tag", (7, 7))]
    apart = classes(lines, [(a, (5, 5)), (b, (7, 7))], "c")
    assert [(one.lines, one.rows) for one in apart] == [([0], [0]), ([1], [1])]
    together = classes(lines, [(a, (6, 6)), (b, (6, 6))], "c")
    assert [(one.rule, one.lines, one.rows) for one in together] == [
        ("several rules", [0, 1], [0, 1])
    ]
    with pytest.raises(Broken, match="charge c"):
        classes(lines, [(a, (5, 5))], "c")


def test_rows_that_cancel_out_on_no_line_go_over_all_lines():
    a, b, gone = ("tag", "a"), ("tag", "b"), ("tag", "gone")
    lines = [(a, "tag", (5, 5)), (b, "tag", (7, 7))]
    rows = [(a, (5, 5)), (b, (7, 7)), (gone, (3, 3)), (gone, (-3, -3))]
    (one,) = classes(lines, rows, "c")
    assert (one.lines, one.rows) == ([0, 1], [0, 1, 2, 3])
