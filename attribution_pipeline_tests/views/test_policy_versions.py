"""Which days a version governs, as ranges that can be pasted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from attribution_pipeline.views import day_ranges
from attribution_pipeline.views.policy_versions import reach_lines


@dataclass
class Reached:
    governed: Sequence[date] = ()
    stale: Sequence[date] = ()
    closed: Sequence[date] = ()


def days(*numbers: int) -> list[date]:
    return [date(2026, 10, number) for number in numbers]


def test_consecutive_days_are_one_range_whatever_their_order() -> None:
    assert day_ranges.ranges(days(7, 5, 6, 9, 5)) == [
        (date(2026, 10, 5), date(2026, 10, 7)), (date(2026, 10, 9), date(2026, 10, 9)),
    ]  # fmt: skip
    assert day_ranges.ranges([date(2026, 12, 31), date(2027, 1, 1)]) == [
        (date(2026, 12, 31), date(2027, 1, 1))
    ]
    assert day_ranges.counted(days(5, 6, 9)) == "3 days: 2026-10-05 to 2026-10-06, 2026-10-09"
    assert day_ranges.counted(days(5)) == "1 day: 2026-10-05"


def test_a_version_that_governs_nothing_says_so() -> None:
    assert reach_lines(Reached()) == ["governs no recorded day"]


def test_days_recorded_under_it_need_nothing() -> None:
    assert reach_lines(Reached(days(5, 6))) == [
        "governs 2 recorded days: 2026-10-05 to 2026-10-06", "all of them are recorded under it",
    ]  # fmt: skip


def test_stale_days_come_with_their_command_and_closed_ones_with_force() -> None:
    assert reach_lines(Reached(days(5, 6, 7, 8, 9), days(6, 7, 8, 9), days(6, 7))) == [
        "governs 5 recorded days: 2026-10-05 to 2026-10-09",
        "would be computed anew under it: 2 days: 2026-10-08 to 2026-10-09",
        "  attribution run --from 2026-10-08 --to 2026-10-09",
        "have settled charges and keep the version they were recorded under, unless forced: "
        "2 days: 2026-10-06 to 2026-10-07",
        "  attribution run --from 2026-10-06 --to 2026-10-07 --force",
    ]
