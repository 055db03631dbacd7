"""The verifier's divisions against those of the ledger: written apart, equal to the quantum."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_pipeline.model.division import largest_remainder, open_rest
from attribution_pipeline.model.money import to_text
from attribution_pipeline.model.policy import Meter
from attribution_pipeline.proof.packet.shares import decisive_ties
from attribution_pipeline.proof.packet.trace import Member
from attribution_pipeline.proof.packet.verify.arithmetic import amount, part, quanta, whole
from attribution_pipeline.proof.packet.verify.failure import Failed
from attribution_pipeline.proof.packet.verify.meters import tokens_in

AMOUNTS = st.integers(-(10**20), 10**20) | st.integers(-50, 50)
WEIGHTS = st.lists(st.integers(0, 6) | st.integers(0, 10**15), min_size=1, max_size=8).filter(any)


@pytest.mark.parametrize("unit", ["1K Tokens", "1K tokens", "mt", "MT", "Mt", "Characters", None])
def test_units_are_the_ledgers(unit: str | None) -> None:
    given = {"1K Tokens": "1000", "mt": "1", "MT": "2.5"}
    numbers = {name: Decimal(tokens) for name, tokens in given.items()}
    meter = Meter.model_construct(tokens_per_unit=numbers)
    assert tokens_in(given, unit) == meter.tokens_in(unit)


@given(AMOUNTS, WEIGHTS)
@settings(max_examples=300, deadline=None)
def test_shares_are_the_ledgers_with_ties_stated_only_where_they_decide(
    of: int, weights: list[int]
) -> None:
    ids = [f"{(7 * n + 3) % 11:02d}" for n in range(len(weights))]  # the order of ids is not that
    expected = largest_remainder(of, dict(zip(ids, weights, strict=True)))
    members = [
        Member(n, None, weight, tie, 0, 0)
        for n, (weight, tie) in enumerate(zip(weights, ids, strict=True))
    ]
    stated = decisive_ties((of, 0), members)
    found = whole(of, weights, [stated.get(tie, -1) for tie in ids])
    assert found == [expected[tie] for tie in ids]
    assert sum(found) == of


@given(AMOUNTS, WEIGHTS, st.integers(0, 10**15))
@settings(max_examples=200, deadline=None)
def test_parts_are_the_ledgers(of: int, weights: list[int], more: int) -> None:
    denominator = sum(weights) + more
    expected, rest = open_rest(of, dict(enumerate(weights)), denominator)
    found = [part(of, weight, denominator) for weight in weights]
    assert found == list(expected.values())
    assert of - sum(found) == rest


def test_two_that_are_equal_at_the_cut_need_an_order() -> None:
    with pytest.raises(Failed, match="nothing orders them"):
        whole(1, [1, 1], [-1, -1])
    assert whole(1, [1, 1], [1, 0]) == [0, 1]
    assert whole(-1, [1, 1], [0, 1]) == [-1, 0]


@given(st.integers(-(10**37), 10**37))
@settings(max_examples=100, deadline=None)
def test_amounts_read_back(of: int) -> None:
    assert amount(of) == to_text(of)
    assert quanta(amount(of)) == of


@pytest.mark.parametrize("text", ["1", "1.0", "1.0000000000000", "", ".000000000001x", "1,000"])
def test_what_has_not_twelve_digits_is_no_amount(text: str) -> None:
    with pytest.raises((Failed, ValueError)):
        quanta(text)
