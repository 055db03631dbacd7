"""A recorded history, made once; each test works on a copy of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from attribution_pipeline_tests.proof.replays import History, four_states, held_states


@pytest.fixture(scope="session")
def recorded_history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Four states of the worked day: copied, never written to."""
    return four_states(tmp_path_factory.mktemp("history"))


@pytest.fixture
def history(recorded_history: History, tmp_path: Path) -> History:
    """Four states of the worked day, the test's own copy."""
    folder = shutil.copytree(recorded_history.folder, tmp_path / "worked_day")
    return History(folder, recorded_history.now, list(recorded_history.receipts))


@pytest.fixture(scope="session")
def recorded_hold(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Four states under a policy that holds closed periods: copied, never written to."""
    return held_states(tmp_path_factory.mktemp("held"))


@pytest.fixture
def held(recorded_hold: History, tmp_path: Path) -> History:
    """Four states under a policy that holds closed periods, the test's own copy."""
    folder = shutil.copytree(recorded_hold.folder, tmp_path / "held")
    return History(folder, recorded_hold.now, list(recorded_hold.receipts))
