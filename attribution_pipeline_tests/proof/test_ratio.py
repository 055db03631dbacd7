"""Shares are compared exactly and cut for reading; what nets out says nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from attribution_pipeline.proof.ratio import Ratio, judged, percent


def ratio(part: str, whole: str) -> Ratio:
    return Ratio(Decimal(part), Decimal(whole))


def test_a_share_is_compared_exactly_beyond_the_digits_that_are_shown() -> None:
    just_short = ratio("0.98999999999999999999", "1")
    assert just_short.text == "0.989999999999"
    assert not just_short.reaches(Decimal("0.99"))
    assert ratio("99", "100").reaches(Decimal("0.99"))
    # a third has no end: cut, never rounded up to a threshold
    assert ratio("2", "3").text == "0.666666666666"
    assert not ratio("2", "3").reaches(Decimal("0.666666666667"))


def test_amounts_beyond_any_float_keep_every_digit() -> None:
    huge = "123456789012345678901234567.000000000001"
    assert ratio(huge, huge).text == "1"
    assert not ratio("123456789012345678901234567", huge).reaches(Decimal(1))


@pytest.mark.parametrize(
    ("part", "whole"), [("0", "0"), ("1", "0"), ("2", "1"), ("-1", "1"), ("1", "-1")]
)
def test_what_nets_out_is_no_share_and_reaches_nothing(part: str, whole: str) -> None:
    found = ratio(part, whole)
    assert (found.value, found.missing, found.text) == (None, None, "none")
    assert not found.reaches(Decimal(0))
    assert judged(found, ratio("1", "2")).text == "0.5", "its tokens are judged"


def test_a_refund_of_everything_has_the_share_of_what_it_refunds() -> None:
    assert ratio("-3", "-4").text == "0.75"


def test_percent_is_cut_so_that_a_miss_never_reads_as_a_hit() -> None:
    assert percent(Decimal("0.98999")) == "98.99 %"
    assert percent(Decimal("0.989999999999")) == "98.99 %"
    assert percent(Decimal(1)) == "100.00 %"
    assert percent(None) == "none"
