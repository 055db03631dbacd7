"""Random schedules end as on time: three in CI, 200 by ``make schedules``.

A failure names its number, and ``run --number`` makes it small.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from attribution_pipeline_tests.schedules.books import on_time_books
from attribution_pipeline_tests.schedules.numbered import Verdict, month_of, played

NUMBERS = (6, 7, 9)
"""Of one month, so that its on-time books are made once: shuffled, shuffled and held, forward and
held."""

MUST_HAPPEN = (
    "delivered late_spans", "delivered late_span", "delivered replayed_spans",
    "delivered restated_bill", "delivered corrected_opencost", "delivered late_usage",
    "delivered correction", "delivered close", "delivered policy",
    "cause late_billing", "cause late_spans", "cause late_snapshot", "cause late_usage",
    "cause correction", "cause policy_change",
    "policy changes", "settled days", "rows settled", "rows restated", "rows at zero",
    "variances", "held rows", "late path states", "restarts", "interruptions",
)  # fmt: skip
"""Without these the schedules would end as on time for want of anything late."""


class Played:
    """Schedules of one month, each played when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._month = month_of(NUMBERS[0])
        self._on_time = on_time_books(self._month, folder / "on-time")
        self._verdicts: dict[int, Verdict] = {}

    def __getitem__(self, number: int) -> Verdict:
        if number not in self._verdicts:
            place = self._folder / str(number)
            self._verdicts[number] = played(number, self._month, self._on_time, place)
        return self._verdicts[number]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(tmp_path_factory.mktemp("schedules"))


@pytest.mark.heavy
@pytest.mark.parametrize("number", NUMBERS)
def test_a_random_schedule_ends_as_on_time(verdicts: Played, number: int) -> None:
    verdict = verdicts[number]
    assert verdict.wrong == [], verdict.line()


@pytest.mark.heavy
def test_the_schedules_were_late_restated_closed_held_and_interrupted(verdicts: Played) -> None:
    happened: Counter[str] = Counter()
    for number in NUMBERS:
        happened.update(verdicts[number].facts)
        if "restate" in verdicts[number].what:
            assert not verdicts[number].facts["variances"]
    assert [name for name in MUST_HAPPEN if not happened[name]] == []
