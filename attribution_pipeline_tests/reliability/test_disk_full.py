"""A disk that is really full: nothing half, a line that says so, and the next run gets on with it."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import session
from attribution_pipeline_tests.reliability import disk_full, measure
from attribution_pipeline_tests.reliability.disk_full import DiskTally
from attribution_pipeline_tests.reliability.measure import SHORT


@pytest.fixture(autouse=True)
def a_disk_can_be_made(tmp_path: Path) -> None:
    if not disk_full.can_mount():
        pytest.skip("only root may mount a small disk")
    try:
        with disk_full.disk(tmp_path / "try", 8):
            pass
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine lets nobody mount: {error.stderr!r}")


def test_days_on_disks_too_small_are_refused_and_recorded_when_there_is_room(
    tmp_path: Path,
) -> None:
    tally = measure.disk_portion(tmp_path, SHORT.disks)
    assert isinstance(tally, DiskTally)
    assert tally.violations == []
    assert tally.refused + tally.fitted == len(SHORT.disks)
    assert tally.refused >= 3
    assert tally.fitted >= 1


def test_the_engines_full_disk_is_the_systems_error_with_the_file_in_it(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with (
        disk_full.disk(disk, 16),
        pytest.raises(OSError, match="No space left on device") as full,
        session(Compute(1, "1GB", None)) as db,
    ):
        db.write("select range as n, hash(range) as h from range(100000)", disk / "rows.parquet")
    assert full.value.errno == errno.ENOSPC
    assert full.value.filename == str(disk / "rows.parquet")
