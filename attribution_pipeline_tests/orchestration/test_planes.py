"""A day's evidence is computed once, and again exactly when what it is computed from changed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake import KeptPlane
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.planes import ASSET_OF_PLANE, as_plane, plane_of_day
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.orchestration.deployments import DAY, rewrite


def kept(house: House) -> dict[str, KeptPlane]:
    fresh = House(house.deployment)
    return {name: plane_of_day(fresh, name, DAY) for name in ASSET_OF_PLANE}


def computed(house: House) -> dict[str, int]:
    """When each plane was last computed: its pointer is written then."""
    evidence = house.deployment.storage_folder / "evidence"
    return {
        name: (evidence / name / f"charge_date={DAY}" / "newest.json").stat().st_mtime_ns
        for name in ASSET_OF_PLANE
    }


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def inputs(house: House) -> Path:
    return house.deployment.storage_folder.parent


def test_evidence_that_stands_is_not_computed_again(house: House) -> None:
    before = computed(house)
    assert {name: plane.digest for name, plane in kept(house).items()} == {
        name: plane["digest"] for name, plane in house.lake.manifest(DAY)["inputs"].items()
    }
    assert computed(house) == before


def test_a_new_usage_report_changes_the_usage_plane_alone(house: House) -> None:
    before = computed(house)
    rewrite(inputs(house) / "usage" / "usage.csv", "query_units,30", "query_units,60")
    run_days(house.deployment, DAY, DAY)
    assert changed(before, computed(house)) == {"usage"}


def test_spans_of_a_day_far_away_change_nothing(house: House) -> None:
    before = computed(house)
    spans = inputs(house) / "spans" / "traces.jsonl"
    text = spans.read_text().splitlines()[0]
    start, end = 1791162000000000000, 1791162020000000000
    week = int(timedelta(days=7).total_seconds()) * 10**9
    later = text.replace(str(start), str(start + week)).replace(str(end), str(end + week))
    (spans.parent / "later.jsonl").write_text(later + "\n")
    report = run_days(house.deployment, DAY, DAY)
    assert "spans traces: objects 1 new, 1 known" in report.landing[2]
    assert computed(house) == before
    assert [outcome.status for outcome in report.days] == ["unchanged"]


@pytest.mark.parametrize(
    ("old", "new", "planes"),
    [
        ("published_by: finops@", "published_by: you@", set()),
        ("tenant_tag: tenant", "tenant_tag: tenant\n  tenant_aliases: {x: y}", {"operations"}),
        ("tenant_label: tenant", "tenant_label: team", {"kubernetes"}),
        ("provisional_for: 72h", "provisional_for: 24h", {"closes"}),
    ],
)
def test_a_policy_version_changes_only_planes_that_read_what_it_changes(
    house: House, old: str, new: str, planes: set[str]
) -> None:
    before = computed(house)
    first = house.deployment.policies_folder / "policy-1.yaml"
    second = first.with_name("policy-2.yaml")
    second.write_text(first.read_text())
    rewrite(second, "version: 1", "version: 2")
    rewrite(second, old, new)
    fresh = House(house.deployment)
    for name in ASSET_OF_PLANE:
        plane_of_day(fresh, name, DAY)
    assert changed(before, computed(house)) == planes


def test_a_label_that_no_policy_reads_is_no_news(house: House) -> None:
    """Evidence that no verdict hangs on is landed, and leaves every digest as it was."""
    snapshots = inputs(house) / "kubernetes"
    snapshots.mkdir()
    path = house.deployment.path
    path.write_text(path.read_text() + "  kubernetes: [{name: snapshots, uri: ./kubernetes}]\n")
    head = "date,cluster,namespace,kind,name,labels,annotations\n"
    (snapshots / "day.csv").write_text(
        head + '2026-10-05,prod,apps,Pod,web,"{""pod-template-hash"": ""abc""}",{}\n'
    )
    fresh = House(load_deployment(path))
    land(fresh.sources, fresh.landed)
    assert fresh.landed.files("kubernetes")
    said = house.lake.manifest(DAY)["inputs"]["kubernetes"]["digest"]
    assert plane_of_day(fresh, "kubernetes", DAY).digest == said
    (snapshots / "more.csv").write_text(
        head + '2026-10-05,prod,apps,Pod,web,"{""tenant"": ""acme""}",{}\n'
    )
    land(fresh.sources, fresh.landed)
    assert plane_of_day(fresh, "kubernetes", DAY).digest != said


@pytest.mark.parametrize(("name", "table"), [("usage", "usage"), ("operations", "marks")])
@pytest.mark.parametrize("is_gone", [True, False])
def test_kept_evidence_that_was_lost_or_damaged_is_computed_again(
    house: House, name: str, table: str, is_gone: bool
) -> None:
    plane = kept(house)[name]
    path = house.lake.storage / plane.files[table][0].path
    if is_gone:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] + b"otherwise")
    assert kept(house)[name].digest == plane.digest
    assert kept(house)[name].files == plane.files


def test_the_ledger_alone_brings_its_evidence_up_to_date(house: House) -> None:
    """Materialized by itself, from the UI say, it is never computed from what is out of date."""
    from attribution_pipeline.orchestration.recording import record_day

    rewrite(inputs(house) / "usage" / "usage.csv", "query_units,30", "query_units,60")
    land(house.sources, house.landed)
    assert record_day(House(house.deployment), DAY).state == 2


def test_a_kept_plane_is_what_the_engine_takes(house: House) -> None:
    plane = as_plane(house, kept(house)["cluster"])
    assert plane.name == "cluster"
    assert {"pods", "nodes"} <= set(plane.files)
    assert all(Path(path).is_file() for paths in plane.files.values() for path in paths)


def test_a_recorded_day_keeps_what_its_content_digest_is_of(house: House) -> None:
    found = []
    for quantity in (60, 90):
        lake = House(house.deployment).lake
        found.append(lake.manifest(DAY)["output"]["content_digest"])
        assert lake.content.of(DAY, found[-1])
        old = f"query_units,{quantity - 30}"
        rewrite(inputs(house) / "usage" / "usage.csv", old, f"query_units,{quantity}")
        run_days(house.deployment, DAY, DAY)
    assert found[0] != found[1]
