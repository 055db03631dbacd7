"""``model.division`` against its definition in Fractions, and against figures that peers publish."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attribution_pipeline.model.division import (
    NothingToDivideBy,
    largest_remainder,
    open_rest,
    truncated,
)
from attribution_pipeline_tests.cases import shared
from attribution_pipeline_tests.oracle import divide

exactly = settings(max_examples=200, deadline=None)
"""No deadline: the machine is shared."""

HUGE = 10**20
"""Quanta: more than 64 bits hold."""

amounts = st.one_of(
    st.sampled_from((0, 1, -1, 2, -2, 9 * 10**18, HUGE, -HUGE)), st.integers(-HUGE, HUGE)
)
weights = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=4),
    st.one_of(st.sampled_from((0, 0, 1, 1, 2, 10**12)), st.integers(0, 2**50)),
    min_size=1,
    max_size=12,
)
weights_of_something = weights.filter(lambda found: any(found.values()))


@exactly
@given(amounts, st.integers(0, 2**62), st.integers(1, 2**62))
def test_truncated_is_the_exact_quotient_cut_toward_zero(amount: int, w: int, d: int) -> None:
    assert truncated(amount, w, d) == divide.toward_zero(Fraction(amount * w, d))


@exactly
@given(amounts, weights_of_something, st.integers(0, 2**50))
def test_open_rest_conserves_and_truncates_every_part(
    amount: int, found: dict[str, int], beyond: int
) -> None:
    denominator = sum(found.values()) + beyond
    parts, rest = open_rest(amount, found, denominator)
    assert (parts, rest) == divide.open_parts(amount, found, denominator)
    assert sum(parts.values()) + rest == amount
    assert all(abs(part) * denominator <= abs(amount) * found[key] for key, part in parts.items())


@exactly
@given(amounts, weights_of_something, st.integers(1, 2**50))
def test_open_rest_is_negative_where_more_was_given_than_there_is(
    amount: int, found: dict[str, int], denominator: int
) -> None:
    """Over-allocation: a denominator below the weights is not clamped."""
    parts, rest = open_rest(amount, found, denominator)
    assert (parts, rest) == divide.open_parts(amount, found, denominator)
    if sum(found.values()) >= 2 * denominator and abs(amount) > denominator * len(found):
        assert rest * amount < 0


@exactly
@given(amounts, weights_of_something)
@example(-100, {"a": 1, "b": 1, "c": 1})
@example(HUGE, {"a": 0, "b": 3})
def test_largest_remainder_is_the_definition(amount: int, found: dict[str, int]) -> None:
    parts = largest_remainder(amount, found)
    assert parts == divide.share(amount, found)
    assert sum(parts.values()) == amount


@exactly
@given(amounts, weights_of_something)
def test_largest_remainder_leaves_nobody_a_whole_quantum_from_exact(
    amount: int, found: dict[str, int]
) -> None:
    total = sum(found.values())
    for key, part in largest_remainder(amount, found).items():
        assert abs(part - Fraction(amount * found[key], total)) < 1
        assert found[key] or part == 0


@exactly
@given(amounts, weights_of_something)
def test_a_credit_is_divided_as_the_charge_that_it_takes_back(
    amount: int, found: dict[str, int]
) -> None:
    there = largest_remainder(amount, found)
    back = largest_remainder(-amount, found)
    assert all(there[key] + back[key] == 0 for key in found)


@exactly
@given(amounts, weights_of_something, st.randoms(use_true_random=False))
def test_largest_remainder_depends_on_keys_never_on_their_order(
    amount: int, found: dict[str, int], shuffler: random.Random
) -> None:
    keys = list(found)
    shuffler.shuffle(keys)
    other: Mapping[str, int] = {key: found[key] for key in keys}
    assert largest_remainder(amount, other) == largest_remainder(amount, found)


@exactly
@given(amounts, weights_of_something, st.integers(2, 1000))
def test_largest_remainder_does_not_depend_on_the_unit_of_weights(
    amount: int, found: dict[str, int], unit: int
) -> None:
    scaled = {key: weight * unit for key, weight in found.items()}
    assert largest_remainder(amount, scaled) == largest_remainder(amount, found)


@pytest.mark.parametrize("nothing", [{}, {"a": 0}, {"a": 0, "b": 0}])
def test_nothing_to_divide_by_is_said_and_not_divided(nothing: dict[str, int]) -> None:
    with pytest.raises(NothingToDivideBy):
        largest_remainder(7, nothing)
    with pytest.raises(NothingToDivideBy):
        open_rest(7, nothing, 1)
    with pytest.raises(NothingToDivideBy):
        open_rest(7, {"a": 1}, 0)


def test_a_negative_weight_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'b' is -1"):
        largest_remainder(7, {"a": 2, "b": -1})
    with pytest.raises(ValueError, match="'b' is -1"):
        open_rest(7, {"a": 2, "b": -1}, 1)


def test_rounding_allocation_largest_remainder() -> None:
    """cases/peers/rounding_allocation.json: figures of moneyphp, AWS SCAD and our own credits."""
    figures = json.loads(shared("peers/rounding_allocation.json").read_text(encoding="utf-8"))
    cases = figures["largest_remainder"]
    assert len(cases) >= 3
    for case in cases:
        ratios = {key: int(ratio) for key, ratio in case["ratios"].items()}
        expected = case.get("expect", case.get("expect_tie_smaller_key"))
        assert largest_remainder(case["amount"], ratios) == expected, case


BILLS = 10_000
"""Issue 2: conservation over at least so many generated bills."""


def _bill(dice: random.Random) -> tuple[list[int], dict[str, int]]:
    """Charges of one slice, and its weights: dust to fortunes, credits, skew, nobody."""
    many = dice.choice((1, 2, 3, 7, 20)) if dice.random() < 0.998 else 4000
    skew = dice.choice((1, 3, 10**6, 2**40))
    found = {f"op-{n}": dice.choice((0, 1, dice.randint(0, skew))) for n in range(many)}
    charges = [
        dice.choice((1, -1)) * dice.choice((0, 1, 10**10, dice.randint(0, 10**14), HUGE,
                                            dice.randint(10**18, HUGE)))
        for _ in range(dice.choice((1, 2, 4)))
    ]  # fmt: skip
    return charges, found


def test_ten_thousand_bills_conserve_to_the_quantum() -> None:
    dice = random.Random(20261005)
    divided = 0
    for _ in range(BILLS):
        charges, found = _bill(dice)
        total = sum(found.values())
        for amount in charges:
            if total == 0:
                with pytest.raises(NothingToDivideBy):
                    largest_remainder(amount, found)
                continue
            assert sum(largest_remainder(amount, found).values()) == amount
            billed = dice.choice((total, total + 1, 2 * total, max(1, total // 2)))
            parts, rest = open_rest(amount, found, max(billed, total))
            assert sum(parts.values()) + rest == amount
            assert rest == 0 or (rest > 0) == (amount > 0), "an open rest has the charge's sign"
            divided += 1
    assert divided > BILLS
