"""Copies to and from a real S3, and what pruning says of a lake that lies there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attribution_pipeline.lake import Lake
from attribution_pipeline.lake.copying import copy_lake, verify_lake
from attribution_pipeline.lake.custody import everything, remove
from attribution_pipeline.lake.pruning import plan
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.buckets.conftest import place
from attribution_pipeline_tests.buckets.paths import BucketPath
from attribution_pipeline_tests.orchestration.deployments import DAY

__all__ = ["place"]

COLUMNS = ["attribution_id", "tenant_id", "effective_cost", "revision"]


def test_a_lake_goes_to_a_bucket_and_comes_back(
    states: Path, place: BucketPath, tmp_path: Path
) -> None:
    here, there = states / "lake", place / "copy"
    first = copy_lake(here, there)
    assert (first.standing, first.versions["ledger"]) == (0, 4)
    assert copy_lake(here, there).standing > first.files / 2
    verify_lake(there)
    back = tmp_path / "back"
    copy_lake(there, back)
    verify_lake(back)
    assert Lake(back).read("ledger", DAY, DAY, COLUMNS) == Lake(here).read(
        "ledger", DAY, DAY, COLUMNS
    )
    assert {one.name: one.bytes for one in everything(there)} == {
        one.name: one.bytes for one in everything(back)
    }
    found = plan(Lake(there), datetime.now(UTC) + timedelta(days=500), timedelta(days=400))
    assert [state for _, state in found.states] == [2]
    with pytest.raises(Refusal, match="no credential of a run needs a right to"):
        remove(there, found.files[0].held)
    assert Lake(there).store.exists(found.files[0].held.name)
