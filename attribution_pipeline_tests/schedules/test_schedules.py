"""Random schedules end as on time: three in CI, 200 by ``make schedules``.

A failure names its number, and ``run --number`` makes it small.
"""

from __future__ import annotations

from collections import Counter

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


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    folder = tmp_path_factory.mktemp("schedules")
    known = month_of(NUMBERS[0])
    on_time = on_time_books(known, folder / "on-time")
    return [played(number, known, on_time, folder / str(number)) for number in NUMBERS]


@pytest.mark.heavy
@pytest.mark.parametrize("place", range(len(NUMBERS)), ids=map(str, NUMBERS))
def test_a_random_schedule_ends_as_on_time(verdicts: list[Verdict], place: int) -> None:
    verdict = verdicts[place]
    assert verdict.wrong == [], verdict.line()


@pytest.mark.heavy
def test_the_schedules_were_late_restated_closed_held_and_interrupted(
    verdicts: list[Verdict],
) -> None:
    happened: Counter[str] = Counter()
    for verdict in verdicts:
        happened.update(verdict.facts)
    assert [name for name in MUST_HAPPEN if not happened[name]] == []
    unheld = [verdict for verdict in verdicts if "restate" in verdict.what]
    assert not any(verdict.facts["variances"] for verdict in unheld)
