"""A lake that an older version wrote is read, verified, replayed and written on; a newer one is refused."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from attribution_pipeline.attribution import KERNEL
from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake import Lake, log, manifest
from attribution_pipeline.lake.checked import said_by, with_digest
from attribution_pipeline.lake.formats import READ, require_known
from attribution_pipeline.lake.landed import LandedStore, index
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import load_policies
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.orchestration.replaying import replay
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.upgrade.freeze import HERE, name_of_today

FROZEN = sorted(HERE.glob("*.tar.gz"))

DIGESTS = {
    "manifest-2-landing-index-2-seal-1.tar.gz": (
        "8f396a39b01528594fcccf8310a4239cfa4a8710ddb1e0113ed6c65fdaebf91a",
        "e437e9ca849e285475c57e7f7db51861d6f48f9f1fb17577ca2212ad5998dfad",
    ),
    "manifest-2-landing-index-3-seal-1.tar.gz": (
        "8f396a39b01528594fcccf8310a4239cfa4a8710ddb1e0113ed6c65fdaebf91a",
        "e437e9ca849e285475c57e7f7db51861d6f48f9f1fb17577ca2212ad5998dfad",
    ),
}
"""Frozen lake -> content digests of the worked day's two states, as they were recorded."""


@pytest.fixture(params=FROZEN, ids=lambda path: path.name.removesuffix(".tar.gz"))
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "deployment"


@pytest.fixture
def newest(tmp_path: Path) -> Path:
    with tarfile.open(HERE / name_of_today()) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "deployment"


def test_there_is_a_frozen_lake_of_every_version_that_is_read() -> None:
    assert {path.name for path in FROZEN} == set(DIGESTS)
    assert name_of_today() in DIGESTS
    assert {name: versions[-1] for name, versions in READ.items()} == {
        "manifest": manifest.SCHEMA, "landing index": index.SCHEMA, "seal": log.SCHEMA,
    }  # fmt: skip


def test_it_is_read_and_verified_and_replayed(
    deployment: Path, request: pytest.FixtureRequest
) -> None:
    house = House(load_deployment(deployment / "attribution.yaml"))
    states = house.lake.states(DAY)
    found = tuple(house.lake.document(state)["output"]["content_digest"] for state in states)
    assert found == DIGESTS[request.node.callspec.params["deployment"].name]
    house.lake.verify(DAY, DAY)
    assert house.lake.read("ledger", DAY, DAY).num_rows > 20
    for state in states:
        if state.kernel == KERNEL:
            assert replay(house, state).code == 0


def test_late_data_is_taken_in_on_top_of_it(deployment: Path) -> None:
    file = deployment / "attribution.yaml"
    bill = deployment / "billing" / "focus.csv"
    bill.write_text(bill.read_text().replace(",0.75,", ",0.80,"))
    house = House(load_deployment(file))
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    record_day(House(load_deployment(file)), DAY)
    again = House(load_deployment(file))
    assert [state.state for state in again.lake.states(DAY)] == [1, 2, 3]
    again.lake.verify(DAY, DAY)
    revisions = again.lake.read("ledger_revisions", DAY, DAY, ["cause"])["cause"].to_pylist()
    assert revisions.count("late_billing") > 1


def test_its_policies_are_the_ones_of_their_digest(deployment: Path) -> None:
    house = House(load_deployment(deployment / "attribution.yaml"))
    book = load_policies(deployment / "policies")
    for state in house.lake.states():
        assert book.in_force(state.day)[1] == state.policy_digest
        kept = house.lake.policies.load(house.lake.document(state)["policy"]["file"])
        assert kept.digest == state.policy_digest


def _newer_index(folder: Path) -> None:
    path = folder / "lake" / "landed" / "index" / "0000000001.json"
    path.write_bytes(with_digest({**said_by(path.read_bytes()), "schema": 99}))


def _newer_seal(folder: Path) -> None:
    path = folder / "lake" / "seals" / "ledger" / f"{0:020d}.json"
    path.write_bytes(with_digest({**said_by(path.read_bytes()), "schema": 99}))


@pytest.mark.parametrize("change", [_newer_index, _newer_seal])
def test_a_newer_lake_is_refused_with_the_remedy(
    newest: Path, change: Callable[[Path], None]
) -> None:
    change(newest)
    with pytest.raises(Refusal, match="of version 99") as refused:
        _opened(newest / "lake")
    assert "install the version of attribution_pipeline that wrote it, or a newer one" in str(
        refused.value
    )


def test_a_newer_manifest_is_refused_with_the_remedy(
    newest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As this version would write it if it were the next one."""
    monkeypatch.setattr(manifest, "SCHEMA", 99)
    file = newest / "attribution.yaml"
    bill = newest / "billing" / "focus.csv"
    bill.write_text(bill.read_text().replace(",0.75,", ",0.80,"))
    house = House(load_deployment(file))
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    before = len(Lake(newest / "lake").states())
    with pytest.raises(Refusal, match="this manifest is of version 99, and this program reads 2"):
        record_day(House(load_deployment(file)), DAY)
    assert before == 2


def test_an_older_version_than_is_read_says_who_reads_it() -> None:
    with pytest.raises(
        Refusal, match="read it with the version of attribution_pipeline that wrote it"
    ):
        require_known("manifest", 1, "somewhere")
    with pytest.raises(Refusal, match="nothing was changed"):
        require_known("manifest", None, "somewhere")
    require_known("manifest", READ["manifest"][-1], "somewhere")


def test_a_frozen_lake_is_json_that_people_can_look_into(deployment: Path) -> None:
    entry = deployment / "lake" / "ledger" / "_delta_log" / f"{1:020d}.json"
    said = [json.loads(line) for line in entry.read_text().splitlines()]
    assert any("add" in line for line in said)


def _opened(storage: Path) -> None:
    LandedStore(storage)
    Lake(storage).days()
