"""The door of money: every decimal text becomes the nearest quantum, once, and what moved is known."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attribution_pipeline.model.money import QUANTA_PER_UNIT, from_float, to_quanta
from attribution_pipeline.sources.focus.amounts import moved_by, to_money, to_number_text
from attribution_pipeline.sources.focus.text import as_text
from attribution_pipeline_tests.sources.focus_bills import csv_bytes, land, parquet_rows, row

digits = st.text("0123456789", min_size=1)
decimal_texts = st.builds(
    lambda sign, whole, point, fraction, exponent: (
        f"{sign}{whole}{point and '.' + fraction}{exponent}"
    ),
    st.sampled_from(["", "-"]),
    digits.map(lambda d: d[:25]),
    st.booleans(),
    digits.map(lambda d: d[:60]),
    st.one_of(
        st.just(""),
        st.builds("{}-{}".format, st.sampled_from("eE"), st.integers(0, 60)),
    ),
).map(lambda text: text.replace("False", ""))


def half_even_quanta(text: str) -> int:
    """The definition, apart from any decimal type: Python rounds Fractions half to even."""
    return round(Fraction(text) * QUANTA_PER_UNIT)


def quanta_of(values: pa.Array) -> list[int | None]:
    """DECIMAL(38,12) as integers, past Python's own 28-digit context."""
    return [None if v is None else int(Fraction(v) * QUANTA_PER_UNIT) for v in values.to_pylist()]


@settings(max_examples=500, deadline=None)
@given(st.lists(decimal_texts, min_size=1, max_size=8))
@example(["0.0000000000005", "0.0000000000015", "-0.0000000000025", "-0.00000000004"])
@example(["999999999999999999.9999999999999", "9999999999999999999.9999999999995", "2.5E-12"])
@example(["9999999999999999999999999.9999999999999", "1E-60", "-0", "00.10", "5e-13"])
def test_any_decimal_text_lands_on_its_half_even_quantum_exactly(texts: list[str]) -> None:
    money = to_money(pa.array(texts))
    wanted = [half_even_quanta(text) for text in texts]
    assert quanta_of(money.values) == wanted
    moved = sum(
        abs(Fraction(quanta, QUANTA_PER_UNIT) - Fraction(text))
        for quanta, text in zip(wanted, texts, strict=True)
    )
    everything = pa.array([True] * len(texts))
    assert Fraction(moved_by([money], everything)) == moved


@settings(max_examples=500, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, max_value=1e24, min_value=-1e24))
@example(0.1 + 0.2)
@example(5e-324)
@example(1e22)
def test_a_double_is_read_through_its_shortest_decimal_form(value: float) -> None:
    money = to_money(as_text(pa.array([value])))
    assert quanta_of(money.values) == [to_quanta(from_float(value))[0]]


def test_a_float32_is_read_through_its_own_shortest_form() -> None:
    money = to_money(as_text(pa.array([0.1, 16777216.0], pa.float32())))
    assert money.values.to_pylist() == [Decimal("0.1"), Decimal(16777216)]


def test_a_float16_is_read_through_the_shortest_form_of_its_value() -> None:
    assert as_text(pa.array([0.5, None], pa.float16())).to_pylist() == ["0.5", None]


@pytest.mark.parametrize("scale", [-2, 0, 2, 9, 12, 17, 30])
def test_decimals_of_any_scale_are_read_at_that_scale(scale: int) -> None:
    kind = pa.decimal128(38, scale)
    values = [Decimal(15).scaleb(-scale), Decimal(-25).scaleb(-scale), None]
    money = to_money(as_text(pa.array(values, kind)))
    assert quanta_of(money.values) == [
        None if v is None else half_even_quanta(str(v)) for v in values
    ]


@pytest.mark.parametrize(
    "text",
    [
        "abc", "1,000.00", "$5", "1_000", "0x10", "1.2.3", "--1", "1e", "NaN", "inf", "-Infinity",
        "+5", "٣", "1e999", "1" + "0" * 26, "0." + "1" * 120, "1e999999999", ".",
    ],
)  # fmt: skip
def test_what_is_no_amount_is_unreadable_and_never_a_guess(text: str) -> None:
    money = to_money(pa.array(["1", text]))
    assert money.unreadable.to_pylist() == [False, True]
    assert money.values.to_pylist() == [Decimal(1), None]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (" 0.00 ", "0"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1E+3", "1000"),
        ("35.2E-7", "0.00000352"),
    ],
)
def test_spellings_that_can_mean_one_number_are_read(text: str, value: str) -> None:
    assert to_money(pa.array([text])).values.to_pylist() == [Decimal(value)]


def test_the_largest_amount_that_the_ledger_holds_is_read_and_the_next_is_refused() -> None:
    largest = "99999999999999999999999999.999999999999"
    money = to_money(pa.array([largest, largest + "5"]))
    assert money.values.to_pylist() == [Decimal(largest), None]


def test_rounding_moved_sums_what_the_door_moved_on_both_costs() -> None:
    landed = land(
        csv_bytes(
            row(BilledCost="1.0000000000005", EffectiveCost="1.0000000000015"),
            row(BilledCost="-0.0000000000001", EffectiveCost="3"),
        )
    )
    assert landed.rounding_moved == Decimal("0.0000000000011")


def test_a_rejected_row_moves_nothing() -> None:
    landed = land(csv_bytes(row(BilledCost="1.0000000000005", EffectiveCost="")))
    assert landed.table.num_rows == 0
    assert landed.rounding_moved == 0


def test_parquet_doubles_give_what_the_vendor_meant() -> None:
    data = parquet_rows(
        row(), row(), BilledCost=pa.array([0.1, 1e-7]), EffectiveCost=pa.array([18.0066, -4e-11])
    )
    rows = land(data).rows
    assert [r["BilledCost"] for r in rows] == [Decimal("0.1"), Decimal("0.0000001")]
    assert [r["EffectiveCost"] for r in rows] == [Decimal("18.0066"), Decimal("-0.00000000004")]


def test_quantities_stay_as_written_and_what_is_no_number_is_set_aside() -> None:
    numbers, others = to_number_text(pa.array(["2.000000000000000", "1,5", None, " 7 ", "1E-5"]))
    assert numbers.to_pylist() == ["2.000000000000000", None, None, "7", "1E-5"]
    assert others.to_pylist() == [None, "1,5", None, None, None]
