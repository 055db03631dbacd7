"""Late data and policy changes stand apart from what happened, and everything still sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.model.errors import Broken, Refusal
from attribution_pipeline.views.explain import RECORDED, Period
from attribution_pipeline.views.explain.periods import notes
from attribution_pipeline_tests.attribution.days import METERS, Day, call, day, token_line
from attribution_pipeline_tests.explain.books import (
    AFTER,
    BEFORE,
    NIGHT,
    Books,
    asked,
    parts,
    told,
)

LATER = NIGHT + timedelta(days=30)
BILL = [token_line(1, "10", "m-uncached", 1000)]
CALLS = [call(1, "a", uncached_input=300)]
MORE = [*CALLS, call(2, "a", uncached_input=200)]
SECOND = METERS.replace("version: 1", "version: 2")


@dataclass(frozen=True)
class Days:
    """One day's first state, and states that could follow it. In the first, tenant a made one call
    of 300 tokens, for 3 of 10 USD."""

    first: Day
    late_call: Day
    restated: Day
    spread: Day
    """Under version 2, which spreads what no call was seen for."""
    second_version: Day
    """Under version 2, which moves nothing."""


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    folder = tmp_path_factory.mktemp("days")
    first = day(folder / "first", METERS, lines=BILL, spans=CALLS)

    def then(name: str, **evidence: Any) -> Day:
        said = {"policy": METERS, "lines": BILL, "spans": CALLS, **evidence}
        return day(folder / name, after=first, recorded_at=LATER, **said)

    return Days(
        first, then("late", spans=MORE),
        then("restated", lines=[token_line(1, "20", "m-uncached", 1000)]),
        then("spread", policy=SECOND + "evidence_gap: spread\n"), then("second", policy=SECOND),
    )  # fmt: skip


@pytest.fixture
def books(tmp_path: Path, days: Days) -> Books:
    """Both days alike, and closed."""
    found = Books(tmp_path / "lake")
    for on in (BEFORE, AFTER):
        found.record(on, days.first, settled=True)
    return found


def test_two_days_alike_have_no_part_at_all(books: Books) -> None:
    found = books.explained()
    assert parts(found) == {}
    assert (found.total("USD").against, found.total("USD").now) == (3 * 10**12, 3 * 10**12)


def test_a_late_call_of_a_closed_day_is_late_data_and_not_a_request(
    books: Books, days: Days
) -> None:
    books.record(AFTER, days.late_call, LATER, settled=True)
    found = books.explained()
    assert parts(found) == {"late_data": "2"}
    assert dict(found.causes["USD"]) == {"late_spans": 2 * 10**12}


def test_the_same_late_call_of_the_against_period_counts_the_other_way(
    books: Books, days: Days
) -> None:
    books.record(BEFORE, days.late_call, LATER, settled=True)
    assert parts(books.explained()) == {"late_data": "-2"}


def test_a_restated_bill_is_late_data(books: Books, days: Days) -> None:
    books.record(AFTER, days.restated, LATER, settled=True)
    found = books.explained()
    assert parts(found) == {"late_data": "3"}
    assert set(found.causes["USD"]) == {"late_billing"}


def test_before_the_late_call_was_published_nothing_was_late(books: Books, days: Days) -> None:
    books.record(AFTER, days.late_call, LATER, settled=True)
    assert parts(books.explained(as_of=NIGHT)) == {}


def test_a_later_version_of_the_policy_is_the_policys_part(books: Books, days: Days) -> None:
    books.record(AFTER, days.spread, LATER, settled=True)
    found = books.explained()
    assert parts(found) == {"policy_change": "7"}
    assert notes(books.period(BEFORE), books.period(AFTER)) == [], "compared is version 1 alone"


def test_periods_under_two_versions_are_told(books: Books, days: Days) -> None:
    books.record(AFTER, days.second_version, LATER, settled=True)
    now = books.period(AFTER, since=LATER)
    said = [text for text in notes(books.period(BEFORE), now) if "version" in text]
    assert said == [
        "2026-10-05 stands under test version 1 and 2026-10-06 under test version 2: what the rule "
        "itself moves is inside the parts; attribution policy diff tells it apart"
    ]


def test_missing_calls_of_a_bill_without_tokens_are_no_price_unsaid(tmp_path: Path) -> None:
    """Two calls were made on both days, and on the second one of them was not delivered."""
    books = Books(tmp_path / "lake")
    bill = [token_line(1, "10", "m-uncached", 500) | {"ConsumedQuantity": None}]
    books.record(BEFORE, day(tmp_path / "before", METERS, lines=bill, spans=MORE))
    books.record(AFTER, day(tmp_path / "after", METERS, lines=bill, spans=CALLS))
    then, now = books.period(BEFORE), books.period(AFTER)
    found = asked(then, now, None)
    assert found.total("USD").parts["price"] > 0
    (note,) = notes(then, now)
    assert note.startswith(f"no billed tokens of vendor m are known in {BEFORE} and in {AFTER}: ")
    assert "Deliver the vendor's usage report" in note
    (row,) = [text for text in told(found, then, now) if text.startswith("price ")]
    assert row.endswith("of vendor m no billed tokens are known: calls that are missing are in it")


def test_a_day_that_is_open_is_explained_as_it_stands(tmp_path: Path, days: Days) -> None:
    books = Books(tmp_path / "lake")
    for on in (BEFORE, AFTER):
        books.record(on, days.first)
    books.record(AFTER, days.late_call, LATER)
    assert set(parts(books.explained())) == {"requests", "prompt_size"}
    assert any("--late-since recorded" in text for text in
               notes(books.period(BEFORE), books.period(AFTER)))  # fmt: skip
    assert parts(books.explained(since=RECORDED)) == {"late_data": "2"}
    assert parts(books.explained(since=LATER - timedelta(days=1))) == {"late_data": "2"}
    assert set(parts(books.explained(since=LATER))) == {"requests", "prompt_size"}


def test_a_period_of_which_nothing_is_recorded_is_refused(books: Books) -> None:
    with pytest.raises(Refusal, match="no day from 2026-10-09 to 2026-10-09 was recorded"):
        books.period(AFTER + timedelta(days=3))


def test_parts_that_miss_the_ledger_are_never_shown(books: Books, days: Days) -> None:
    against, now = books.period(BEFORE), books.period(AFTER)
    forged = Period(
        now.first,
        now.last,
        {**now.files, "standing_ledger": days.late_call.outcome.files["ledger"]},
    )
    with pytest.raises(Broken, match="quanta, the ledger to"):
        asked(against, forged, "a")
