"""Today's evidence digests: computed for what moved, written whole, and lost without harm."""

from __future__ import annotations

import json
from datetime import timedelta

import dagster as dg
import pytest

from attribution_pipeline.orchestration.digests import FILE, bring_up_to_date, last_digests
from attribution_pipeline.orchestration.jobs import LANDING
from attribution_pipeline.orchestration.planes import ASSET_OF_PLANE
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.orchestration.ticks import QUIET, Driven


def landed(driven: Driven) -> None:
    house = driven.house
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())


def test_digests_are_those_that_the_day_was_recorded_from(settled: Driven) -> None:
    digests = last_digests(settled.house)
    head = settled.house.lake.head(DAY)
    assert digests is not None
    assert head is not None
    assert set(digests.days) == {DAY}
    found = {name: plane.digest for name, plane in digests.days[DAY].planes.items()}
    assert found == dict(head.inputs)
    assert set(found) == set(ASSET_OF_PLANE)
    assert digests.landed == settled.house.landed.head[0]


def test_what_stands_is_not_looked_at_again(settled: Driven) -> None:
    assert bring_up_to_date(settled.house).computed == {}


def test_only_the_plane_that_moved_is_computed(settled: Driven) -> None:
    settled.late_span()
    landed(settled)
    assert bring_up_to_date(settled.house).computed == {"span_partitions": 1}


def test_a_day_that_is_stale_by_its_policy_needs_no_operations(settled: Driven) -> None:
    settled.publish(2)
    settled.late_span()
    landed(settled)
    looked = bring_up_to_date(settled.house)
    assert looked.computed == {}
    assert looked.digests.days[DAY].planes["operations"].digest == ""
    assert bring_up_to_date(settled.house).digests.days == looked.digests.days


def test_a_lost_or_broken_file_is_written_anew(settled: Driven) -> None:
    first = last_digests(settled.house)
    path = settled.house.lake.storage / FILE
    for content in ("", "[]", json.dumps({"schema": 0})):
        path.write_text(content, encoding="utf-8")
        assert last_digests(settled.house) is None
        again = bring_up_to_date(settled.house).digests
        assert first is not None
        assert again.days == first.days
    path.unlink()
    assert last_digests(settled.house) is None


def test_evidence_that_cannot_be_used_stops_no_other_plane(settled: Driven) -> None:
    usage = (settled.folder / "usage" / "usage.csv").read_text(encoding="utf-8").splitlines()[0]
    more = "2026-10-05,Pinecone,index-main,tenant-a,search,query_units,1"
    settled.deliver("usage/more.csv", f"{usage}\n{more}\n")
    settled.late_span()
    landed(settled)
    for path in (settled.house.lake.storage / "landed" / "usage").rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    told: list[str] = []
    looked = bring_up_to_date(settled.house, told.append)
    assert looked.computed == {"span_partitions": 1}
    (line,) = looked.refused
    assert line.startswith("2026-10-05 usage_reports: ")
    assert "was changed" in line
    assert set(looked.digests.days[DAY].refused) == {"usage"}
    assert told == ["1 of 1 recorded days looked at, 1 planes computed"]


def test_days_that_are_not_recorded_are_not_looked_at(settled: Driven) -> None:
    assert DAY + timedelta(1) not in bring_up_to_date(settled.house).digests.days


def test_the_landing_job_shows_what_is_stale(settled: Driven) -> None:
    settled.late_span()
    job = settled.repository.get_job(LANDING)
    result = job.execute_in_process(instance=settled.instance, run_config=QUIET)
    (shown,) = [
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("evidence_digests")
    ]
    assert shown["days"].value == 1
    assert shown["planes_computed"].value == 1
    assert shown["stale_days"].value == 1
    (check,) = [
        one for one in result.get_asset_check_evaluations() if one.check_name == "stale_partitions"
    ]
    assert not check.passed
    assert check.metadata["range_to_paste"].value == "2026-10-05"


def test_the_check_is_run_alone(settled: Driven) -> None:
    """As from the UI's Checks tab: nothing is landed, nothing computed."""
    settled.publish(2)
    definitions = settled.definitions
    check = dg.AssetCheckKey(dg.AssetKey("attribution_ledger"), "stale_partitions")
    alone = dg.define_asset_job("alone", selection=dg.AssetSelection.checks(check))
    job = alone.resolve(asset_graph=definitions.resolve_asset_graph())
    result = job.execute_in_process(instance=settled.instance, run_config=QUIET)
    (found,) = result.get_asset_check_evaluations()
    assert "policy of 1" in str(found.description)
    assert result.get_asset_materialization_events() == []


@pytest.mark.parametrize("job", ["landing", "daily"])
def test_landing_and_the_nightly_run_look_at_evidence_and_ask_what_is_stale(
    settled: Driven, job: str
) -> None:
    steps = {node.name for node in settled.repository.get_job(job).nodes}
    assert {"evidence_digests", "attribution_ledger_stale_partitions"} <= steps


def test_a_slower_run_that_saw_less_does_not_overwrite_what_a_later_one_saw(
    settled: Driven,
) -> None:
    slow = settled.house
    assert slow.landed.head[0] == 4
    settled.late_span()
    settled.look()
    told: list[str] = []
    bring_up_to_date(slow, told.append)
    assert told[-1] == "another run looked at landing 5 meanwhile: its digests stay"
    digests = last_digests(settled.house)
    assert digests is not None
    assert digests.landed == 5
