"""Amounts keep their meaning when they are rounded, bars their proportion, a waterfall its ends."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_pipeline.model.ledger import CONFIDENCES
from attribution_pipeline.views.dashboard import amounts, falls, plots
from attribution_pipeline.views.dashboard.sheets import Tail, merged_status, merged_tail

MONEY = st.decimals(-(10**9), 10**9, places=12, allow_nan=False)
DAY = date(2026, 10, 5)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("1234567.895", "1,234,567.90"),
        ("1234567.885", "1,234,567.88"),
        ("0", "0.00"),
        ("-2.5", "\N{MINUS SIGN}2.50"),
        ("0.0123456", "0.0123"),
        ("0.00000123456", "0.00000123"),
        ("0.000000000004", "< 0.00000001"),
        ("-0.000000000004", "> \N{MINUS SIGN}0.00000001"),
    ],
)
def test_an_amount_is_read_with_as_many_digits_as_it_needs(amount: str, said: str) -> None:
    assert amounts.money(Decimal(amount)) == said


def test_nothing_small_is_shown_as_nothing() -> None:
    column = [Decimal("1234.5"), Decimal("0.000001"), Decimal("-0.000001"), Decimal(0)]
    digits = amounts.digits_of(column)
    assert [amounts.aligned(one, digits) for one in column] == [
        "1,234.50", "< 0.01", "> \N{MINUS SIGN}0.01", "0.00",
    ]  # fmt: skip
    assert amounts.percent(Decimal("0.001"), Decimal(100)) == "< 0.1 %"
    assert amounts.percent(Decimal("-0.0001"), Decimal(1)) == "> \N{MINUS SIGN}0.1 %"
    assert amounts.percent(Decimal("99.9999"), Decimal(100)) == "> 99.9 %"
    assert amounts.percent(Decimal(1), Decimal(0)) == amounts.NOTHING


@given(st.lists(MONEY, min_size=1, max_size=4))
def test_a_bar_is_as_high_as_its_amount_on_its_axis(parts: list[Decimal]) -> None:
    kinds = ("metered", "allocated", "estimated", "unallocated")
    one = plots.Day(DAY, dict(zip(kinds, parts, strict=False)))
    plot = plots.daily([one], DAY, DAY)
    (bar,) = plot.bars
    up = sum(float(part) for part in parts if part > 0)
    down = sum(float(part) for part in parts if part < 0)
    top = min((part.y for part in bar.parts), default=plot.zero)
    foot = max((part.y + part.height for part in bar.parts), default=plot.zero)
    room = plots.HEIGHT - plots.TOP - plots.BOTTOM
    whole = (plot.zero - top) + (foot - plot.zero)
    assert whole <= room + 1e-6
    if up or down:
        # the same scale above and below zero
        assert (plot.zero - top) * -down == pytest.approx(
            (foot - plot.zero) * up, rel=1e-6, abs=1e-3
        )


def test_days_that_are_not_recorded_have_their_room_and_say_so() -> None:
    plot = plots.daily(
        [plots.Day(DAY, {"metered": Decimal(5)})], date(2026, 10, 1), date(2026, 10, 31),
        {date(2026, 10, 2)},
    )  # fmt: skip
    assert plot.bars[1].said.endswith(": nothing"), "recorded, and without cost"
    assert len(plot.bars) == 31
    assert [bool(bar.parts) for bar in plot.bars].count(True) == 1
    assert plot.bars[0].said.endswith("not recorded")
    assert [tick.label for tick in plot.ticks] == ["0", "2", "4", "6"]


@given(MONEY, st.lists(MONEY.filter(bool), min_size=1, max_size=8))
def test_a_waterfall_leads_from_one_end_to_the_other(before: Decimal, moves: list[Decimal]) -> None:
    after = before + sum(moves, Decimal(0))
    steps = falls.waterfall(
        before, [falls.Move(str(move), move, str(move)) for move in moves], after
    ).steps
    assert [step.kind for step in steps] == [
        "end", *("more" if move > 0 else "less" for move in moves), "end",
    ]  # fmt: skip
    assert all(step.x >= 0 and step.width >= 0 for step in steps)
    assert all(step.x + step.width <= falls.FALL_WIDTH + falls.THINNEST + 0.01 for step in steps)


@given(MONEY.filter(bool), MONEY.filter(bool))
def test_totals_are_as_long_as_their_amounts_or_the_axis_says_that_it_is_cut(
    before: Decimal, after: Decimal
) -> None:
    fall = falls.waterfall(before, [falls.Move("all", after - before, "all")], after)
    first, last = fall.steps[0], fall.steps[-1]
    assert first.is_cut == last.is_cut == fall.is_cut
    if not fall.is_cut:
        whole = max(before, after, Decimal(0)) - min(before, after, Decimal(0))
        for step, amount in ((first, before), (last, after)):
            length = float(abs(amount) / whole) * falls.FALL_WIDTH
            assert step.width == pytest.approx(length, abs=1e-6)


def test_a_small_change_between_large_totals_is_seen_on_an_axis_that_is_cut() -> None:
    fall = falls.waterfall(
        Decimal("69.32"), [falls.Move("machines", Decimal("2.68"), "+2.68")], Decimal("72.00")
    )
    assert (fall.is_cut, fall.low, fall.high) == (True, "69.00", "72.00")
    before, moved, after = fall.steps
    assert before.x == after.x == 0.0, "a total begins at 0, to the left of the break"
    assert moved.width > falls.FALL_WIDTH / 2
    whole = falls.waterfall(
        Decimal(40), [falls.Move("machines", Decimal(32), "+32.00")], Decimal(72)
    )
    assert not whole.is_cut
    assert whole.low == "0.00"


def _tail(status: str | None = "settled", **parts: str) -> Tail:
    words = ("metered", "allocated", "estimated", "unallocated")
    found = {name: Decimal(parts.get(name, "0")) for name in words}
    return Tail(
        sum(found.values(), Decimal(0)), found, Decimal(parts.get("provisional", "0")),
        Decimal(parts.get("restated", "0")), "3", status,
    )  # fmt: skip


def test_a_tail_says_how_sure_and_whether_it_may_move() -> None:
    assert _tail(metered="3", unallocated="1").said == "metered 75.0 %, unallocated 25.0 %"
    assert _tail(metered="3").settlement == "settled"
    assert _tail(None).settlement == amounts.NOTHING, "what costs nothing is not settled"
    partly = _tail("partly provisional", metered="3", provisional="1")
    assert partly.settlement_said == "1.00 of 3.00 is of open periods and may still move"
    assert sum(share for _, share, _ in _tail(metered="3", estimated="-1").parts) == pytest.approx(
        1
    )


def test_rows_together_have_the_status_that_none_of_them_denies() -> None:
    assert merged_status([]) is merged_status([None]) is None
    assert merged_status(["settled", None]) == "settled"
    assert merged_status(["settled", "provisional"]) == "partly provisional"
    assert merged_status(["settled", "partly provisional"]) == "partly provisional"
    assert merged_status(["provisional", "restated"]) == "restated"


def test_rows_at_zero_name_no_policy_version() -> None:
    def row(cost: str, version: str) -> dict[str, object]:
        amount = Decimal(cost)
        sums = {"billed_cost": amount, "effective_cost": amount, "provisional": amount}
        return {
            **sums, **dict.fromkeys((*CONFIDENCES, "restated"), Decimal(0)),
            "policy_versions": version, "status": "provisional",
        }  # fmt: skip

    assert merged_tail([row("0", "2"), row("7", "3")], "billed_cost").policy == "3"
    assert merged_tail([row("0", "2")], "billed_cost").policy == "2"
