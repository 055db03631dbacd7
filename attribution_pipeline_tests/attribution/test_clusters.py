"""Clusters: whose snapshot stands, and how a node's charge comes down to operations."""

from __future__ import annotations

from decimal import Decimal

from attribution_pipeline_tests.attribution.days import NODES, call, day, line, node, pod

KEEP = NODES % "{keep: visible}"


def test_two_clusters_in_one_folder_both_stand(tmp_path):
    """Each cluster's newest snapshot, not the newest file of the folder."""
    found = day(
        tmp_path, KEEP,
        lines=[line(n, "10", ServiceCategory="Compute", ResourceId=f"i-n{n}") for n in (1, 2)],
        assets=[node("n1", cpu=10), node("n2", cpu=10, cluster="other", object_id="as2")],
        allocations=[
            pod("p1", "n1", cpu=5),
            pod("p2", "n2", cpu=4, cluster="other", object_id="al2"),
        ],
        spans=[
            call(1, "a", namespace="apps", pod="p1"),
            call(2, "b", namespace="apps", pod="p2", cluster="other"),
        ],
    )  # fmt: skip
    assert found.cost(tenant_id="a") == Decimal(5)
    assert found.cost(tenant_id="b") == Decimal(4)


def test_a_newer_snapshot_of_a_cluster_replaces_the_older(tmp_path):
    found = day(
        tmp_path, KEEP,
        lines=[line(1, "10", ServiceCategory="Compute", ResourceId="i-n1")],
        assets=[node("n1", cpu=10)],
        allocations=[pod("p1", "n1", cpu=5), pod("p1", "n1", cpu=8, object_id="al-newer")],
        spans=[call(1, "a", namespace="apps", pod="p1")],
    )  # fmt: skip
    assert found.cost(tenant_id="a") == Decimal(8)


def test_over_allocation_is_negative_idle_and_never_clamped(tmp_path):
    found = day(
        tmp_path, KEEP,
        lines=[line(1, "10", ServiceCategory="Compute", ResourceId="i-n1")],
        assets=[node("n1", cpu=10)],
        allocations=[pod("p1", "n1", cpu=15)],
        spans=[call(1, "a", namespace="apps", pod="p1")],
    )  # fmt: skip
    assert found.cost(tenant_id="a") == Decimal(15)
    assert found.cost(component="idle") == Decimal(-5)


def test_over_allocation_scaled_leaves_no_idle(tmp_path):
    found = day(
        tmp_path, KEEP + "    over_allocation: scale\n",
        lines=[line(1, "10", ServiceCategory="Compute", ResourceId="i-n1")],
        assets=[node("n1", cpu=10)],
        allocations=[pod("p1", "n1", cpu=15)],
        spans=[call(1, "a", namespace="apps", pod="p1")],
    )  # fmt: skip
    assert found.cost(tenant_id="a") == Decimal(10)
    assert found.cost(component="idle") == 0


def test_a_pod_without_spans_is_open_and_a_node_unknown_to_opencost_has_no_driver(tmp_path):
    found = day(
        tmp_path, KEEP,
        lines=[
            line(1, "10", ServiceCategory="Compute", ResourceId="i-n1"),
            line(2, "7", ServiceCategory="Compute", ResourceId="i-unknown"),
        ],
        assets=[node("n1", cpu=10)],
        allocations=[pod("silent", "n1", cpu=4)],
    )  # fmt: skip
    assert found.cost(unallocated_reason="no_operation_evidence") == Decimal(4)
    assert found.cost(unallocated_reason="no_driver", component="workload") == Decimal(7)
    assert found.cost(component="idle") == Decimal(6)


def test_a_node_with_two_prices_is_quarantined_by_name(tmp_path):
    """opencost/opencost#3620: the same node with and without an instance_type."""
    found = day(
        tmp_path, KEEP,
        lines=[line(1, "10", ServiceCategory="Compute", ResourceId="i-n1")],
        assets=[node("n1", cpu=10), node("n1", cpu=900, instance_type=None)],
        allocations=[pod("p1", "n1", cpu=5)],
        spans=[call(1, "a", namespace="apps", pod="p1")],
    )  # fmt: skip
    assert found.cost(unallocated_reason="quarantined") == Decimal(10)
    findings = [f for f in found.planes["cluster"].findings if f.severity == "error"]
    assert [(f.check, f.subject) for f in findings] == [("duplicate_node_identity", "c/n1")]


def test_a_busy_model_server_is_divided_and_not_refused(tmp_path):
    """Forty calls at once, all day: their active time passes 64-bit products."""
    spans = [
        call(n, f"t{n % 3}", seconds=82_000, namespace="apps", pod="vllm", kind=2)
        for n in range(45)
    ]
    found = day(
        tmp_path, NODES % "{driver: active_time, within: node}",
        lines=[line(1, "24", ServiceCategory="Compute", ResourceId="i-n1")],
        assets=[node("n1", gpu=20)],
        allocations=[pod("vllm", "n1", gpu=15)],
        spans=spans,
    )  # fmt: skip
    assert found.cost() == Decimal(24)
    assert [found.cost(tenant_id=f"t{n}") for n in range(3)] == [Decimal(8)] * 3


def test_idle_within_the_cluster_looks_at_all_its_pods(tmp_path):
    """Also at those on a node that OpenCost lists no asset for."""
    found = day(
        tmp_path, NODES % "{driver: active_time, within: cluster}",
        lines=[line(1, "10", ServiceCategory="Compute", ResourceId="i-n1")],
        assets=[node("n1", cpu=10)],
        allocations=[pod("elsewhere", "n9", cpu=5)],
        spans=[call(1, "a", namespace="apps", pod="elsewhere")],
    )  # fmt: skip
    assert found.cost(component="idle", tenant_id="a") == Decimal(10)


def test_a_pod_on_two_nodes_of_one_resource_is_divided_once(tmp_path):
    """Truncation does not commute with sums: its cost is added up over the node set first."""
    found = day(
        tmp_path, KEEP,
        lines=[line(1, "0.000000000003", ServiceCategory="Compute", ResourceId="i-n1")],
        assets=[node("n1", cpu=2), node("m", cpu=2, provider_id="aws:///zone/i-n1")],
        allocations=[pod("p", "n1", cpu=1), pod("p", "m", cpu=1)],
        spans=[call(1, "a", namespace="apps", pod="p")],
    )  # fmt: skip
    assert found.cost(tenant_id="a") == Decimal("0.000000000001")


def test_nodes_and_charges_that_do_not_meet_are_both_listed(tmp_path):
    found = day(
        tmp_path, KEEP,
        lines=[line(1, "7", ServiceCategory="Compute", ResourceId="i-gone")],
        assets=[node("n1", cpu=10), node("n2", cpu=10, provider_id="gce://n2")],
    )  # fmt: skip
    assert [(f.check, f.subject) for f in found.outcome.findings] == [
        ("charge_without_node", "ResourceId i-gone"),
        ("node_without_charge", "c/i-n1"),
        ("node_without_charge", "c/n2"),
    ]


def test_an_unused_commitment_is_idle_whoever_it_is_of(tmp_path):
    found = day(
        tmp_path, KEEP,
        lines=[
            line(1, "3", CommitmentDiscountStatus="Unused", Tags='{"tenant": "a"}'),
            line(2, "4", CommitmentDiscountStatus="Unused"),
            line(3, "5", CommitmentDiscountStatus="Unused", ServiceCategory="Compute"),
            line(4, "6", ChargeCategory="Purchase", Tags='{"tenant": "a"}'),
        ],
    )  # fmt: skip
    assert found.cost(component="idle", tenant_id="a") == Decimal(3)
    assert found.cost(component="idle", unallocated_reason="unused_commitment") == Decimal(9)
    assert found.cost(component="overhead", tenant_id="a") == Decimal(6)
