"""Shares of a product are Shapley's, and rounding keeps their sum."""

from __future__ import annotations

import random
from fractions import Fraction
from math import prod

import pytest

from attribution_pipeline.views.explain.shapley import apportioned, shares_of_product
from attribution_pipeline_tests.explain.oracle import by_permutations


def moves(dice: random.Random, count: int) -> dict[str, tuple[Fraction, Fraction]]:
    def value() -> Fraction:
        return Fraction(dice.randint(-3, 40), dice.randint(1, 9))

    return {
        f"f{n}": ((before := value()), before if dice.random() < 0.2 else value())
        for n in range(count)
    }


@pytest.mark.parametrize("seed", range(20))
def test_shares_of_a_product_are_the_average_over_all_orders(seed: int) -> None:
    found = moves(random.Random(seed), 2 + seed % 5)

    def worth(there: frozenset[str]) -> Fraction:
        return prod((pair[name in there] for name, pair in found.items()), start=Fraction(1))

    shares = shares_of_product(found)
    assert shares == by_permutations(worth, found)
    assert sum(shares.values()) == worth(frozenset(found)) - worth(frozenset())


def test_a_factor_that_did_not_move_has_nothing_and_scales_the_others() -> None:
    two, three = Fraction(2), Fraction(3)
    assert shares_of_product({"a": (two, three), "b": (three, three)}) == {"a": 3, "b": 0}


def test_seven_factors_of_a_doubled_product_share_alike() -> None:
    shares = shares_of_product({f"f{n}": (Fraction(1), Fraction(2)) for n in range(7)})
    assert set(shares.values()) == {Fraction(127, 7)}


@pytest.mark.parametrize("seed", range(20))
def test_rounded_parts_sum_to_the_total_and_none_moves_by_one(seed: int) -> None:
    dice = random.Random(seed)
    parts = [Fraction(dice.randint(-999, 999), dice.randint(1, 30)) for _ in range(7)]
    total = dice.randint(-500, 500)
    parts.append(total - sum(parts))
    rounded = apportioned(parts, total)
    assert sum(rounded) == total
    assert all(abs(whole - part) < 1 for whole, part in zip(rounded, parts, strict=True))


def test_the_largest_remainder_goes_first_and_a_tie_to_the_earlier_part() -> None:
    assert apportioned([Fraction(1, 4), Fraction(3, 4)], 1) == [0, 1]
    assert apportioned([Fraction(1, 2), Fraction(1, 2)], 1) == [1, 0]
    assert apportioned([Fraction(-1, 2), Fraction(1, 2)], 0) == [0, 0]
