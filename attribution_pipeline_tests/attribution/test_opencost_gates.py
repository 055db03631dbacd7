"""The register of OpenCost's known faults: each shows by its own name, and honest days show none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.attribution.opencost_gates.register import REGISTER, item_of
from attribution_pipeline_tests.attribution import opencost_days as oc
from attribution_pipeline_tests.sources.opencost_answers import special

APP, SERVER, IDLE = oc.HONEST
BACKWARDS = {"start": "2026-10-05T02:00:00Z", "end": "2026-10-05T01:00:00Z"}
FREE = oc.costing(oc.container("free"), 0, 0)
SIX = "2026-10-05T06:00:00Z"


def late(row: oc.Row) -> oc.Row:
    """It runs from six o'clock on."""
    return {**row, "start": SIX, "minutes": 1080}


def two_prices(times: float, **changes: Any) -> list[oc.Row]:
    """The honest node, and itself without instance type at another price."""
    again = oc.costing(oc.node(nodeType="", **changes), 9.6 * times, 1.92 * times, 12 * times)
    return [oc.node(), again]


ERROR, WARN = "error", "warn"

# item, rows of /allocation, rows of /assets, what is noticed at least
TRIPPED: dict[str, tuple[int, list[oc.Row], list[oc.Row], tuple[str, str]]] = {
    "a node with two prices": (
        1, [*oc.HONEST], two_prices(50), ("duplicate_node_identity", ERROR)),
    "a node with two prices within 1 %": (
        1, [*oc.HONEST], two_prices(1.005), ("duplicate_node_identity", WARN)),
    "a node without instance type": (
        1, [*oc.HONEST], [oc.node(nodeType="")], ("unknown_instance_type", WARN)),
    "a node under two provider ids": (
        1, [*oc.HONEST],
        [oc.node(), oc.node(properties={**oc.node()["properties"], "providerID": "i-other"})],
        ("several_node_identities", ERROR)),
    "an address as node": (
        1, [*oc.HONEST], [oc.node(), oc.named("10.0.0.4:10250")], ("address_as_node_name", ERROR)),
    "two of three nodes with one provider id": (
        1, [*oc.HONEST],
        [oc.node(), oc.named("b"),
         oc.node(properties={**oc.node()["properties"], "name": "node-2"})],
        ("shared_provider_id", WARN)),
    "one container twice, differing": (
        1, [*oc.HONEST, oc.costing(APP, 9, 9)], [oc.node()], ("rejected_conflicting_rows", ERROR)),
    "idle that does not close the node": (
        2, [APP, SERVER, oc.idle(cpu=1.0)], [oc.node()], ("node_tie_back", WARN)),
    "a row that ends tomorrow": (
        3, [*oc.HONEST, {**oc.container("b"), "end": "2026-10-06T00:05:00Z"}], [oc.node()],
        ("rejected_outside_window", ERROR)),
    "a row of an hour in an answer of a day": (
        3,
        [*oc.HONEST,
         oc.container("b", window={"start": "2026-10-05T00:00:00Z", "end": "2026-10-05T01:00:00Z"})],
        [oc.node()], ("rejected_window_not_a_utc_day", ERROR)),
    "a negative cost": (
        3, [*oc.HONEST, oc.costing(oc.container("b"), -3, 0)], [oc.node()],
        ("rejected_negative_cost", ERROR)),
    "a null cost": (
        3, [*oc.HONEST, oc.container("b", cpuCost=None)], [oc.node()],
        ("rejected_null_cost", ERROR)),
    "a node asset with a null cost": (
        3, [*oc.HONEST], [oc.node(cpuCost=None)], ("rejected_null_cost", ERROR)),
    "a broken idle row": (
        4, [APP, SERVER, {**IDLE, "minutes": None}], [oc.node()],
        ("rejected_unreadable_time", WARN)),
    "negative minutes that cost": (
        4, [*oc.HONEST, oc.container("b", minutes=-2.45)], [oc.node()],
        ("rejected_negative_minutes", ERROR)),
    "negative minutes that cost nothing": (
        4, [*oc.HONEST, {**FREE, **BACKWARDS, "minutes": -60}], [oc.node()],
        ("rejected_negative_minutes", WARN)),
    "an end before the start": (
        4, [*oc.HONEST, oc.container("b", **BACKWARDS)], [oc.node()],
        ("rejected_ends_before_start", ERROR)),
    "a day that begins at six": (
        5, [late(row) for row in oc.HONEST], [oc.node()], ("window_not_covered", WARN)),
    "pods that are worth more than their node": (
        6, [oc.container(name) for name in "abcde"] + [oc.idle(-2.4, -0.48, 12.0)], [oc.node()],
        ("over_allocated", WARN)),
    "use far above what is charged": (
        7, [*oc.HONEST, oc.container("b", cpuCoreUsageAverage=2.5)], [oc.node()],
        ("usage_above_request", WARN)),
    "resources that cost nothing": (8, [*oc.HONEST, FREE], [oc.node()], ("unpriced_row", WARN)),
    "a node that costs nothing": (
        8, [*oc.HONEST], [oc.node(), oc.costing(oc.named("b"), 0, 0)], ("unpriced_node", WARN)),
    "a GPU at three times the node's price": (
        13, [APP, oc.costing(SERVER, 2.4, 0.48, 36), oc.idle(gpu=-24)], [oc.node()],
        ("gpu_rate", WARN)),
    "GPUs for nothing": (
        13, [*oc.HONEST], [oc.costing(oc.node(), 9.6, 1.92)], ("gpu_unpriced", WARN)),
    "more GPU-hours than there are": (
        14, [APP, oc.priced({**SERVER, "gpuHours": 48}), oc.idle(gpu=-12)], [oc.node()],
        ("gpu_over_allocated", WARN)),
    "one pod at monthly prices": (
        18, [oc.costing(APP, 2.4 * 730, 0.48 * 730), SERVER, IDLE], [oc.node()],
        ("mixed_unit_scale", ERROR)),
    "one pod at a thousandth": (
        18, [oc.costing(APP, 2.4 / 1024, 0.48 / 1024), SERVER, IDLE], [oc.node()],
        ("mixed_unit_scale", ERROR)),
    "one of two like nodes at monthly prices": (
        18, [*oc.HONEST, oc.on(IDLE, "b")],
        [oc.node(), oc.costing(oc.named("b"), 9.6 * 730, 1.92 * 730, 12 * 730)],
        ("unit_scale_suspect", WARN)),
    "allocations of a cluster without assets": (19, [*oc.HONEST], [], ("cluster_mismatch", WARN)),
    "a cluster that has only volumes": (
        19,
        [{**oc.costing(APP, 0, 0), "pvCost": 1.0, "totalCost": 1.0, "cpuCoreHours": 0,
          "ramByteHours": 0}],
        [oc.node()], ("only_volumes", WARN)),
    "a node with neither pods nor idle": (
        21, [*oc.HONEST], [oc.node(), oc.named("b")], ("node_without_allocation", WARN)),
    "pods on a node that is no asset": (
        21, [*oc.HONEST, oc.on(oc.container("c"), "gone")], [oc.node()],
        ("pod_without_node", WARN)),
}  # fmt: skip


@pytest.mark.parametrize("fault", TRIPPED)
def test_a_fault_shows_under_its_own_name(fault: str, tmp_path: Path) -> None:
    number, allocations, assets, expected = TRIPPED[fault]
    found = oc.plane(tmp_path, allocations, assets)
    assert expected in oc.noticed(found)
    item = item_of(expected[0])
    assert item is not None
    assert item.number == number
    # only what is an error puts a node's day aside
    errors = {check for check, severity in oc.noticed(found) if severity == ERROR}
    assert bool(oc.quarantined(found)) == bool(errors)


def test_an_honest_day_shows_nothing(tmp_path: Path) -> None:
    assert oc.plane(tmp_path).findings == []


def test_idle_that_newer_versions_clamp_is_no_gap(tmp_path: Path) -> None:
    """opencost/opencost#3393: pods 4 % above the node, idle written as 0."""
    pods = [oc.container(name) for name in "abc"]
    crowd = oc.priced({**oc.container("d"), "cpuCoreHours": 28})
    found = oc.plane(tmp_path, [*pods, crowd, oc.idle(0.0, 0.0, 12.0)])
    assert found.findings == []


def test_a_rejected_row_that_costs_something_quarantines_its_node_alone(tmp_path: Path) -> None:
    broken = oc.container("b", minutes=-2.45)
    honest = [oc.on(row, "node-2") for row in oc.HONEST]
    found = oc.plane(tmp_path, [*oc.HONEST, broken, *honest], [oc.node(), oc.named("node-2")])
    assert oc.quarantined(found) == {"node-1"}
    (finding,) = [one for one in found.findings if one.check == "rejected_negative_minutes"]
    assert (finding.subject, finding.severity) == ("prod/node-1", "error")
    assert "tenant-a/b/main" in finding.detail


def test_a_row_of_an_older_snapshot_quarantines_nothing(tmp_path: Path) -> None:
    """What was rejected in an answer that a newer one replaced is of no day any more."""
    (tmp_path / "older").mkdir()
    (tmp_path / "newer").mkdir()
    older = oc.landed(tmp_path / "older", [*oc.HONEST, oc.container("b", minutes=-1)], [oc.node()])
    newer = oc.landed(tmp_path / "newer", oc.HONEST, [oc.node()])
    both = {table: [*older[table], *newer[table]] for table in older}
    assert oc.quarantined(oc.plane_of(tmp_path, both)) == set()
    back = {table: [*newer[table], *older[table]] for table in older}
    assert oc.quarantined(oc.plane_of(tmp_path, back)) == {"node-1"}


def test_an_answer_of_which_every_row_is_rejected_still_replaces_the_older(tmp_path: Path) -> None:
    (tmp_path / "older").mkdir()
    (tmp_path / "newer").mkdir()
    older = oc.landed(tmp_path / "older", oc.HONEST, [oc.node()])
    rows = [{**row, "minutes": -1} for row in oc.HONEST]
    newer = oc.landed(tmp_path / "newer", rows, [oc.node()])
    both = {table: [*older[table], *newer[table]] for table in older}
    found = oc.plane_of(tmp_path, both)
    assert oc.quarantined(found) == {"node-1"}
    assert found.rows["pods"] == 0


def test_snapshots_that_an_older_release_landed_can_still_be_read(tmp_path: Path) -> None:
    tables = oc.landed(tmp_path, oc.HONEST, [oc.node()])
    found = oc.plane_of(tmp_path, tables)
    added = ("cpu_millicore_hours", "ram_mib_hours", "gpu_milli_hours", "cpu_millicore_usage",
             "ram_mib_usage", "rejected")  # fmt: skip
    files = {}
    for table in tables:
        path = tmp_path / f"{table}.parquet"
        rows = pq.read_table(path)
        pq.write_table(rows.drop([name for name in added if name in rows.schema.names]), path)
        files[table] = [str(path)]
    objects = {table: {"oc": [rows[0]["object_id"]]} for table, rows in tables.items()}
    again = oc.cluster_plane(
        oc.Landed(files, objects), oc.DAY, out=tmp_path, compute=oc.Compute(1, "1GB")
    )
    assert (again.digest, again.findings) == (found.digest, [])


def test_absurd_numbers_and_missing_names_are_looked_at_and_stop_nothing(tmp_path: Path) -> None:
    """Each as far as the reader lets it pass."""
    most = 10**12
    rows = []
    for number, (hours, usage) in enumerate([(10**30, 10**30), (9 * 10**11, -1), (0, 10**11)]):
        row = oc.container(f"absurd-{number}", cpuCoreHours=hours, gpuHours=hours,
                           ramByteHours=hours << 20, cpuCoreUsageAverage=usage)  # fmt: skip
        rows.append({**row, "cpuCost": most, "ramCost": 0, "totalCost": most})
    nameless = special("prod/gone/x/y/z", properties={"pod": "y", "container": "z"})
    node = {**oc.node(), "cpuCost": most, "ramCost": 0, "gpuCost": 0, "totalCost": most}
    again = {**node, "cpuCost": 1, "totalCost": 1, "nodeType": ""}
    bare = {**oc.node(), "properties": {"category": "Compute"}}
    found = oc.plane(tmp_path, [*oc.HONEST, *rows, nameless], [node, again, bare])
    assert ("duplicate_node_identity", "error") in oc.noticed(found)
    assert oc.quarantined(found) == {"node-1"}


# -- held by design ----------------------------------------------------------------------------------


def test_the_idle_fields_of_a_row_change_nothing(tmp_path: Path) -> None:
    """opencost/opencost#3823: they are always 0, so they are never read."""
    said = {"cpuCostIdle": 7.0, "gpuCostIdle": 7.0, "ramCostIdle": 7.0}
    with_them = oc.plane(tmp_path, [{**row, **said} for row in oc.HONEST])
    assert with_them.digest == oc.plane(tmp_path).digest


def test_an_inference_cost_answer_is_no_evidence(tmp_path: Path) -> None:
    """opencost/opencost#3900: its `usage` basis is the allocation's."""
    from attribution_pipeline.sources.rejection import ObjectRefused
    from attribution_pipeline_tests.sources.opencost_answers import answer

    row = {"properties": {"modelName": "m"}, "costBasis": "usage", "totalCost": 1.0}
    with pytest.raises(ObjectRefused):
        answer(tmp_path, json.dumps({"code": 200, "data": {"m": row}}))


def test_namesakes_in_two_namespaces_and_clusters_stay_apart(tmp_path: Path) -> None:
    """opencost/opencost#4041, #991: one uid, one pod name, four pods."""
    rows = []
    for cluster in ("prod", "dev"):
        for namespace in ("tenant-a", "tenant-b"):
            row = oc.container("web")
            row["properties"] = {
                **row["properties"], "cluster": cluster, "namespace": namespace, "uid": "1",
            }  # fmt: skip
            rows.append({**row, "name": f"{cluster}/node-1/{namespace}/web/main"})
    found = oc.plane(tmp_path, rows, [oc.node()])
    pods = pq.read_table(found.files["pods"][0]).to_pylist()
    assert len({(pod["cluster"], pod["namespace"]) for pod in pods}) == len(pods) == 4


# -- the register itself -----------------------------------------------------------------------------


def test_the_register_is_section_4_whole_and_every_finding_has_one_entry() -> None:
    assert [item.number for item in REGISTER] == list(range(1, 22))
    findings = [name for item in REGISTER for name in item.findings]
    assert len(findings) == len(set(findings))
    for item in REGISTER:
        assert bool(item.findings) != bool(item.held_by), item.name
        assert item.issues, item.name
        assert item.question.endswith("?")
        if item.held_by:
            file, _, test = item.held_by.partition(": ")
            assert file == Path(__file__).name
            assert test in globals()


def test_every_finding_of_the_passes_is_in_the_register() -> None:
    import re

    from attribution_pipeline.attribution.engine import SQL

    text = "".join(path.read_text() for path in sorted((SQL / "gates").glob("*.sql")))
    names = re.findall(r"^(?:select|select distinct)\s.*?'([a-z]+(?:_[a-z]+)+)'", text, re.M)
    assert len(names) > 15
    assert all(item_of(name) for name in names)


def test_the_page_is_the_register() -> None:
    from attribution_pipeline_tests.cases import REPOSITORY

    page = (REPOSITORY / "docs" / "opencost-gates.md").read_text(encoding="utf-8")
    for item in REGISTER:
        (line,) = [row for row in page.splitlines() if row.startswith(f"| {item.number} |")]
        for said in (item.name, item.question, item.effect, item.remedy, *item.issues):
            assert said in line, f"item {item.number}: {said}"


def test_a_special_row_without_pod_is_no_workload_of_a_gate(tmp_path: Path) -> None:
    unmounted = special("prod/__unmounted__/x/__unmounted__/__unmounted__", cpuCost=0, ramCost=0,
                        totalCost=0, properties={"cluster": "prod"})  # fmt: skip
    assert oc.plane(tmp_path, [*oc.HONEST, unmounted]).findings == []


def test_of_a_rejected_row_land_its_names_its_costs_and_the_reason(tmp_path: Path) -> None:
    rows = oc.landed(tmp_path, [*oc.HONEST, oc.container("b", minutes=-1)], [oc.node()])
    broken = [row for row in rows["opencost_allocations"] if row["rejected"]]
    assert [(row["pod"], row["node"], row["rejected"]) for row in broken] == [
        ("b", "node-1", "negative_minutes")
    ]
    assert (broken[0]["labels"], broken[0]["cpu_cost"]) == (None, 240_000)
