"""What OpenCost's faults do to money: doubtful days are put aside, honest ones divided, and what a
filter moved is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.attribution.day import Compute, Landed
from attribution_pipeline.attribution.opencost_gates import bill, scale, under_policy
from attribution_pipeline.attribution.reports import kubernetes_plane
from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline_tests.attribution import opencost_days as oc
from attribution_pipeline_tests.attribution.days import DAY, NODES, Day, Row, call, day, line, pod

KEEP = NODES % "{keep: visible}"
COMPUTE = Compute(1, "1GB")
DEDICATED = KEEP + "join:\n  tenant_label: team_id\n  dedicated: [{namespace: tenant-a}]\n"


def recorded(
    folder: Path,
    allocations: list[oc.Row],
    assets: list[oc.Row],
    *,
    policy: str = KEEP,
    cost: str = "24",
    **columns: str,
) -> Day:
    """A day of these answers: node-1 is billed, and a call from each pod app-a and vllm."""
    folder.mkdir(exist_ok=True)
    rows = oc.landed(folder, allocations, assets)
    return day(
        folder / "day", policy,
        lines=[line(1, cost, **{"ServiceCategory": "Compute", "ResourceId": "i-node1", **columns})],
        allocations=rows["opencost_allocations"], assets=rows["opencost_assets"],
        spans=[call(1, "a", namespace="tenant-a", pod="app-a", cluster="prod"),
               call(2, "b", namespace="tenant-a", pod="vllm", cluster="prod")],
    )  # fmt: skip


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return recorded(tmp_path_factory.mktemp("honest"), [*oc.HONEST], [oc.node()])


def shares(found: Day) -> tuple[Decimal, Decimal]:
    return found.cost(tenant_id="a"), found.cost(tenant_id="b")


def test_an_honest_day_is_divided_and_none_of_it_noticed(honest: Day) -> None:
    assert all(shares(honest))
    assert [f for f in honest.outcome.findings if f.check != "node_without_charge"] == []


def test_the_cost_of_a_rejected_row_is_nobodys_idle(tmp_path: Path) -> None:
    broken = oc.container("b", cpuCost=None)
    found = recorded(tmp_path, [*oc.HONEST, broken], [oc.node()])
    assert shares(found) == (0, 0)
    assert found.cost(unallocated_reason="quarantined", component="workload") == Decimal(24)


def test_a_rejected_row_without_cost_changes_no_share(tmp_path: Path, honest: Day) -> None:
    free = {**oc.costing(oc.container("free"), 0, 0), "minutes": -2.45}
    found = recorded(tmp_path, [*oc.HONEST, free], [oc.node()])
    assert shares(found) == shares(honest)


def test_a_node_whose_own_asset_is_rejected_is_quarantined_and_not_unknown(tmp_path: Path) -> None:
    found = recorded(tmp_path, [*oc.HONEST], [oc.node(cpuCost=None)])
    assert found.cost(unallocated_reason="quarantined") == Decimal(24)


def test_a_node_off_scale_as_a_whole_divides_as_before(tmp_path: Path, honest: Day) -> None:
    """A ratio has no unit. Powers of two lose nothing to rounding."""
    times = 1024
    rows = [
        oc.costing(row, row["cpuCost"] * times, row["ramCost"] * times, row["gpuCost"] * times)
        for row in oc.HONEST
    ]
    node = oc.costing(oc.node(), 9.6 * times, 1.92 * times, 12 * times)
    found = recorded(tmp_path, rows, [node])
    assert shares(found) == shares(honest)
    (suspect,) = bill.unit_scale(against_bill(found))
    assert (suspect.check, suspect.subject) == ("unit_scale_suspect", "prod/i-node1")
    assert "1024 (a binary thousand)" in suspect.detail


def test_a_pod_on_another_scale_than_its_node_is_charged_to_nobody(tmp_path: Path) -> None:
    monthly = oc.costing(oc.HONEST[0], 2.4 * 730, 0.48 * 730)
    found = recorded(tmp_path, [monthly, *oc.HONEST[1:]], [oc.node()])
    assert shares(found) == (0, 0)
    assert found.cost(unallocated_reason="quarantined") == Decimal(24)
    (finding,) = [f for f in found.planes["cluster"].findings if f.check == "mixed_unit_scale"]
    assert "730 (hours of an average month)" in finding.detail


SET = KEEP.replace("(?P<id>i-[a-z0-9]+)$", "a/(?P<id>i-node)[0-9]$")


def node_set(folder: Path, times: int) -> Day:
    """Two nodes that the bill knows as one, the second at ``times`` its price."""
    second = {"cluster": "prod", "name": "node-2", "providerID": "aws:///a/i-node2"}
    other = oc.costing(oc.node(properties=second), 9.6 * times, 1.92 * times, 12 * times)
    cheap = [oc.on(oc.container("other"), "node-2"), oc.on(oc.idle(7.2, 1.44, 12), "node-2")]
    rows = [
        oc.costing(r, *(r[k] * times for k in ("cpuCost", "ramCost", "gpuCost"))) for r in cheap
    ]
    return recorded(folder, [*oc.HONEST, *rows], [oc.node(), other], policy=SET,
                    ResourceId="i-node")  # fmt: skip


def test_nodes_billed_as_one_on_two_scales_are_put_aside(tmp_path: Path) -> None:
    found = node_set(tmp_path / "mixed", 730)
    assert found.cost(unallocated_reason="quarantined") == Decimal(24)
    assert [(f.check, f.severity) for f in found.outcome.findings] == [
        ("mixed_unit_scale", "error")
    ]
    assert all(shares(node_set(tmp_path / "alike", 1)))


def test_two_names_or_two_types_of_a_node_are_no_divisor(tmp_path: Path) -> None:
    twice = [oc.node(), oc.node(nodeType="g5.2xlarge")]
    found = recorded(tmp_path, [*oc.HONEST], twice)
    assert found.cost(unallocated_reason="quarantined") == Decimal(24)


def test_days_without_a_doubtful_price_keep_none_of_their_prices_apart(honest: Day) -> None:
    (path,) = honest.planes["cluster"].files["node_prices"]
    assert pq.read_table(path).num_rows == 0


# -- against the bill --------------------------------------------------------------------------------


def against_bill(found: Day) -> list[bill.BilledNodes]:
    return bill.against_bill(found.planes, parse_policy(KEEP), DAY, COMPUTE)


def test_the_variance_of_a_node_type_is_published(honest: Day) -> None:
    (row,) = bill.by_type(against_bill(honest))
    assert (row["node_type"], row["nodes"], row["currency"]) == ("g5.xlarge", 1, "USD")
    assert (row["opencost"], row["effective_cost"]) == (Decimal("23.52"), Decimal(24))
    assert row["opencost_over_bill"] == Decimal("0.9800")
    assert bill.unit_scale(against_bill(honest)) == []


PRICES = {"0.0322": "730", "0.98": "24", "0.0328": "720", "24084": "1024"}


@pytest.mark.parametrize(("cost", "factor"), PRICES.items())
def test_a_bill_on_another_unit_scale_is_named(
    cost: str, factor: str, honest: Day, tmp_path: Path
) -> None:
    (one,) = against_bill(honest)
    billed = replace(one, billed_cost=Decimal(cost), effective_cost=Decimal(cost))
    (found,) = bill.unit_scale([billed])
    assert f"{factor} (" in found.detail


def test_discounts_currencies_and_doubtful_nodes_are_no_unit_scale(honest: Day) -> None:
    (one,) = against_bill(honest)
    tenth = {"billed_cost": Decimal("2.5"), "effective_cost": Decimal("2.5")}
    cent = {"billed_cost": Decimal("0.01"), "effective_cost": Decimal("0.01")}
    nothing = {"billed_cost": Decimal(0), "effective_cost": Decimal(0)}
    assert bill.unit_scale([replace(one, **tenth)]) == []  # type: ignore[arg-type]
    assert bill.unit_scale([replace(one, **nothing)]) == []  # type: ignore[arg-type]
    assert bill.unit_scale([replace(one, **cent, quarantined=True)]) == []  # type: ignore[arg-type]
    assert bill.unit_scale([replace(one, **cent, currency="JPY")]) == []  # type: ignore[arg-type]
    assert len(bill.unit_scale([replace(one, **cent)])) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", scale.FACTORS)
def test_every_conversion_is_its_own_nearest(factor: int) -> None:
    assert scale.nearest(factor) == factor
    assert scale.nearest(10_000) is None


# -- labels ------------------------------------------------------------------------------------------


def labelled(folder: Path, *pods: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Findings on one dedicated workload whose pods have these labels and namespace labels."""
    rows: list[Row] = [
        pod(f"p{number}", "n1", namespace="tenant-a", controller="app", **said)
        for number, said in enumerate(pods)
    ]
    found = day(folder, DEDICATED, allocations=rows)
    return [(f.check, f.subject, f.detail) for f in found.outcome.findings
            if f.check.startswith("label")]  # fmt: skip


def test_labels_that_disagree_are_recorded_with_the_one_that_counts(tmp_path: Path) -> None:
    said = {"labels": '{"team_id": "a"}', "namespace_labels": '{"team_id": "b"}'}
    assert labelled(tmp_path, said) == [
        ("label_precedence", "c/tenant-a/app", "1 pods: pod_label a counts, namespace_label b")
    ]


def test_a_label_that_only_some_pods_have_is_recorded(tmp_path: Path) -> None:
    found = labelled(tmp_path, {"labels": '{"team_id": "a"}'}, {"labels": "{}"})
    assert found == [("label_gap", "c/tenant-a/app", "its pods resolve to a, tenant-a")]


def test_a_label_that_sanitises_to_the_tenants_is_recorded(tmp_path: Path) -> None:
    found = labelled(tmp_path, {"labels": '{"team_id": "a", "team-id": "b"}'})
    assert found == [("label_collision", "c/tenant-a/app", "1 pods: team-id b and team_id a")]


def test_labels_that_agree_are_no_finding(tmp_path: Path) -> None:
    alike = {"labels": '{"team_id": "a"}', "namespace_labels": '{"team-id": "a"}'}
    assert labelled(tmp_path, alike, alike) == []


def test_a_collision_in_the_kubernetes_snapshot_is_noticed(tmp_path: Path) -> None:
    rows = [
        {"source": "k8s", "object_id": "k", "position": number, "date": date(2026, 10, 5),
         "cluster": "c", "namespace": "apps", "kind": "Pod", "name": name, "labels": labels}
        for number, (name, labels) in enumerate(
            {"both": '{"team/id": "x", "team_id": "y"}', "one": '{"team_id": "y"}'}.items()
        )
    ]  # fmt: skip
    path = tmp_path / "landed.parquet"
    schema = pa.schema([pa.field("source", pa.string()), *SCHEMAS["kubernetes"]])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    landed = Landed({"kubernetes": [str(path)]}, {"kubernetes": {"k8s": ["k"]}})
    policy = parse_policy(DEDICATED)
    plane = kubernetes_plane(landed, DAY, policy, out=tmp_path, compute=COMPUTE)
    assert [(f.check, f.subject, f.detail) for f in plane.findings] == [
        ("label_collision", "c/apps/Pod both", "team/id x and team_id y")
    ]


def test_a_label_that_nothing_else_sanitises_to_cannot_collide() -> None:
    assert under_policy.colliding(['{"tenant": "a", "Tenant": "b"}'], "tenant") == []
