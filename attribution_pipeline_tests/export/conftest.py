"""The worked day with a fuller bill, recorded and exported once."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.export.focus import Wanted
from attribution_pipeline.orchestration.export import Exported, export_focus
from attribution_pipeline.orchestration.house import House
from attribution_pipeline_tests.export.deployments import DAY, full_lines, recorded
from attribution_pipeline_tests.export.exports import rows_of
from attribution_pipeline_tests.export.oracle import found_wrong
from attribution_pipeline_tests.oracle.words import Evidence


@dataclass(frozen=True)
class FullDay:
    """A recorded deployment, its export, and what an oracle asks of it."""

    house: House
    out: Path
    done: Exported
    evidence: Evidence
    ledger: list[dict[str, Any]]

    def rows(self, version: str) -> list[dict[str, Any]]:
        """The rows of one version; what 1.2 has as custom columns under FOCUS's own names."""
        return [
            {name.replace("x_Allocated", "Allocated"): value for name, value in row.items()}
            for row in rows_of(self.out / f"focus-{version}")
        ]

    def wrong(self, rows: list[dict[str, Any]]) -> list[str]:
        """What the oracle finds."""
        return found_wrong(rows, self.ledger, self.evidence, DAY, DAY)


@pytest.fixture(scope="session")
def full_day(tmp_path_factory: pytest.TempPathFactory) -> FullDay:
    """Read, never written to."""
    folder = tmp_path_factory.mktemp("full")
    return exported_day(recorded(folder / "day", full_lines()), folder / "out")


def exported_day(house: House, out: Path) -> FullDay:
    """Every version of what a deployment has recorded."""
    done = export_focus(house, None, None, Wanted(), out)
    standing = house.landed.current_objects("billing")["bill"]
    billing = [
        line
        for file in house.landed.files("billing")
        for line in pq.ParquetFile(house.landed.storage / file.path).read().to_pylist()
        if line["object_id"] in standing
    ]
    delivery: Mapping[str, str] = {"bill": "replace"}
    ledger = house.lake.read("ledger", DAY, DAY).to_pylist()
    return FullDay(house, out, done, Evidence(billing=billing, delivery=delivery), ledger)


@pytest.fixture
def own(full_day: FullDay, tmp_path: Path) -> House:
    """The same deployment, the test's own copy."""
    source = full_day.house.deployment.path.parent
    folder = shutil.copytree(source, tmp_path / "day")
    return House(load_deployment(folder / full_day.house.deployment.path.name))
