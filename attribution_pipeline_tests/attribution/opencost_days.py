"""Real-shaped OpenCost answers through the reader to the cluster plane: one honest node, and ways of
breaking it.

Belongs here: the honest day and how answers become rows. Does not: what is expected of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.attribution.cluster import cluster_plane
from attribution_pipeline.attribution.day import Compute, Landed, Plane
from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline.sources.objects import list_objects, open_object
from attribution_pipeline.sources.opencost import read
from attribution_pipeline_tests.sources import opencost_answers

Row = dict[str, Any]

DAY = date(2026, 10, 5)
GIB = 1 << 30
CORE, GIB_PRICE, GPU = 0.1, 0.005, 0.5
"""USD of an hour of the honest node: 4 cores, 16 GiB, 1 GPU."""


def container(pod: str, **changes: Any) -> Row:
    """A pod that holds 1 core, 4 GiB and no GPU all day, at the node's own prices."""
    row = opencost_answers.container(pod)
    hours = {"cpuCoreHours": 24, "ramByteHours": 4 * GIB * 24, "gpuHours": 0}
    usage = {"cpuCoreUsageAverage": 0.8, "ramByteUsageAverage": 3 * GIB}
    return priced({**row, **hours, **usage}) | changes


def priced(row: Row) -> Row:
    """Its costs from its hours at honest prices."""
    cpu, ram = row["cpuCoreHours"] * CORE, row["ramByteHours"] / GIB * GIB_PRICE
    gpu = row["gpuHours"] * GPU
    return costing(row, cpu, ram, gpu)


def costing(row: Row, cpu: float, ram: float, gpu: float = 0.0) -> Row:
    """The row at these costs, its total right."""
    parts = {"cpuCost": round(cpu, 5), "ramCost": round(ram, 5), "gpuCost": round(gpu, 5)}
    return {**row, **parts, "totalCost": round(sum(parts.values()), 5)}


def server() -> Row:
    """A model server on the GPU."""
    return priced({**container("vllm"), "gpuHours": 24})


def idle(cpu: float = 4.8, ram: float = 0.96, gpu: float = 0.0) -> Row:
    """What the two pods of the honest node leave."""
    row = opencost_answers.special("prod/node-1/__idle__", cpuCoreHours=0, ramByteHours=0)
    return costing(row, cpu, ram, gpu)


def node(**changes: Any) -> Row:
    """The honest node's asset."""
    row = opencost_answers.node()
    hours = {"cpuCoreHours": 96, "ramByteHours": 16 * GIB * 24, "GPUHours": 24}
    row = costing({**row, **hours}, 96 * CORE, 16 * 24 * GIB_PRICE, 24 * GPU)
    row["properties"] = {"cluster": "prod", "name": "node-1", "providerID": "aws:///a/i-node1"}
    return row | changes


def named(name: str, **changes: Any) -> Row:
    """Another node like the honest one."""
    said = {"cluster": "prod", "name": name, "providerID": f"aws:///a/i-{name}"}
    return node(properties=said, **changes)


def on(row: Row, node_name: str) -> Row:
    """The allocation, on another node."""
    name = row["name"].replace("node-1", node_name)
    return {**row, "name": name, "properties": {**row["properties"], "node": node_name}}


HONEST = (container("app-a"), server(), idle())


def landed(folder: Path, allocations: Sequence[Row], assets: Sequence[Row]) -> dict[str, list[Row]]:
    """The answers' landed rows by table, rejected ones with them, as the source ``oc``."""
    texts = {
        "allocation.json": opencost_answers.allocation(*allocations),
        "assets.json": opencost_answers.assets(
            **{f"asset-{number}": row for number, row in enumerate(assets)}
        ),
    }
    rows: dict[str, list[Row]] = {"opencost_allocations": [], "opencost_assets": []}
    for name, text in texts.items():
        file = folder / name
        file.write_text(text)
        (obj,) = list_objects("oc", file).objects
        with open_object(obj) as opened:
            for batch in read(opened.data, obj, opened.object_id, cluster=None):
                rows[batch.table] += [{"source": "oc", **row} for row in batch.rows.to_pylist()]
    return rows


def plane(
    folder: Path, allocations: Sequence[Row] = HONEST, assets: Sequence[Row] | None = None
) -> Plane:
    """The cluster plane of these answers."""
    return plane_of(folder, landed(folder, allocations, [node()] if assets is None else assets))


def plane_of(folder: Path, tables: Mapping[str, Sequence[Row]]) -> Plane:
    """The cluster plane of landed rows."""
    files, objects = {}, {}
    for table, rows in tables.items():
        schema = pa.schema([pa.field("source", pa.string()), *SCHEMAS[table]])
        path = folder / f"{table}.parquet"
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
        files[table] = [str(path)]
        objects[table] = {"oc": list(dict.fromkeys(row["object_id"] for row in rows))}
    return cluster_plane(Landed(files, objects), DAY, out=folder, compute=Compute(1, "1GB"))


def noticed(found: Plane) -> set[tuple[str, str]]:
    """Check and severity of its findings."""
    return {(finding.check, finding.severity) for finding in found.findings}


def quarantined(found: Plane) -> set[str]:
    """Names of nodes whose day is."""
    return {
        row["name"]
        for path in found.files["nodes"]
        for row in pq.read_table(path).to_pylist()
        if row["quarantined"]
    }
