"""Deployments to run: the worked day, fresh or recorded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY


@pytest.fixture(autouse=True)
def no_dagster_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in a test is never written into somebody's Dagster."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.fixture
def deployment_file(tmp_path: Path) -> Path:
    """The worked day's deployment, nothing landed."""
    return shutil.copytree(WORKED_DAY, tmp_path / "worked_day") / "attribution.yaml"


@pytest.fixture(scope="session")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked day, landed and recorded: copied, never written to."""
    from attribution_pipeline.orchestration.run import run_days

    folder = tmp_path_factory.mktemp("recorded") / "worked_day"
    shutil.copytree(WORKED_DAY, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        report = run_days(load_deployment(folder / "attribution.yaml"), DAY, DAY)
    assert report.failures == []
    return folder


@pytest.fixture
def house(recorded_once: Path, tmp_path: Path) -> House:
    """The worked day as recorded, the test's own copy."""
    folder = shutil.copytree(recorded_once, tmp_path / "worked_day")
    return House(load_deployment(folder / "attribution.yaml"))
