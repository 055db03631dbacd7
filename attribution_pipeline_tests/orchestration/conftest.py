"""Deployments to run: the worked day, fresh or recorded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY

if TYPE_CHECKING:
    from attribution_pipeline_tests.orchestration.ticks import Driven


@pytest.fixture(autouse=True)
def no_dagster_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in a test is never written into somebody's Dagster."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.fixture
def deployment_file(tmp_path: Path) -> Path:
    """The worked day's deployment, nothing landed."""
    return shutil.copytree(WORKED_DAY, tmp_path / "worked_day") / "attribution.yaml"


@pytest.fixture
def folder(deployment_file: Path) -> Path:
    """The same without a span, for those of ``rereading``: nothing landed."""
    (deployment_file.parent / "spans" / "traces.jsonl").unlink()
    return deployment_file.parent


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


@pytest.fixture(scope="session")
def looked_at_once(recorded_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked day, recorded, its evidence looked at: copied, never written to."""
    from attribution_pipeline.orchestration.digests import bring_up_to_date

    folder = tmp_path_factory.mktemp("looked_at") / "worked_day"
    shutil.copytree(recorded_once, folder)
    bring_up_to_date(House(load_deployment(folder / "attribution.yaml")))
    return folder


@pytest.fixture
def driven(recorded_once: Path, tmp_path: Path) -> Iterator[Driven]:
    """The worked day as recorded, under a Dagster instance of its own."""
    yield from _driven(recorded_once, tmp_path)


@pytest.fixture
def settled(looked_at_once: Path, tmp_path: Path) -> Iterator[Driven]:
    """The same, with nothing left to do."""
    yield from _driven(looked_at_once, tmp_path)


@pytest.fixture(scope="session")
def three_days_once(looked_at_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recorded days: the worked one, and two on which the bill says little."""
    from attribution_pipeline.orchestration.digests import bring_up_to_date
    from attribution_pipeline.orchestration.run import run_days

    folder = tmp_path_factory.mktemp("three_days") / "worked_day"
    shutil.copytree(looked_at_once, folder)
    deployment = load_deployment(folder / "attribution.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        report = run_days(deployment, DAY + timedelta(1), DAY + timedelta(2))
    assert report.failures == []
    bring_up_to_date(House(deployment))
    return folder


@pytest.fixture
def driven_days(three_days_once: Path, tmp_path: Path) -> Iterator[Driven]:
    """Three recorded days, with nothing left to do."""
    yield from _driven(three_days_once, tmp_path)


def _driven(recorded: Path, tmp_path: Path) -> Iterator[Driven]:
    import dagster as dg

    from attribution_pipeline_tests.orchestration.ticks import Clock, Driven

    folder = shutil.copytree(recorded, tmp_path / "worked_day")
    Clock.ahead = timedelta(0)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Driven(folder / "attribution.yaml", instance)
    Clock.ahead = timedelta(0)
