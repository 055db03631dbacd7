"""Writers to S3 that are killed: at named points, and at random; what is left, and who comes after."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.lake import Lake, bucket_store, crash
from attribution_pipeline_tests.buckets import server
from attribution_pipeline_tests.buckets.paths import BucketPath
from attribution_pipeline_tests.reliability import inspection, synthetic
from attribution_pipeline_tests.reliability.writers import PROCESSES

ALL = os.environ.get("S3") == "all"
IN_CI = ("create.linked", "ledger.committed")
"""Points at which a request has been carried out, and nothing has been told of it."""
STORY = (("land", 0, 1), ("keep", 0, 1), ("record", 0, 1), ("land", 0, 2), ("record", 0, 2))
RECORDED = (0, 2, 4)
"""Where the story goes on by the number of states that stand."""
RANDOM_KILLS = 12 if ALL else 1
LONGEST_LIFE_S = 6.0

pytestmark = pytest.mark.heavy


def play(place: BucketPath, armed: str = "", report: Any = None) -> None:
    """The story; in a process of its own, which may die."""
    os.environ.update(server.KEYS)
    if armed:
        os.environ[crash.VARIABLE] = armed
    for task, day, step in left_of(place):
        synthetic.perform(place, task, day, step)
    if report is not None:
        report.send(dict(crash._passed))


def left_of(place: BucketPath) -> Sequence[tuple[str, int, int]]:
    """The steps from the one that may have been left undone: a state is not recorded twice."""
    states = len(Lake(place).states())
    return STORY[RECORDED[states] :]


def in_a_process(*arguments: Any) -> Any:
    child = PROCESSES.Process(target=play, args=arguments)
    child.start()
    return child


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How often the story passes each point."""
    answers, report = PROCESSES.Pipe(duplex=False)
    child = in_a_process(server.new_place(tmp_path_factory.mktemp("count")), "never:0", report)
    found: dict[str, int] = answers.recv()
    child.join()
    return found


def sound(place: BucketPath) -> Iterator[str]:
    """What is wrong with what a dead writer left: a day's state is one of the story's, whole."""
    yield from inspection.verifies(place)
    lake = Lake(place)
    for day in lake.days():
        rows = lake.read("ledger", day, day)["billed_cost"].to_pylist()
        synthetic.step_of(0, rows)


def check_and_play_on(place: BucketPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_store, "RECENT_S", 0.0)
    assert list(sound(place)) == []
    play(place)
    lake = Lake(place)
    assert [state.state for state in lake.states()] == [1, 2]
    rows = lake.read("ledger", *[synthetic.date_of(0)] * 2)["billed_cost"].to_pylist()
    assert synthetic.step_of(0, rows) == 2
    assert list(inspection.whole(place)) == []
    assert inspection.landed_rows(place) == {"o.0.1": 2, "o.0.2": 2}


def test_a_writer_killed_at_any_point_leaves_a_whole_state_and_the_next_goes_on(
    place: BucketPath, passed: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(IN_CI) <= passed.keys()
    for number, point in enumerate(sorted(passed) if ALL else IN_CI):
        for nth in sorted({1, passed[point]} if ALL else {passed[point]}):
            home = place / f"{number}-{nth}"
            child = in_a_process(home, f"{point}:{nth}")
            child.join()
            assert child.exitcode == -signal.SIGKILL, point
            check_and_play_on(home, monkeypatch)


def test_writers_killed_at_random_leave_whole_states(
    place: BucketPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(7)
    hit = 0
    for number in range(RANDOM_KILLS):
        home = place / str(number)
        child = in_a_process(home)
        time.sleep(dice.uniform(0.3, LONGEST_LIFE_S if ALL else 1.5))
        child.kill()
        child.join()
        hit += child.exitcode == -signal.SIGKILL
        check_and_play_on(home, monkeypatch)
    assert hit, "every writer was done before it was killed: nothing was tested"
