"""What is kept of answers, who makes one, and who waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from attribution_pipeline.views.dashboard import keeping
from attribution_pipeline.views.dashboard.keeping import Answers

LONG_S = 30.0
"""Nobody waits for so long but where the code is broken."""


@dataclass(frozen=True)
class Large:
    nbytes: int


@pytest.fixture
def answers() -> Iterator[Answers]:
    made = Answers()
    yield made
    made.close()


def test_the_answer_that_nobody_asked_for_goes_where_there_is_no_room(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "BYTES", 10)
    for name in "ab":
        answers.kept((name,), lambda: Large(5))
    again = Large(5)
    assert answers.kept(("a",), lambda: again) is not again, "it is kept"
    answers.kept(("c",), lambda: Large(5))
    assert answers.kept(("a",), lambda: again) is not again, "it was asked for since b"
    assert answers.kept(("b",), lambda: again) is again


def test_one_answer_that_is_larger_than_all_room_is_kept_until_the_next(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "BYTES", 10)
    first = answers.kept(("a",), lambda: Large(50))
    assert answers.kept(("a",), lambda: Large(50)) is first
    small = answers.kept(("b",), lambda: Large(5))
    assert answers.kept(("b",), lambda: Large(5)) is small
    assert answers.kept(("a",), lambda: Large(50)) is not first


def test_who_waits_for_what_is_being_made_does_not_make_it_again(answers: Answers) -> None:
    begun, end, made = threading.Event(), threading.Event(), []

    def make() -> int:
        begun.set()
        assert end.wait(LONG_S)
        made.append(1)
        return len(made)

    assert answers.later(("slow",), make, 0.0) is None
    assert begun.wait(LONG_S)
    threading.Timer(0.05, end.set).start()
    assert answers.later(("slow",), make, None) == 1
    assert answers.later(("slow",), make, None) == 1
    assert made == [1]


def test_what_only_stands_in_the_queue_is_made_by_who_waits(answers: Answers) -> None:
    end = threading.Event()
    for number in range(keeping.SLOW_AT_ONCE):
        assert answers.later((number,), lambda: end.wait(LONG_S), 0.0) is None
    assert answers.later(("queued",), lambda: "behind", 0.0) is None
    assert answers.later(("queued",), lambda: "here", None) == "here"
    assert not answers.is_pending(("queued",))
    end.set()
    assert answers.later(("queued",), lambda: "again", 0.0) == "here"


def test_who_waits_is_told_of_what_failed_and_the_next_one_tries_again(answers: Answers) -> None:
    begun, end = threading.Event(), threading.Event()

    def fail() -> int:
        begun.set()
        assert end.wait(LONG_S)
        raise ValueError("broken")

    assert answers.later(("failing",), fail, 0.0) is None
    assert begun.wait(LONG_S)
    end.set()
    with pytest.raises(ValueError, match="broken"):
        answers.later(("failing",), fail, None)
    assert answers.later(("failing",), lambda: 7, None) == 7


@pytest.mark.parametrize("patience_s", [None, 5.0])
def test_what_was_asked_for_last_goes_last_however_it_was_asked_for(
    answers: Answers, monkeypatch: pytest.MonkeyPatch, patience_s: float | None
) -> None:
    monkeypatch.setattr(keeping, "ANSWERS", 2)
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name

    for name in ("a", "b"):
        answers.kept((name,), lambda name=name: make(name))
    assert answers.later(("a",), lambda: make("a"), patience_s) == "a"
    answers.kept(("c",), lambda: make("c"))
    assert answers.kept(("a",), lambda: make("a")) == "a"
    assert made == ["a", "b", "c"]
