"""Copies to and from a real S3, and what pruning says of a lake that lies there."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attribution_pipeline.lake import Lake, bucket_store
from attribution_pipeline.lake.bucket_store import BucketStore
from attribution_pipeline.lake.copying import copy_lake, verify_lake
from attribution_pipeline.lake.custody import everything, remove
from attribution_pipeline.lake.places import passing_store
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
    assert not _left_on_this_machine(there)
    found = plan(Lake(there), datetime.now(UTC) + timedelta(days=500), timedelta(days=400))
    assert [state for _, state in found.states] == [2]
    with pytest.raises(Refusal, match="no credential of a run needs a right to"):
        remove(there, found.files[0].held)
    assert Lake(there).store.exists(found.files[0].held.name)


def test_a_passing_process_keeps_few_copies_and_none_at_its_end(
    states: Path, place: BucketPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_store, "PASSING_COPIES", 2)
    with passing_store(place) as store:
        for name in ("a", "b", "c"):
            store.create(name, name.encode())
            assert store.fetch(name).read_bytes() == name.encode()
        assert len(_left_on_this_machine(place)) == 2
        assert store.fetch("a").read_bytes() == b"a"
    assert not _left_on_this_machine(place)


def test_parts_of_dead_processes_go_and_those_of_living_ones_stay(place: BucketPath) -> None:
    store = BucketStore(place)
    parts = store._shared / "parts"
    parts.mkdir(parents=True)
    dead = subprocess.Popen(["true"])
    dead.wait()
    old = time.time() - bucket_store.PARTS_KEPT_S - 60
    for name in (f"{dead.pid}-0", f"{os.getpid()}-0"):
        (parts / name).write_bytes(b"half")
        os.utime(parts / name, (old, old))
    (parts / f"{dead.pid}-1").write_bytes(b"of another machine, under way")
    with store.scratch("any"):
        pass
    assert {one.name for one in parts.iterdir()} == {f"{os.getpid()}-0", f"{dead.pid}-1"}


def _left_on_this_machine(place: BucketPath) -> list[Path]:
    passing = BucketStore(place)._shared / bucket_store.PASSING
    return [path for path in passing.rglob("*") if path.is_file()]
