"""The harness can fail: each statement about books is broken once, and told by name."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.lake import crash
from attribution_pipeline.simulator.month import Month, Schedule, month, schedule
from attribution_pipeline_tests.schedules import books, history, judge, shrink
from attribution_pipeline_tests.schedules.books import on_time_books
from attribution_pipeline_tests.schedules.interruptions import Crashed, Interruption
from attribution_pipeline_tests.schedules.play import play

Row = dict[str, Any]


def row(key: str, cost: int, revision: int = 1, **cells: Any) -> Row:
    content = dict.fromkeys(books.CONTENT) | {
        "attribution_id": key, "billed_cost": Decimal(cost), "effective_cost": Decimal(cost),
    }  # fmt: skip
    at = {"recorded_at": revision, "first_recorded_at": 1}
    return {**content, "revision": revision, **at, **cells}


def change(key: str, revision: int, old: int, new: int) -> Row:
    said: Row = {"attribution_id": key, "revision": revision, "recorded_at": revision}
    for cost in history.COSTS:
        said |= {f"old_{cost}": Decimal(old), f"new_{cost}": Decimal(new)}
        said[f"delta_{cost}"] = Decimal(new - old)
    return said


def test_the_digest_is_of_content_alone_in_any_order() -> None:
    one, other = row("a", 3), row("b", 4)
    expected = books.digest([one, other])
    assert books.digest([other, one]) == expected
    assert books.digest([{**one, "revision": 9}, other]) == expected
    assert books.digest([one, other, row("c", 0)]) == expected
    assert books.digest([one, other, row("c", 1)]) != expected
    assert books.digest([one, {**other, "tenant_id": ""}]) != expected, "empty is not null"
    assert books.digest([one]) != expected


def test_variances_stand_in_for_rows_that_are_held() -> None:
    ledger = [row("a", 3), row("b", 4), row("h", 1, unallocated_reason="held")]
    together = books.unheld(ledger, [row("b", 5), row("c", 1), row("a", 0)])
    assert books.digest(together) == books.digest([row("b", 5), row("c", 1)])


def test_a_true_story_of_revisions_is_accepted() -> None:
    first = [row("a", 3), row("b", 4)]
    told = [change("b", 2, 4, 0), change("b", 3, 0, 7), change("c", 1, 0, 2)]
    rows = [row("a", 3), row("b", 7, 3, recorded_at=3), row("c", 2, first_recorded_at=1)]
    assert list(history.broken_revisions(first, rows, told)) == []


@pytest.mark.parametrize(
    ("rows", "changes", "said"),
    [
        ([], [], "a has vanished"),
        ([row("a", 3, 2)], [], "a is at revision 2"),
        ([row("a", 4)], [], "billed_cost is 4, first and deltas give 3"),
        ([row("a", 3), row("c", 1)], [], "c was not in the first state"),
        ([row("a", 5, 2)], [change("a", 2, 4, 6)], "old billed_cost is not 3"),
        ([row("a", 5, 3)], [change("a", 3, 3, 5)], "its changes are [3]"),
        ([row("a", 5, 2)], [change("a", 2, 3, 5), change("c", 1, 0, 1)], "c has vanished"),
        ([row("a", 3, recorded_at=2)], [], "at another time than its revision"),
        ([row("a", 3, first_recorded_at=2)], [], "was first recorded at another time"),
    ],
)
def test_a_false_story_of_revisions_is_told(rows: list[Row], changes: list[Row], said: str) -> None:
    assert said in " ".join(history.broken_revisions([row("a", 3)], rows, changes))


def test_a_row_that_stands_twice_is_told() -> None:
    assert judge.doubled([row("a", 3), row("a", 3), row("b", 1)]) == ["a stands 2 times"]


def test_differing_rows_are_named_with_their_cells() -> None:
    told = books.differences([row("a", 3), row("b", 1)], [row("a", 4), row("c", 1)])
    assert told.startswith("3 rows differ")
    assert "('3', '4')" in told
    assert "b missing" in told
    assert "c too much" in told


def test_a_crash_strikes_at_the_nth_point_whichever_it_is() -> None:
    interruption = Interruption(random.Random(0))
    interruption.kind, interruption.nth = "crash", 3
    passed = []
    with interruption():
        for name in ("day.placed", "policy.kept", "day.published", "day.aligned"):
            crash.crash_point(name)
            passed.append(name)
    assert passed == ["day.placed", "policy.kept"]
    assert interruption.happened == "crash at point 3"
    assert crash.os is os
    crash.crash_point("day.placed")


def test_an_error_that_was_not_made_here_is_a_defect() -> None:
    interruption = Interruption(random.Random(0))
    interruption.kind = "error"
    with pytest.raises(OSError, match="ours"), interruption():
        raise OSError("ours")
    assert not issubclass(Crashed, Exception)


@pytest.fixture(scope="module")
def known() -> Month:
    return month(0)


def test_a_failing_schedule_is_made_as_small_as_it_fails(
    known: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect that needs two deliveries in different steps, on one day."""
    whole = schedule(known, 0)
    names = [step.deliveries[0].name for step in whole.steps[:3:2]]

    def wrong_of(month: Month, part: Schedule, days: Any, *, interrupted: bool) -> list[str]:
        places = [
            number
            for number, step in enumerate(part.steps)
            for delivery in step.deliveries
            if delivery.name in names
        ]
        return ["wrong"] if len(set(places)) == 2 and known.books[3] in days else []

    monkeypatch.setattr(shrink, "wrong_of", wrong_of)
    small, days, wrong = shrink.shrunk(known, whole, lambda _: None)
    assert [delivery.name for delivery in small.deliveries] == names
    assert len([step for step in small.steps if step.deliveries]) == 2
    assert days == (known.books[3],)
    assert wrong == ["wrong"]


@pytest.mark.heavy
def test_a_batch_that_never_came_is_missed(known: Month, tmp_path: Path) -> None:
    """The whole way: one day kept, played without one of its batches, judged by the on-time books."""
    one = replace(known, books=known.books[2:3])
    calm = schedule(known, 0, order="forward", closed_period="restate")
    steps = (replace(calm.steps[-1], deliveries=tuple(calm.deliveries), restart=False),)
    batch = next(d for d in calm.deliveries if d.name == f"spans {one.books[0]} batch 1")
    on_time = on_time_books(one, tmp_path / "on-time")
    for dropped, expected in ((set(), 0), ({batch.name}, 2)):
        part = replace(calm, steps=steps).without(dropped)
        played = play(one, part, tmp_path / f"late-{expected}", interrupted=False)
        wrong, _ = judge.judge(on_time, played, part)
        assert len([line for line in wrong if str(one.books[0]) in line]) >= expected
        assert bool(wrong) == bool(expected), wrong
