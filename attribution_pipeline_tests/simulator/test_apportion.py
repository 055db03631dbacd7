"""Truth's own division is exact and within one quantum of every exact share."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_pipeline.simulator.truth import apportion, money

WEIGHTS = st.lists(st.integers(0, 10**7), min_size=1, max_size=60).filter(any)


@given(amount=st.integers(-(10**17), 10**17), weights=WEIGHTS)
def test_parts_sum_to_the_amount_and_none_is_a_quantum_off(amount: int, weights: list[int]) -> None:
    parts = apportion(amount, np.array(weights, dtype=np.int64))
    assert int(parts.sum()) == amount
    for part, weight in zip(parts.tolist(), weights, strict=True):
        assert abs(part - Fraction(amount * weight, sum(weights))) <= 1
        assert weight or not part


def test_nothing_to_apportion_over_and_too_much_are_errors() -> None:
    for weights in ([0, 0], [2**40, 2**40]):
        with pytest.raises(ValueError, match="cannot apportion"):
            apportion(1, np.array(weights, dtype=np.int64))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_quanta_become_decimals_without_a_float(quanta: list[int]) -> None:
    assert [int(value.scaleb(12)) for value in money(quanta).to_pylist()] == quanta
