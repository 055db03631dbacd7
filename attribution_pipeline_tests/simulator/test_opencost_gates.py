"""The gates on the simulated company's clusters: silent where OpenCost is right, and where it is not,
each doubtful node and no other is put aside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from attribution_pipeline.simulator import opencost
from attribution_pipeline.simulator.cluster import APP_CLUSTER, GPU_CLUSTER, Clusters, build
from attribution_pipeline.simulator.faults import DUPLICATE_NODES, UNIT_SCALE, UNKNOWN_NODE
from attribution_pipeline.sources.objects import list_objects, open_object
from attribution_pipeline.sources.opencost import read
from attribution_pipeline_tests.attribution import opencost_days as oc


@pytest.fixture(scope="module")
def clusters() -> Clusters:
    return build(np.random.Generator(np.random.PCG64(5)), 1)


def answered(folder: Path, clusters: Clusters, wrong: opencost.Snapshots) -> oc.Plane:
    rows: dict[str, list[oc.Row]] = {"opencost_allocations": [], "opencost_assets": []}
    for cluster in (APP_CLUSTER, GPU_CLUSTER):
        for said in (
            opencost.allocation(clusters, cluster, oc.DAY, 0, wrong),
            opencost.assets(clusters, cluster, oc.DAY, wrong),
        ):
            file = folder / "answer.json"
            file.write_text(json.dumps(said))
            (obj,) = list_objects("oc", file).objects
            with open_object(obj) as opened:
                for batch in read(opened.data, obj, opened.object_id, cluster=None):
                    assert batch.rejected == []
                    rows[batch.table] += [{"source": "oc", **r} for r in batch.rows.to_pylist()]
    return oc.plane_of(folder, rows)


def test_no_gate_notices_anything_of_the_company_as_it_is(
    tmp_path: Path, clusters: Clusters
) -> None:
    """One of its nodes is over-allocated by 3 %, one runs from one to seven o'clock."""
    wrong = opencost.snapshots(clusters, frozenset())
    assert answered(tmp_path, clusters, wrong).findings == []


@pytest.mark.parametrize("fault", [DUPLICATE_NODES, UNIT_SCALE, UNKNOWN_NODE])
def test_of_a_fault_the_doubtful_nodes_and_no_others_are_put_aside(
    fault: str, tmp_path: Path, clusters: Clusters
) -> None:
    wrong = opencost.snapshots(clusters, frozenset([fault]))
    found = answered(tmp_path, clusters, wrong)
    doubtful = {
        node.name
        for number, node in enumerate(clusters.nodes)
        if wrong.reason(number) == "quarantined"
    }
    assert oc.quarantined(found) == doubtful
    assert bool(found.findings) == (fault != UNKNOWN_NODE)
