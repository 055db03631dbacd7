"""The engine on a world: Parquet in, rows out, nothing looked at but its public functions.

Belongs here: calling the planes and ``reconcile``, reading their files. Does not: judging them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from attribution_pipeline.attribution.billing import billing_plane
from attribution_pipeline.attribution.cluster import cluster_plane
from attribution_pipeline.attribution.day import Compute, Landed, Outcome, Plane, SourceFacts, Spark
from attribution_pipeline.attribution.operations import operation_plane
from attribution_pipeline.attribution.reconcile import reconcile
from attribution_pipeline.attribution.reports import kubernetes_plane, usage_plane
from attribution_pipeline_tests.attribution import at_rest
from attribution_pipeline_tests.worlds import World
from attribution_pipeline_tests.worlds.write import landed

RECORDED_AT = datetime(2027, 1, 1, tzinfo=UTC)

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class EngineDay:
    """What the engine made of a world: its planes' rows, its ledger, its request level."""

    charges: Rows
    active: Rows
    ledger: Rows
    operation_costs: Rows
    operations: Rows
    outcome: Outcome
    planes: Mapping[str, Plane]


def run(
    world: World,
    folder: Path,
    *,
    threads: int = 1,
    files_per_table: int = 1,
    memory_limit: str = "1GB",
    spark: Spark | None = None,
) -> EngineDay:
    """The engine's day. Folder must be empty."""
    at = folder / "landed"
    at.mkdir(parents=True)
    files, objects = landed(world.evidence, at, files_per_table=files_per_table)
    here = Landed(files, objects)
    compute = Compute(threads=threads, memory_limit=memory_limit, spark=spark)

    def out(name: str) -> Path:
        (folder / name).mkdir()
        return folder / name

    planes: dict[str, Plane] = {
        "billing": billing_plane(
            here, SourceFacts(delivery=world.evidence.delivery), world.day,
            first_day=world.first_day, out=out("billing"), compute=compute,
        ),
        "cluster": cluster_plane(here, world.day, out=out("cluster"), compute=compute),
        "operations": operation_plane(
            here, world.day, world.policy, out=out("operations"), compute=compute,
            keys=world.evidence.keys,
        ),
        "usage": usage_plane(here, world.day, out=out("usage"), compute=compute),
        "kubernetes": kubernetes_plane(
            here, world.day, world.policy, out=out("kubernetes"), compute=compute),
    }  # fmt: skip
    outcome = reconcile(
        planes, world.policy, world.day, policy_digest=world.policy.digest,
        recorded_at=RECORDED_AT, out=out("out"), compute=compute,
    )  # fmt: skip
    return EngineDay(
        charges=_rows(planes["billing"].files["charges"]),
        active=_rows(planes["operations"].files["operations"]),
        ledger=_rows(outcome.files["ledger"]),
        operation_costs=at_rest.request_rows(outcome.files),
        operations=at_rest.operation_rows(outcome.files),
        outcome=outcome,
        planes=planes,
    )


def _rows(paths: Sequence[str]) -> Rows:
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]
