"""Many writers at once: on days of their own, and on one day that all of them want.

Belongs here: what each writer of a crowd does, and what the lake must hold after them. Does not:
kills.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attribution_pipeline.lake import DayMoved, Lake
from attribution_pipeline_tests.reliability import inspection, synthetic
from attribution_pipeline_tests.reliability.tally import Tally
from attribution_pipeline_tests.reliability.writers import PROCESSES

MOST_TRIES = 50
"""A writer that was told so often that the day moved has a defect, or a crowd of fifty."""


@dataclass
class CrowdTally(Tally):
    """What a crowd came to."""

    crowds: int = 0
    acknowledged: int = 0
    moved: int = 0
    """Times that a writer was told that another had recorded the day meanwhile."""


def own_days(storage: Path, writers: int, rounds: int) -> CrowdTally:
    """Each writer records its own day, round after round."""
    answers = _all_at_once(_record_own_day, [(storage, n, rounds) for n in range(writers)])
    return _judge(storage, answers, dict.fromkeys(range(writers), rounds))


def one_day(storage: Path, writers: int, rounds: int) -> CrowdTally:
    """Every writer wants the same day with evidence of its own, and tries again when told that the
    day moved: every one of its states is published once, each upon the one before."""
    answers = _all_at_once(_record_shared_day, [(storage, n, rounds) for n in range(writers)])
    tally = _judge(storage, answers, {0: writers * rounds})
    lake = Lake(storage)
    previous = None
    for state in lake.states():
        document = lake.document(state)
        if document["previous"] != previous:
            tally.violations.append(f"state {state.state} does not follow the one before it")
        previous = state.manifest_id
    return tally


def _record_own_day(storage: Path, day: int, rounds: int) -> tuple[list[str], int]:
    return [synthetic.record(Lake(storage), day, step).manifest_id for step in _steps(rounds)], 0


def _record_shared_day(storage: Path, writer: int, rounds: int) -> tuple[list[str], int]:
    """A state that saw the one before it: its content names both."""
    answers, moved = [], 0
    for round_ in _steps(rounds):
        for _ in range(MOST_TRIES):
            head = Lake(storage).head(synthetic.date_of(0))
            seen = head.manifest_id if head else None
            step = writer * rounds + round_
            try:
                receipt = synthetic.record(Lake(storage), 0, step, previous=seen)
            except DayMoved:
                moved += 1
            else:
                answers.append(receipt.manifest_id)
                break
    return answers, moved


def _steps(rounds: int) -> range:
    return range(1, rounds + 1)


def _all_at_once(work: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> list[Any]:
    """A process for each, let go together."""
    gate = PROCESSES.Barrier(len(arguments))
    pipes, crowd = [], []
    for one in arguments:
        mine, theirs = PROCESSES.Pipe(duplex=False)
        crowd.append(PROCESSES.Process(target=_member, args=(gate, theirs, work, one)))
        crowd[-1].start()
        theirs.close()
        pipes.append(mine)
    answers = [pipe.recv() for pipe in pipes]
    for member in crowd:
        member.join()
    return answers


def _member(gate: Any, report: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    gate.wait()
    try:
        report.send(work(*arguments))
    except BaseException as error:  # noqa: BLE001 - the parent counts it
        report.send(f"{type(error).__name__}: {error}")


def _judge(storage: Path, answers: list[Any], states: dict[int, int]) -> CrowdTally:
    tally = CrowdTally(crowds=1)
    told: list[str] = []
    for answer in answers:
        if isinstance(answer, str):
            tally.violations.append(f"a writer failed: {answer}")
            continue
        told += answer[0]
        tally.moved += answer[1]
    tally.acknowledged = len(told)
    lake = Lake(storage)
    published = Counter(state.manifest_id for state in lake.states())
    if published != Counter(told):
        tally.violations.append(f"{published.total()} states stand, {len(told)} were acknowledged")
    for day, count in states.items():
        head = lake.head(synthetic.date_of(day))
        if head is None or head.state != count:
            tally.violations.append(f"day {day} is at state {head and head.state}, not {count}")
    tally.violations += inspection.whole(storage)
    return tally
