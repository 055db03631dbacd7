"""A day after late spans equals the day done whole, and only what is late was divided."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.attribution import late_classes, late_plane, ledger_files
from attribution_pipeline.attribution.day import Compute, Plane
from attribution_pipeline.attribution.late import reconcile_late
from attribution_pipeline.attribution.late_compute import SPANS_A_THREAD, late_compute
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline_tests.attribution.days import (
    DAY,
    METERS,
    NODES,
    call,
    line,
    node,
    pod,
    token_line,
)
from attribution_pipeline_tests.attribution.engine_run import RECORDED_AT
from attribution_pipeline_tests.attribution.lateness import (
    COMPUTE,
    Late,
    deliver,
    deliveries,
    generously_billed,
)
from attribution_pipeline_tests.oracle.words import Evidence
from attribution_pipeline_tests.worlds import World, world

FAST_WORLDS = (16, 58)
HEAVY_WORLDS = range(1000, 1007)
LEAST_SHARE = 0.4
"""Of deliveries that move something in a world that is billed for more than it called: how many are
not done whole. Measured 0.6; the others join slices, or meet a bill without quantities."""


@pytest.fixture(autouse=True)
def _worlds_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the bounds that keep the late path from being the slower one."""
    monkeypatch.setattr(late_plane, "MOST_LATE", 0)
    monkeypatch.setattr(late_classes, "LEAST_CALLS", 0)


KEPT_BESIDE = ("classes", "marks", "hashes")
"""Tables of an operation plane, and hashes of a ledger, that spare late work a look at all rows."""


def played(seed: int, folder: Path, late: int, without: Sequence[str] = ()) -> list[Late]:
    """A world and its late deliveries; two of three worlds are billed generously."""
    dice = random.Random(seed)
    made = world(seed) if seed % 3 == 0 else generously_billed(world(seed))
    batches = deliveries(dice, made.evidence.spans, late)
    return deliver(made, batches, folder, without=without) if len(batches) > 1 else []


@pytest.fixture
def pods_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods' rows in a file of their own, be it one row."""
    monkeypatch.setattr(ledger_files, "LEAST_ROWS", 1)


@pytest.mark.usefixtures("pods_apart")
@pytest.mark.parametrize("seed", FAST_WORLDS)
def test_late_deliveries_end_where_the_whole_day_ends(seed: int, tmp_path: Path):
    found = played(seed, tmp_path / "world", late=2)
    assert [wrong for one in found for wrong in one.differences] == []


@pytest.mark.heavy
def test_late_deliveries_of_many_worlds_end_where_their_whole_days_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    taken = moved = 0
    for seed in HEAVY_WORLDS:
        print(f"seed {seed}")
        monkeypatch.setattr(ledger_files, "LEAST_ROWS", 1 if seed % 2 else 10**6)
        without = KEPT_BESIDE if seed % 4 == 0 else ()
        found = played(seed, tmp_path / str(seed), late=2, without=without)
        assert [wrong for one in found for wrong in one.differences] == [], seed
        if seed % 3:
            moved += sum(one.has_moved for one in found)
            taken += sum(one.outcome is not None for one in found)
    assert moved > len(HEAVY_WORLDS) // 2
    assert taken > LEAST_SHARE * moved


def small(policy: str, lines: Sequence[Any], **tables: Any) -> World:
    """A world in a few words."""
    evidence = Evidence(
        billing=list(lines), spans=[], allocations=tables.get("allocations", []),
        assets=tables.get("assets", []), usage=[], kubernetes=[], delivery={"bill": "append"},
        standing={},
    )  # fmt: skip
    return World(0, DAY, DAY, evidence, parse_policy(policy))


def after(tmp_path: Path, made: World, *batches: Any, settled: bool = False) -> list[Late]:
    """The late deliveries of a small world, found equal to the whole day."""
    found = deliver(made, batches, tmp_path / "world", settled=settled)
    assert [wrong for one in found for wrong in one.differences] == []
    return found


def operations(late: Late) -> Plane:
    """The operation plane after the delivery."""
    return late.planes["operations"]


def changed_rows(late: Late) -> list[tuple[str, str, int]]:
    """Tenant or reason, leg and cents of each row that the delivery changed."""
    assert late.outcome is not None
    (path,) = late.outcome.files["ledger_revisions"]
    return [
        (
            row["tenant_id"] or row["unallocated_reason"],
            row["leg"],
            int(100 * row["delta_billed_cost"]),
        )
        for row in pq.read_table(path).to_pylist()
    ]


BILLED = token_line(1, "10.00", "m-uncached", 1000)
TOKENS = {"uncached_input": 100}


def test_a_late_call_under_the_bill_moves_its_own_row_and_the_open_one(tmp_path: Path):
    early = [call(1, "acme", **TOKENS), call(2, "bolt", **TOKENS)]
    (late,) = after(tmp_path, small(METERS, [BILLED]), early, [call(3, "acme", **TOKENS)])
    assert sorted(changed_rows(late)) == [("acme", "own", 100), ("telemetry_gap", "open", -100)]
    assert late.outcome is not None
    assert late.outcome.adds_to == {"operation_costs", "operations"}
    rows = {name: len(pq.read_table(path)) for name, (path,) in late.outcome.files.items()}
    assert rows == {"ledger": 3, "ledger_revisions": 2, "operation_costs": 1, "operations": 1}


def test_calls_that_a_label_names_are_added_up_under_its_tenant(tmp_path: Path):
    policy = METERS + (
        'join: {dedicated: [{namespace: "tenant-*"}]}\n'
        "pools: [{name: shared, match: {ServiceCategory: Compute}, driver: active_time}]\n"
    )
    where = {"cluster": "c", "namespace": "tenant-acme", "pod": "app"}
    pods = [pod("app", "n", cpu=10, namespace="tenant-acme", labels='{"tenant": "acme"}')]
    early = [
        call(1, None, **where, **TOKENS),
        call(2, None, sampling_threshold="8", **where, **TOKENS),
        call(3, None, cluster="c", namespace="shared", pod="app", **TOKENS),
        call(4, "bolt", **where, **TOKENS),
    ]
    shared = line(2, "12.00", ServiceCategory="Compute")
    made = small(policy, [BILLED, shared], allocations=pods)
    (late,) = after(tmp_path, made, early, [call(5, "zorg", cluster=None, **TOKENS)])
    assert late.outcome is not None
    (path,) = late.outcome.files["ledger"]
    rows = pq.read_table(path).to_pylist()
    weights = {row["tenant_id"]: row["driver_quantity"] for row in rows if row["pool"] == "shared"}
    # ten seconds a call, and the sampled one stands for two
    assert weights == {"acme": 30_000, "bolt": 10_000, "zorg": 10_000, None: 10_000}


@pytest.fixture
def added_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of which relations late work makes classes."""
    asked: list[str] = []
    class_parts = late_classes.class_parts

    def noted(policy: Any, operations: str) -> str:
        asked.append(operations)
        return class_parts(policy, operations)

    monkeypatch.setattr(late_classes, "class_parts", noted)
    return asked


EARLY = [call(1, "acme", **TOKENS), call(2, "bolt", **TOKENS)]
MORE = [call(3, "acme", **TOKENS)]


def test_kept_classes_spare_a_look_at_all_operations(tmp_path: Path, added_up: list[str]):
    (late,) = after(tmp_path, small(METERS, [BILLED]), EARLY, MORE)
    assert late.outcome is not None
    assert "apart" in added_up
    assert "closed" not in added_up


@pytest.mark.parametrize("missing", KEPT_BESIDE)
def test_a_plane_of_an_older_release_lacks_what_is_kept_beside_it(
    missing: str, tmp_path: Path, added_up: list[str]
):
    found = deliver(
        small(METERS, [BILLED]), [EARLY, MORE, EARLY[:1]], tmp_path / "world", without=[missing]
    )
    assert [wrong for one in found for wrong in one.differences] == []
    assert found[0].outcome is not None
    assert ("closed" in added_up) == (missing == "classes")


def test_classes_that_are_not_of_all_operations_are_not_believed(tmp_path: Path):
    made = small(METERS, [BILLED])
    (late,) = after(tmp_path, made, EARLY, MORE)
    plane = operations(late)
    twice = replace(plane, files={**plane.files, "classes": [*plane.files["classes"]] * 2})
    outcome = reconcile_late(
        {**late.planes, "operations": twice}, plane.files["operations"][:1], made.policy, DAY,
        policy_digest=made.policy.digest, previous=late.earlier, compute=COMPUTE,
        recorded_at=RECORDED_AT + timedelta(days=9), out=tmp_path,
    )  # fmt: skip
    assert outcome is not None
    assert late.outcome is not None
    assert outcome.content_digest == late.outcome.content_digest


def test_the_mark_of_a_call_that_is_told_otherwise_goes_with_it(tmp_path: Path):
    """Else the call would be taken for one that stands, should it be told as before once more."""
    made = small(NODES % "{driver: active_time, within: node}", NODE_BILL, **TWO_NODES)
    early = [call(1, "acme", **ON_WEB), call(2, "bolt", **ON_JOBS)]
    served = call(1, None, kind=2, **ON_JOBS) | {"span_id": "5" * 16}
    (late,) = after(tmp_path, made, early, [served])
    marks = sum(pq.read_metadata(path).num_rows for path in operations(late).files["marks"])
    assert marks == operations(late).rows["operations"] == 2


def test_late_work_takes_no_more_threads_than_pay():
    few, many = (late_compute(Compute(threads=8), spans) for spans in (1, 2 * SPANS_A_THREAD))
    assert (few.threads, many.threads) == (1, 3)
    assert late_compute(Compute(threads=2), 9 * SPANS_A_THREAD) == Compute(threads=2)


def test_the_open_row_goes_to_zero_when_late_calls_reach_the_bill(tmp_path: Path):
    early, more = [call(1, "acme", uncached_input=400)], [call(2, "bolt", uncached_input=600)]
    (late,) = after(tmp_path, small(METERS, [BILLED]), early, more)
    assert sorted(changed_rows(late)) == [("bolt", "own", 600), ("telemetry_gap", "open", -600)]
    assert late.outcome is not None
    rows = pq.read_table(late.outcome.files["ledger"][0]).to_pylist()
    # coverage came within tolerance, so rows that did not move are trusted otherwise
    assert {row["tenant_id"]: (row["confidence"], row["revision"]) for row in rows} == {
        "acme": ("metered", 1), "bolt": ("metered", 1), None: ("unallocated", 2),
    }  # fmt: skip


def test_crossing_the_bill_is_done_whole(tmp_path: Path):
    early = [call(1, "acme", uncached_input=900)]
    (late,) = after(tmp_path, small(METERS, [BILLED]), early, [call(2, "bolt", uncached_input=101)])
    assert late.has_moved
    assert late.outcome is None


def test_a_batch_that_comes_again_leaves_the_plane_as_it_was(tmp_path: Path):
    spans = [call(number, "acme", **TOKENS) for number in range(1, 5)]
    again, twice = after(tmp_path, small(METERS, [BILLED]), spans, spans[:2], spans)
    assert not again.has_moved
    assert not twice.has_moved
    for table in ("operations", "tokens"):
        assert operations(again).files[table] == operations(twice).files[table]
    assert [operations(one).rows["repeated_spans"] for one in (again, twice)] == [2, 4]
    assert operations(twice).rows["repeated_deliveries"] == 6


def test_a_client_span_after_its_gateway_gives_the_call_its_owner(tmp_path: Path):
    gateway = call(1, None, kind=1, **TOKENS)
    early = [gateway, call(2, "acme", **TOKENS)]
    client = call(1, "bolt", **TOKENS) | {"span_id": "c" * 16}
    (late,) = after(tmp_path, small(METERS, [BILLED]), early, [client])
    assert sorted(changed_rows(late)) == [("bolt", "own", 100), ("identity_missing", "own", -100)]
    assert late.outcome is not None
    assert late.outcome.causes == {"identity": 2}


TWO_NODES = {
    "assets": [node("a", cpu=100_000), node("b", cpu=100_000)],
    "allocations": [pod("web", "a", cpu=60_000), pod("jobs", "b", cpu=60_000)],
}
NODE_BILL = [
    line(number, "10.00", ServiceCategory="Compute", ResourceId=f"i-{name}")
    for number, name in ((1, "a"), (2, "b"))
]
ON_WEB = {"cluster": "c", "namespace": "apps", "pod": "web"}
ON_JOBS = ON_WEB | {"pod": "jobs"}


def test_a_late_call_of_a_pod_divides_its_node_and_no_other(tmp_path: Path):
    policy = NODES % "{driver: active_time, within: node}"
    early = [call(1, "acme", **ON_WEB), call(2, "bolt", **ON_JOBS), call(3, "corvid", **ON_WEB)]
    (late,) = after(
        tmp_path, small(policy, NODE_BILL, **TWO_NODES), early, [call(4, "delta", **ON_WEB)]
    )
    assert late.outcome is not None
    assert {who for who, _, _ in changed_rows(late)} == {"acme", "corvid", "delta"}


def components(paths: Sequence[str]) -> list[set[str]]:
    """Of each file of a ledger, the components of its rows."""
    return [set(pq.ParquetFile(path).read()["component"].to_pylist()) for path in paths]


POLICY_OF_BOTH = NODES % "{driver: active_time, within: node}" + METERS[METERS.index("meters:") :]
BILL_OF_BOTH = [*NODE_BILL, token_line(3, "10.00", "m-uncached", 1000)]
OFF_PODS = {"cluster": None, **TOKENS}


@pytest.mark.usefixtures("pods_apart")
def test_pods_rows_stand_in_their_file_until_a_late_call_is_a_pods(tmp_path: Path):
    early = [call(1, "acme", **ON_WEB), call(2, "bolt", **ON_JOBS), call(3, "corvid", **OFF_PODS)]
    made = small(POLICY_OF_BOTH, BILL_OF_BOTH, **TWO_NODES)
    first, second = after(
        tmp_path, made, early, [call(4, "delta", **OFF_PODS)], [call(5, "acme", **ON_WEB)]
    )
    assert first.outcome is not None
    assert second.outcome is not None
    recorded, kept, now = (
        list(one.files["ledger"]) for one in (first.earlier, first.outcome, second.outcome)
    )
    assert components(recorded) == [{"direct"}, {"workload", "idle"}]
    assert kept[0] == recorded[1]
    assert components(kept) == [{"workload", "idle"}, {"direct"}]
    assert not {*kept} & {*now}
    assert components(now) == [{"direct"}, {"workload", "idle"}]


@pytest.mark.usefixtures("pods_apart")
def test_a_ledger_of_one_file_is_followed_too(tmp_path: Path):
    early = [call(1, "acme", **ON_WEB), call(2, "corvid", **OFF_PODS)]
    made = small(POLICY_OF_BOTH, BILL_OF_BOTH, **TWO_NODES)
    (late,) = after(tmp_path, made, early, [call(4, "delta", **OFF_PODS)])
    rows = pa.concat_tables(pq.ParquetFile(path).read() for path in late.earlier.files["ledger"])
    older = str(tmp_path / "older.parquet")
    pq.write_table(rows.sort_by("attribution_id"), older, store_schema=False)
    outcome = reconcile_late(
        late.planes, operations(late).files["operations"][:1], made.policy, DAY,
        policy_digest=made.policy.digest, recorded_at=RECORDED_AT, compute=COMPUTE, out=tmp_path,
        previous=replace(late.earlier, files={**late.earlier.files, "ledger": [older]}),
    )  # fmt: skip
    assert outcome is not None
    assert late.outcome is not None
    assert outcome.content_digest == late.outcome.content_digest
    assert older not in outcome.files["ledger"]
    assert components(outcome.files["ledger"]) == [{"direct"}, {"workload", "idle"}]


def test_idle_of_a_cluster_weighs_pods_that_no_late_call_touched(tmp_path: Path):
    policy = NODES % "{driver: active_time, within: cluster}"
    early = [call(1, "acme", **ON_WEB), call(2, "bolt", **ON_JOBS)]
    (late,) = after(
        tmp_path, small(policy, NODE_BILL, **TWO_NODES), early, [call(4, "delta", **ON_WEB)]
    )
    assert {who for who, leg, _ in changed_rows(late) if leg == "idle"} == {"acme", "bolt", "delta"}


def test_a_server_span_that_comes_late_moves_the_call_to_the_pod_that_served_it(tmp_path: Path):
    policy = NODES % "{driver: active_time, within: node}"
    early = [call(1, "acme", **ON_WEB), call(2, "bolt", **ON_JOBS), call(3, "corvid", **ON_WEB)]
    served = call(1, None, kind=2, **ON_JOBS) | {"span_id": "5" * 16}
    (late,) = after(tmp_path, small(policy, NODE_BILL, **TWO_NODES), early, [served])
    assert late.outcome is not None
    assert "operations" not in late.outcome.adds_to
    # the pod serves now, so what it called itself is not its work any more
    assert {who for who, _, _ in changed_rows(late)} == {"acme", "bolt"}


def test_what_a_policy_holds_is_done_whole(tmp_path: Path):
    held = METERS + "\nsettlement: {closed_period: hold}\n"
    early, more = [call(1, "acme", **TOKENS)], [call(2, "bolt", **TOKENS)]
    (late,) = after(tmp_path, small(held, [BILLED]), early, more, settled=True)
    assert late.has_moved
    assert late.outcome is None


def test_a_plane_that_does_not_follow_the_recorded_one_is_not_added_to(tmp_path: Path):
    made = small(METERS, [BILLED])
    early, more = [call(1, "acme", **TOKENS)], [call(2, "bolt", **TOKENS)]
    first, second = after(tmp_path, made, early, more, [call(3, "acme", **TOKENS)])
    outcome = reconcile_late(
        second.planes,
        operations(first).files["operations"][:1],  # the recorded state was computed from more
        made.policy, DAY, policy_digest=made.policy.digest, previous=second.earlier,
        recorded_at=RECORDED_AT + timedelta(days=9), out=tmp_path, compute=COMPUTE,
    )  # fmt: skip
    assert outcome is None
