"""The worked day, delivered in two parts: landed and recorded, then late spans and its next state.

Belongs here: the deployment and the two acts. Does not: what goes wrong in between (``faults``,
``crash_points``).

The clock is the act's own, so that every column of every table can be compared.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.cases import WORKED_DAY

DAY = date(2026, 10, 5)
LATE_SPANS = 2
"""So many of the day's spans come in the second act."""

ACTS: Mapping[str, datetime] = {
    "first": datetime(2026, 10, 6, 3, tzinfo=UTC),
    "late": datetime(2026, 10, 7, 3, tzinfo=UTC),
}


def make(folder: Path) -> Path:
    """A deployment with all but the late spans delivered."""
    shutil.copytree(WORKED_DAY, folder)
    spans = folder / "spans" / "traces.jsonl"
    lines = spans.read_text(encoding="utf-8").splitlines(keepends=True)
    spans.write_text("".join(lines[:-LATE_SPANS]), encoding="utf-8")
    return folder


def deliver(folder: Path, act: str) -> None:
    """What arrives before an act."""
    if act == "late":
        whole = (WORKED_DAY / "spans" / "traces.jsonl").read_text(encoding="utf-8")
        late = "".join(whole.splitlines(keepends=True)[-LATE_SPANS:])
        (folder / "spans" / "late.jsonl").write_text(late, encoding="utf-8")


def open_house(folder: Path, act: str, store: Any = None) -> House:
    """The deployment at the time of an act."""
    deployment = load_deployment(folder / "attribution.yaml")
    return House(deployment, clock=lambda: ACTS[act], store=store)


def perform(folder: Path, act: str, store: Any = None) -> bool:
    """Land what is there and record the day, for the first time or again; whether it changed."""
    house = open_house(folder, act, store)
    land(house.sources, house.landed)
    return not record_day(house, DAY, run_id=act).unchanged
