"""The worked day, recorded once; and the same with late data, in several states."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.conftest import no_dagster_home, recorded_once
from attribution_pipeline_tests.orchestration.deployments import DAY

__all__ = ["many_states_once", "no_dagster_home", "recorded_once"]

STATES = 4


@pytest.fixture(scope="session")
def many_states_once(recorded_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked day in ``STATES`` states: a bill that changes three times. Copied, never written to."""
    folder = tmp_path_factory.mktemp("states") / "worked_day"
    shutil.copytree(recorded_once, folder)
    bill = folder / "billing" / "focus.csv"
    for amount in ("0.75", "0.80", "0.85"):
        restate(bill, amount)
        house = House(load_deployment(folder / "attribution.yaml"))
        land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
        record_day(House(load_deployment(folder / "attribution.yaml")), DAY)
    house = House(load_deployment(folder / "attribution.yaml"))
    assert len(house.lake.states(DAY)) == STATES
    return folder


def restate(bill: Path, amount: str) -> None:
    """The bill as it first was, with another amount in the lines of one service."""
    first = (WORKED_DAY / "billing" / bill.name).read_text(encoding="utf-8")
    lines = [
        line.replace(",0.50,", f",{amount},") if "Amazon Route 53" in line else line
        for line in first.splitlines()
    ]
    bill.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def states(many_states_once: Path, tmp_path: Path) -> Path:
    """The deployment in several states, the test's own copy; modification times stay."""
    return shutil.copytree(many_states_once, tmp_path / "worked_day")
