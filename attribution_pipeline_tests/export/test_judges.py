"""Exports before the two outside judges, with an exact list of what is accepted and why."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.export.focus import Wanted
from attribution_pipeline.orchestration.export import export_focus
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.export import judges
from attribution_pipeline_tests.export.accepting import accepted
from attribution_pipeline_tests.export.conftest import FullDay
from attribution_pipeline_tests.export.deployments import DAY
from attribution_pipeline_tests.export.mutations import MUTATIONS
from attribution_pipeline_tests.test_cli import run

pytestmark = pytest.mark.heavy

SPANS = 600


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of the made-up company, exported."""
    folder = tmp_path_factory.mktemp("demo")
    assert run("demo", folder / "company", "--days", 1, "--spans-per-day", SPANS).exit_code == 0
    house = House(load_deployment(folder / "company" / "attribution.yaml"))
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    record_day(house, house.deployment.first_day)
    export_focus(house, None, None, Wanted(), folder / "out")
    return folder / "out"


def test_the_official_validator_finds_nothing_else_in_a_full_day(full_day: FullDay, tmp_path: Path):
    parquet = full_day.out / "focus-1.2" / f"cost-and-usage-{DAY}.parquet"
    found = judges.official(parquet, judges.SUPPORTED, tmp_path)
    assert found == accepted("full day", "focus-validator 1.2")


def test_the_toolkit_finds_nothing_in_a_full_day(full_day: FullDay):
    found = judges.toolkit(full_day.out / "focus-1.4" / f"cost-and-usage-{DAY}.csv")
    assert found == accepted("full day", "focus-data-toolkit 1.4")


def test_both_find_nothing_else_in_the_demo_company(demo: Path, tmp_path: Path):
    (parquet,) = (demo / "focus-1.2").glob("*.parquet")
    assert judges.official(parquet, (), tmp_path) == accepted("demo company", "focus-validator 1.2")
    (table,) = (demo / "focus-1.4").glob("*.csv")
    assert judges.toolkit(table) == accepted("demo company", "focus-data-toolkit 1.4")


NOTICED = (
    "a billed cost two cents off", "a list cost that is no product", "a ratio off", "a row left out",
    "an origin at full cost beside its parts", "one resource twice",
)  # fmt: skip
"""Mutations that focus-data-toolkit must see by itself. The oracle sees all (``test_full_day``)."""


@pytest.mark.parametrize("name", NOTICED)
def test_the_toolkit_is_a_judge_of_its_own(full_day: FullDay, name: str, tmp_path: Path):
    mutated = MUTATIONS[name](full_day.rows("1.4"))
    path = tmp_path / "mutated.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(mutated[0]))
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in mutated)
    assert judges.toolkit(path)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if hasattr(value, "hour") else str(value)
