"""A month's deployment on disk: folders, files, and the pipeline opened at a simulated time.

Belongs here: writing deliveries, opening a house, landing, recording. Does not: which of it is done
when (``books``, ``play``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.digests import bring_up_to_date
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.orchestration.staleness import stale_days
from attribution_pipeline.simulator.month.policies import FOLDERS
from attribution_pipeline.sources.landing import LandingReport, land


class Place:
    """One deployment in a folder, and the time that it is there."""

    def __init__(self, folder: Path, files: Mapping[str, bytes], now: datetime) -> None:
        self.folder = folder
        self.now = now
        for name in (*FOLDERS, "policies"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.write(files)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Objects appear. Each write is a change, also where the content is the same."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def files(self) -> dict[str, bytes]:
        """What lies there, without what the pipeline made of it."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.relative_to(self.folder).parts[0] != "lake"
        }

    def open(self, store: Any = None) -> House:
        """The pipeline as a new process has it. ``store``: instead of the folder itself."""
        deployment = load_deployment(self.folder / "attribution.yaml")
        return House(deployment, clock=lambda: self.now, store=store)


def land_all(house: House) -> LandingReport:
    """Land what is new; every record must be readable: this company makes no mistakes of form."""
    report = land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    assert not report.rejected, dict(report.rejected)
    assert not report.refused
    return report


def is_over(day: date, now: datetime) -> bool:
    """Days are computed when all of them is past."""
    return datetime.combine(day, time(), UTC) + timedelta(days=1) <= now


def record_what_is_due(house: House, books: tuple[date, ...], *, all_stale: bool = False) -> int:
    """What the sensors and the daily run do: digests, stale days, days that are over. Returns how
    many states were published. ``all_stale``: also days that may wait."""
    published = 0
    bring_up_to_date(house)
    due = [found.day for found in stale_days(house) if all_stale or found.is_due]
    recorded = set(house.lake.days())
    due += [day for day in books if day not in recorded and is_over(day, house.now())]
    for day in due:
        published += not record_day(house, day, run_id=f"run-{house.now():%m%d%H%M}").unchanged
    return published
