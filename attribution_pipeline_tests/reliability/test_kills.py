"""Writers are killed: at random times while a reader reads, and at every named point.

The short slice: a thousand kills and every call of every point are ``make reliability``.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from attribution_pipeline_tests.reliability import crash_points, measure
from attribution_pipeline_tests.reliability.crash_points import PointTally
from attribution_pipeline_tests.reliability.kills import kill_at_random
from attribution_pipeline_tests.reliability.measure import SHORT
from attribution_pipeline_tests.reliability.scenarios import SCENARIOS, checkpoints_after

KILLS = SHORT.kills // 2

pytestmark = pytest.mark.timeout(900)  # half a minute each, on cores of their own


@pytest.mark.parametrize("seed", [1, 2])
def test_fifty_kills_at_random_times_lose_tear_and_double_nothing(
    tmp_path: Path, seed: int
) -> None:
    tally = kill_at_random(tmp_path, KILLS, seed)
    assert tally.violations == []
    assert tally.kills == KILLS
    # it is worth something only if writers got on, were hit inside their work, and were read
    assert tally.inside.total() >= KILLS // 2
    assert tally.inside["record"] >= KILLS // 4
    assert tally.acknowledged["record"] >= 5
    assert tally.states_read >= 5
    assert tally.reads >= KILLS


@pytest.fixture(scope="module")
def passes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, int]]:
    """How often each story passes each point."""
    folder = tmp_path_factory.mktemp("passes")
    return {name: crash_points.passes(story, folder / name) for name, story in SCENARIOS.items()}


def test_every_point_in_the_code_is_passed_by_a_story(passes: dict[str, dict[str, int]]) -> None:
    named = crash_points.in_code()
    passed = {point for of_story in passes.values() for point in of_story}
    assert len(named) >= 25
    forgotten = {
        pattern: where
        for pattern, where in named.items()
        if not any(re.fullmatch(pattern, point) for point in passed)
    }
    assert forgotten == {}, "a crash point that no story reaches is not proven"


def test_a_kill_at_every_named_point_leaves_the_old_state_or_the_new_and_a_rerun_converges(
    tmp_path: Path,
) -> None:
    tally = PointTally()
    portions = list(measure.point_portions(SHORT, tmp_path / "passes"))
    for number, (_, (name, calls)) in enumerate(portions):
        tally.add(measure.point_portion(tmp_path / str(number), name, calls))
    assert tally.violations == []
    asked = {point for _, (_, calls) in portions for point, _ in calls}
    assert set(tally.kills) == asked
    assert tally.old > 0
    assert tally.new > 0


def test_a_story_without_trouble_ends_as_it_should(tmp_path: Path) -> None:
    story = SCENARIOS["synthetic"]
    with checkpoints_after(2):
        golden = story.golden(tmp_path)
    assert len(golden) == len(story.steps) + 1
    changed = [before != after for before, after in itertools.pairwise(golden)]
    assert changed == [step.split()[0] != "keep" for step in story.steps[:-1]] + [False]
