"""Many writers at once: on days of their own none fails; on one day each is told when it moved."""

from __future__ import annotations

from pathlib import Path

from attribution_pipeline_tests.reliability import crowds
from attribution_pipeline_tests.reliability.measure import SHORT


def test_eight_processes_record_their_own_days_round_after_round(tmp_path: Path) -> None:
    tally = crowds.own_days(tmp_path, writers=8, rounds=SHORT.rounds)
    assert tally.violations == []
    assert tally.acknowledged == 8 * SHORT.rounds


def test_thirty_days_at_once_lose_nothing_and_fail_nothing(tmp_path: Path) -> None:
    tally = crowds.own_days(tmp_path, writers=30, rounds=1)
    assert tally.violations == []
    assert tally.acknowledged == 30


def test_two_writers_of_one_day_are_told_and_then_build_upon_each_other(tmp_path: Path) -> None:
    tally = crowds.one_day(tmp_path, writers=2, rounds=SHORT.rounds)
    assert tally.violations == []
    assert tally.acknowledged == 2 * SHORT.rounds
    assert tally.moved > 0, "they never met, so nothing was shown"
