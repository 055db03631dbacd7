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
