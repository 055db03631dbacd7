"""OpenCost answers are weights: every row is gated, and nothing else is taken for evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.model.evidence import ALLOCATIONS, ASSETS
from attribution_pipeline.sources.objects import list_objects
from attribution_pipeline.sources.opencost import read
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline_tests.cases import WORKED_DAY, shared
from attribution_pipeline_tests.sources.opencost_answers import (
    DAY,
    allocation,
    answer,
    assets,
    container,
    landed,
    node,
    special,
)

OUTSIDE_PAYLOADS = {
    "allocation_namespace_7d_website.json": "not_container_grain",
    "assets_7d_node_and_disk_docs.json": "window_not_a_utc_day",
    "cloudCost_items_unaggregated_docs_excerpt.json": "cloud_cost",
    "cloudCost_provider_7d_website.json": "cloud_cost",
    "cloudCost_provider_service_docs_excerpt.json": "cloud_cost",
    "csv_export_sample_website.csv": "csv_export",
    "csv_export_unit_test_expected.csv": "csv_export",
    "customCost_total_domain_docs.json": "custom_cost",
}


@pytest.mark.parametrize(("name", "reason"), sorted(OUTSIDE_PAYLOADS.items()))
def test_payload_from_outside_is_refused_for_its_own_reason(name: str, reason: str) -> None:
    with pytest.raises(ObjectRefused) as refused:
        landed(shared(f"opencost/{name}"))
    assert refused.value.reason == reason
    assert name in refused.value.line()
    assert "\n" not in refused.value.line()


def test_every_payload_from_outside_is_accounted_for() -> None:
    found = {path.name for path in shared("opencost").iterdir()} - {"SOURCES.txt"}
    assert found == set(OUTSIDE_PAYLOADS)


def test_worked_day_allocation_lands_in_units() -> None:
    rows, rejected = landed(WORKED_DAY / "opencost" / "allocation.json", cluster="prod")
    assert rejected == {}
    by_pod = {row["pod"] or row["row_kind"]: row for row in rows}
    assert list(by_pod) == ["vllm-0", "app-a", "cache-b", "batch-1", "coredns-1", "idle"]
    vllm, idle = by_pod["vllm-0"], by_pod["idle"]
    assert (vllm["cpu_cost"], vllm["gpu_cost"], vllm["ram_cost"]) == (200000, 900000, 50000)
    assert (idle["cpu_cost"], idle["gpu_cost"], idle["ram_cost"]) == (350000, 300000, 60000)
    assert idle["row_kind"] == "idle"
    assert vllm["controller"] == "vllm"
    assert by_pod["app-a"]["labels"] == '{"tenant":"tenant-a"}'
    assert [row["position"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert sum(row["gpu_cost"] for row in rows) == 1200000


def test_worked_day_assets_land_in_units() -> None:
    rows, rejected = landed(WORKED_DAY / "opencost" / "assets.json")
    assert rejected == {}
    (row,) = rows
    assert (row["cpu_cost"], row["gpu_cost"], row["ram_cost"]) == (1000000, 1200000, 200000)
    assert row["total_cost"] == 2400000
    assert (row["asset_type"], row["instance_type"]) == ("Node", "g5.xlarge")


def test_batches_are_exactly_the_landed_schemas(tmp_path: Path) -> None:
    for text, table, schema in (
        (allocation(container()), "opencost_allocations", ALLOCATIONS),
        (assets(a=node()), "opencost_assets", ASSETS),
    ):
        file = tmp_path / "one.json"
        file.write_text(text)
        (obj,) = list_objects("prod", file).objects
        (batch,) = read(text.encode(), obj, "0" * 64, cluster=None)
        assert batch.table == table
        assert batch.rows.schema.equals(schema)


# -- gates -----------------------------------------------------------------------------------------

BROKEN_ROWS: dict[str, dict[str, Any]] = {
    "null_cost": {"cpuCost": None},
    "missing_cost": {},
    "not_a_number": {"cpuCost": "3.0"},
    "negative_cost": {"cpuCost": -3.0, "totalCost": -2.5},
    "row_identity": {"totalCost": 3.50008},
    "negative_minutes": {"minutes": -2.45},
    "outside_window": {"end": "2026-10-06T00:05:00Z"},
    "ends_before_start": {"start": "2026-10-05T02:00:00Z", "end": "2026-10-05T01:00:00Z"},
    "unreadable_time": {"start": "2026-10-05 00:00:00"},
    "window_not_a_utc_day": {"window": {"start": DAY["start"], "end": "2026-10-05T01:00:00Z"}},
    "shared_cost": {"sharedCost": 1.0, "totalCost": 4.5},
    "not_an_object": {"pvs": [1]},
    "not_a_text": {"properties": {**container()["properties"], "labels": {"tenant": 1}}},
    "number_out_of_range": {"cpuCost": 1e300, "totalCost": 1e300},
}


@pytest.mark.parametrize(("reason", "changes"), sorted(BROKEN_ROWS.items()))
def test_broken_row_is_rejected_with_its_reason_and_stops_nothing(
    tmp_path: Path, reason: str, changes: dict[str, Any]
) -> None:
    broken = container("broken", **changes)
    if reason == "missing_cost":
        del broken["totalCost"]
    rows, rejected = answer(tmp_path, allocation(container("good"), broken))
    assert [row["pod"] for row in rows] == ["good"]
    assert rejected == {reason: 1}


def test_row_identity_tolerates_what_opencost_itself_rounds(tmp_path: Path) -> None:
    rows, rejected = answer(tmp_path, allocation(container(totalCost=3.500075)))
    assert (len(rows), rejected) == (1, {})


def test_fields_that_older_versions_lack_are_zero_while_the_identity_holds(tmp_path: Path) -> None:
    old = {
        key: value
        for key, value in container().items()
        if not key.startswith(("network", "loadBalancer", "lb"))
    }
    rows, rejected = answer(tmp_path, allocation(old))
    assert (rows[0]["network_cost"], rows[0]["lb_cost"], rejected) == (0, 0, {})


def test_adjustment_is_added_before_rounding_half_even(tmp_path: Path) -> None:
    row = container(cpuCost=3.000004, cpuCostAdjustment=0.000001, totalCost=3.50001)
    rows, rejected = answer(tmp_path, allocation(row))
    assert rejected == {}
    assert rows[0]["cpu_cost"] == 300000  # 3.000005 is half of a unit: to the even neighbour


def test_idle_may_be_negative_and_is_kept_signed(tmp_path: Path) -> None:
    idle = special("prod/node-1/__idle__", cpuCost=-1.0, totalCost=-0.5)
    rows, rejected = answer(tmp_path, allocation(container(), idle))
    assert rejected == {}
    assert (rows[1]["row_kind"], rows[1]["cpu_cost"]) == ("idle", -100000)
    assert rows[1]["provider_id"] == "node-1"


def test_special_names_become_row_kinds(tmp_path: Path) -> None:
    rows, rejected = answer(
        tmp_path,
        allocation(
            container(),
            special("prod/node-1/__idle__"),
            special("prod/__unmounted__/web/__unmounted__/__unmounted__"),
            special("prod/__unallocated__/web/pod/main"),
            special("__shared__"),
        ),
    )
    assert [row["row_kind"] for row in rows] == ["workload", "idle", "unmounted", "unallocated"]
    assert rejected == {"shared_row": 1}


def test_volumes_and_balancers_carry_their_own_costs(tmp_path: Path) -> None:
    row = container(
        pvCost=0.3,
        loadBalancerCost=0.2,
        totalCost=4.0,
        pvs={
            "cluster=prod:name=pvc-2": {"byteHours": 1, "cost": 0.1, "adjustment": 0},
            "cluster=prod:name=pvc:1": {"byteHours": 1, "cost": 0.2000000000000001},
        },
        lbAllocations={"prod/web/lb": {"service": "web/lb", "cost": 0.2, "hours": 24}},
    )
    rows, rejected = answer(tmp_path, allocation(row))
    assert rejected == {}
    assert json.loads(rows[0]["volumes"]) == [
        {"name": "pvc-2", "cost": 10000},
        {"name": "pvc:1", "cost": 20000},
    ]
    assert json.loads(rows[0]["balancers"]) == [{"name": "web/lb", "cost": 20000}]
    assert (rows[0]["pv_cost"], rows[0]["lb_cost"]) == (30000, 20000)


def test_row_that_repeats_counts_once_and_rows_that_differ_are_not_believed(
    tmp_path: Path,
) -> None:
    rows, rejected = answer(
        tmp_path,
        allocation(
            container("same"),
            container("same"),
            container("apart"),
            container("apart", cpuCost=30.0, totalCost=30.5),
            container("good"),
        ),
    )
    assert [row["pod"] for row in rows] == ["same", "good"]
    assert rejected == {"duplicate_key": 1, "conflicting_rows": 2}


def test_field_named_twice_rejects_the_row(tmp_path: Path) -> None:
    text = allocation(container("good"), container("twice")).replace(
        '"name": "prod/node-1/tenant-a/twice/main"', '"totalCost": 9, "name": "twice"'
    )
    rows, rejected = answer(tmp_path, text)
    assert [row["pod"] for row in rows] == ["good"]
    assert rejected == {"repeated_field": 1}


def test_cluster_of_the_deployment_overrides_the_answer(tmp_path: Path) -> None:
    rows, _ = answer(tmp_path, allocation(container()), cluster="eu-prod")
    assert rows[0]["cluster"] == "eu-prod"
    rows, _ = answer(tmp_path, assets(a=node()), cluster="eu-prod")
    assert rows[0]["cluster"] == "eu-prod"


def test_override_never_melts_two_clusters_into_one(tmp_path: Path) -> None:
    other = container("b", properties={**container("b")["properties"], "cluster": "dev"})
    text = allocation(container(), other)
    assert {row["cluster"] for row in answer(tmp_path, text)[0]} == {"prod", "dev"}
    with pytest.raises(ObjectRefused) as refused:
        answer(tmp_path, text, cluster="prod")
    assert refused.value.reason == "several_clusters"


def test_several_days_in_one_answer_are_told_by_each_rows_window(tmp_path: Path) -> None:
    first = json.loads(allocation(container()))
    window = {"start": "2026-10-06T00:00:00Z", "end": "2026-10-07T00:00:00Z"}
    second = container(window=window, start=window["start"], end=window["end"])
    first["data"] = [None, {}, *first["data"], {second["name"]: second}]
    rows, rejected = answer(tmp_path, json.dumps(first))
    assert rejected == {}
    assert [row["window_start"].day for row in rows] == [5, 6]


# -- answers that are no evidence --------------------------------------------------------------------

NO_EVIDENCE = {
    "error_answer": '{"code":500,"status":"","data":null,"message":"Error: no data"}',
    "text_before_json": 'Invalid window\n{"code":200,"status":"success","data":[{}]}',
    "not_json": '{"code":200,"data":[{"a":',
    "empty_object": "  \n",
    "not_an_answer": '{"spans": []}',
    "unknown_answer": '{"code":200,"data":[[{"name":"x"}]]}',
    "allocation_summary": '{"code":200,"data":{"sets":[{"allocations":{}}]}}',
}


@pytest.mark.parametrize(("reason", "text"), sorted(NO_EVIDENCE.items()))
def test_answer_that_is_no_evidence_is_refused(tmp_path: Path, reason: str, text: str) -> None:
    with pytest.raises(ObjectRefused) as refused:
        answer(tmp_path, text)
    assert refused.value.reason == reason


def test_deeply_nested_json_is_refused_not_crashed_on(tmp_path: Path) -> None:
    with pytest.raises(ObjectRefused) as refused:
        answer(tmp_path, '{"code":200,"data":' + "[" * 200_000)
    assert refused.value.reason == "not_json"


def test_not_a_number_literals_are_nulls(tmp_path: Path) -> None:
    rows, rejected = answer(
        tmp_path, allocation(container("good"), container("nan", cpuCost=float("nan")))
    )
    assert [row["pod"] for row in rows] == ["good"]
    assert rejected == {"null_cost": 1}


@pytest.mark.parametrize("data", ["null", "[]", "{}", "[null]", "[{}]"])
def test_answer_without_rows_says_so(tmp_path: Path, data: str) -> None:
    rows, rejected = answer(tmp_path, '{"code":200,"data":' + data + "}")
    assert (rows, rejected) == ([], {"no_rows": 1})


# -- assets ------------------------------------------------------------------------------------------


def test_discount_takes_from_cpu_and_ram_but_not_from_gpu(tmp_path: Path) -> None:
    text = assets(a=node(discount=0.3, adjustment=-0.4, totalCost=20.0))
    ((row,), rejected) = answer(tmp_path, text)
    assert rejected == {}
    assert (row["cpu_cost"], row["ram_cost"], row["gpu_cost"]) == (700000, 140000, 1200000)
    assert row["total_cost"] == 2000000  # the adjustment stands in the total alone


def test_disks_and_balancers_have_a_total_and_no_kinds(tmp_path: Path) -> None:
    disk = node(type="Disk", totalCost=0.5)
    ((row,), rejected) = answer(tmp_path, assets(a=disk))
    assert rejected == {}
    assert (row["cpu_cost"], row["gpu_cost"], row["ram_cost"]) == (0, 0, 0)
    assert row["total_cost"] == 50000


def test_broken_assets_are_rejected_with_their_reason(tmp_path: Path) -> None:
    rows, rejected = answer(
        tmp_path,
        assets(
            good=node(nodeType=""),
            kind=node(type="ClusterManagement"),
            identity=node(totalCost=25.0),
            discount=node(discount=1.5),
            negative=node(cpuCost=-10.0, totalCost=4.0),
            null=node(ramCost=None),
        ),
    )
    assert [(row["instance_type"], row["labels"]) for row in rows] == [(None, '{"a":"1","b":"2"}')]
    assert rejected == {
        "unsupported_asset_type": 1,
        "row_identity": 1,
        "discount_out_of_range": 1,
        "negative_cost": 1,
        "null_cost": 1,
    }
