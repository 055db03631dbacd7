"""The worked day with its sources and its lake in a bucket: the same books, digest by digest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline_tests.buckets import server
from attribution_pipeline_tests.buckets.deployments import moved_to
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.test_cli import run

DAYS = ("--from", DAY.isoformat(), "--to", DAY.isoformat())

pytestmark = pytest.mark.heavy


def output(config: Path) -> dict[str, object]:
    """What the recorded day came to."""
    house = House(load_deployment(config))
    said = house.lake.manifest(DAY)
    return {"output": said["output"], "inputs": {k: v["digest"] for k, v in said["inputs"].items()}}


@pytest.fixture(scope="module")
def in_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked day, recorded in a folder."""
    folder = shutil.copytree(WORKED_DAY, tmp_path_factory.mktemp("folders") / "day")
    assert run("run", "--config", folder / "attribution.yaml", *DAYS).exit_code == 0
    return folder / "attribution.yaml"


@pytest.fixture(scope="module")
def in_bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked day, recorded in a bucket from sources in it."""
    base = tmp_path_factory.mktemp("bucket")
    folder = shutil.copytree(WORKED_DAY, base / "day")
    config = moved_to(server.new_place(base / "scratch"), folder)
    for kind in ("billing", "opencost", "spans", "usage"):
        shutil.rmtree(folder / kind)
    found = run("run", "--config", config, *DAYS)
    assert found.exit_code == 0, found.output
    return config


def test_the_day_has_the_same_content_as_in_folders(in_folders: Path, in_bucket: Path) -> None:
    assert output(in_bucket) == output(in_folders)
    assert sorted(path.name for path in in_bucket.parent.iterdir()) == [
        "attribution.yaml", "expected_ledger.csv", "policies",
    ]  # fmt: skip


def test_running_it_again_lands_and_records_nothing(in_bucket: Path) -> None:
    house = House(load_deployment(in_bucket))
    before = (house.lake.head(DAY), house.landed.head)
    again = run("run", "--config", in_bucket, *DAYS)
    assert again.exit_code == 0, again.output
    house = House(load_deployment(in_bucket))
    assert (house.lake.head(DAY), house.landed.head) == before


def test_it_replays_to_the_last_digit(in_bucket: Path) -> None:
    found = run("replay", "--config", in_bucket, *DAYS)
    assert found.exit_code == 0, found.output


def test_its_ledger_is_the_expected_one(in_folders: Path, in_bucket: Path, tmp_path: Path) -> None:
    files = []
    for config in (in_folders, in_bucket):
        files.append(tmp_path / f"{len(files)}.csv")
        found = run("ledger", "--config", config, *DAYS, "--by", "tenant_id", "--out", files[-1])
        assert found.exit_code == 0, found.output
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_packet_of_it_verifies_offline(in_bucket: Path, tmp_path: Path) -> None:
    key = tmp_path / "k.pem"
    assert run("packet", "--new-key", key).exit_code == 0
    out = tmp_path / "a.tar"
    written = run("packet", "--config", in_bucket, "--tenant", "tenant-a", "--from",
                  DAY.isoformat(), "--out", out, "--key", key)  # fmt: skip
    assert written.exit_code == 0, written.output
    found = run("verify", out, "--key", tmp_path / "k.pub.pem")
    assert found.exit_code == 0, found.output


def test_an_export_is_read_from_it(in_bucket: Path, tmp_path: Path) -> None:
    exported = run("export", "--config", in_bucket, *DAYS, "--out", tmp_path / "focus")
    assert exported.exit_code == 0, exported.output
