"""Small OpenCost answers, written by hand: one good one, and every way of breaking a row of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attribution_pipeline.sources.objects import list_objects, open_object
from attribution_pipeline.sources.opencost import read

DAY = {"start": "2026-10-05T00:00:00Z", "end": "2026-10-06T00:00:00Z"}


def container(pod: str = "app-a", **changes: Any) -> dict[str, Any]:
    """An allocation that ran all day: cpu 3.00, gpu 0, ram 0.50."""
    row = {
        "name": f"prod/node-1/tenant-a/{pod}/main",
        "properties": {
            "cluster": "prod", "node": "node-1", "providerID": "aws:///eu-west-1a/i-0abc",
            "namespace": "tenant-a", "pod": pod, "container": "main", "controller": "app",
            "controllerKind": "deployment", "labels": {"tenant": "a", "app": "x"},
        },
        "window": DAY, "start": DAY["start"], "end": DAY["end"], "minutes": 1440,
        "cpuCost": 3.0, "cpuCostAdjustment": 0, "gpuHours": 0, "gpuCost": 0,
        "gpuCostAdjustment": 0, "ramCost": 0.5, "ramCostAdjustment": 0, "networkCost": 0,
        "networkCostAdjustment": 0, "loadBalancerCost": 0, "loadBalancerCostAdjustment": 0,
        "pvCost": 0, "pvCostAdjustment": 0, "pvs": None, "lbAllocations": None,
        "sharedCost": 0, "externalCost": 0, "totalCost": 3.5,
    }  # fmt: skip
    return {**row, **changes}


def special(name: str, **changes: Any) -> dict[str, Any]:
    """A synthetic row: no pod, no container."""
    properties = {"cluster": "prod", "node": "node-1", "providerID": "node-1"}
    return container(**{"name": name, "properties": properties, **changes})


def node(**changes: Any) -> dict[str, Any]:
    """A node asset: cpu 10, ram 2, gpu 12, no discount."""
    row = {
        "type": "Node",
        "properties": {"cluster": "prod", "name": "node-1", "providerID": "i-0abc"},
        "labels": {"b": "2", "a": "1"}, "window": DAY, "start": DAY["start"], "end": DAY["end"],
        "minutes": 1440, "nodeType": "g5.xlarge", "discount": 0, "gpuCount": 1, "cpuCost": 10.0,
        "gpuCost": 12.0, "ramCost": 2.0, "adjustment": 0, "totalCost": 24.0,
    }  # fmt: skip
    return {**row, **changes}


def allocation(*rows: dict[str, Any]) -> str:
    """An /allocation answer with one step; keys are the names, which may repeat."""
    members = ",".join(f"{json.dumps(row['name'])}:{json.dumps(row)}" for row in rows)
    return '{"code":200,"status":"success","data":[{' + members + "}]}"


def assets(**rows: dict[str, Any]) -> str:
    """An /assets answer."""
    return json.dumps({"code": 200, "status": "success", "data": rows})


def landed(
    file: Path, *, cluster: str | None = None
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Usable rows of one landed answer, and its rejected records by reason."""
    (obj,) = list_objects("prod", file).objects
    rows: list[dict[str, Any]] = []
    reasons: dict[str, int] = {}
    with open_object(obj) as opened:
        for batch in read(opened.data, obj, opened.object_id, cluster=cluster):
            rows += [row for row in batch.rows.to_pylist() if row["rejected"] is None]
            for record in batch.rejected:
                reasons[record.reason] = reasons.get(record.reason, 0) + 1
    return rows, reasons


def answer(folder: Path, text: str, **options: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """``landed`` of an answer given as text."""
    file = folder / "answer.json"
    file.write_text(text)
    return landed(file, **options)
