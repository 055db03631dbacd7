"""Frozen policies: a document that gives the very policy back."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution_pipeline.lake import Lake
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import Policy, load_policies, parse_policy

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = sorted({
    path.parent for path in REPOSITORY.glob("attribution_pipeline*/**/policies/*.yaml")
})  # fmt: skip
EVERYTHING = """
policy: p
version: 12
effective_from: 2026-02-28
note: "é \\u0085 \\u2028 '\\" : # {x}"
settlement: {provisional_for: 90s, closed_period: hold, metric: billed_cost}
tolerance: {tie_out: 0.000000000001, replay_variance: 1e-12, telemetry_coverage: [0.9, 1.10]}
slo: {override_median: 3d, unallocated_share: 1, segmentation_completeness: 0.990}
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def assert_comes_back(lake: Lake, policy: Policy) -> None:
    stored = lake.policies.keep(policy)
    loaded = lake.policies.load(stored.as_dict())
    assert loaded == policy
    assert loaded.digest == policy.digest


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.parent.name)
def test_every_example_comes_back_from_its_document(lake: Lake, folder: Path) -> None:
    for policy in load_policies(folder).versions:
        assert_comes_back(lake, policy)


def test_numbers_durations_and_texts_come_back_as_they_were(lake: Lake) -> None:
    assert EXAMPLES
    assert_comes_back(lake, parse_policy(EVERYTHING))


def test_one_policy_is_one_document_however_often_it_is_kept(lake: Lake) -> None:
    first = lake.policies.keep(parse_policy(EVERYTHING))
    again = lake.policies.keep(parse_policy(EVERYTHING.replace("0.990", "0.99")))
    assert again == first
    other = lake.policies.keep(parse_policy(EVERYTHING.replace("version: 12", "version: 13")))
    assert other.path != first.path
    assert len(list((lake.storage / "policies").iterdir())) == 2


def test_a_changed_or_missing_document_is_refused_by_name(lake: Lake) -> None:
    stored = lake.policies.keep(parse_policy(EVERYTHING))
    path = lake.storage / stored.path
    path.write_bytes(path.read_bytes().replace(b"12", b"13"))
    with pytest.raises(Refusal, match=f"{path.name}: a recorded file was changed"):
        lake.policies.load(stored)
    path.unlink()
    with pytest.raises(Refusal, match=f"{path.name}: a recorded file is missing"):
        lake.policies.load(stored)
    lake.policies.keep(parse_policy(EVERYTHING))
    assert lake.policies.load(stored).version == 12


def test_a_document_under_the_name_of_another_policy_is_refused(lake: Lake) -> None:
    stored = lake.policies.keep(parse_policy(EVERYTHING))
    entry = {**stored.as_dict(), "path": f"policies/{'0' * 64}.json"}
    (lake.storage / stored.path).rename(lake.storage / entry["path"])
    with pytest.raises(Refusal, match="has another digest than its name"):
        lake.policies.load(entry)
