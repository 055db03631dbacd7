"""One world on an engine, as digests and rows that can be laid side by side.

Belongs here: what is compared. Does not: which engines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from attribution_pipeline.attribution.day import Spark
from attribution_pipeline_tests.attribution.engine_run import EngineDay, run
from attribution_pipeline_tests.worlds import world

SHOWN = 5


def digests(day: EngineDay) -> dict[str, str]:
    """The content digest, and that of every plane."""
    return {
        "content": day.outcome.content_digest,
        **{name: plane.digest for name, plane in day.planes.items()},
    }


def of_world(seed: int, folder: Path, spark: Spark | None = None) -> EngineDay:
    """A random world's day: DuckDB's, or Spark's."""
    return run(world(seed), folder, spark=spark)


def differences(one: EngineDay, other: EngineDay) -> list[str]:
    """What the second day has otherwise: digests, findings, counts, rows in their order, types."""
    found = [
        f"{name}: {digest} and {digests(other)[name]}"
        for name, digest in digests(one).items() if digest != digests(other)[name]
    ]  # fmt: skip
    for name, plane in one.planes.items():
        found += _apart(f"counts of {name}", plane.rows, other.planes[name].rows)
        found += _apart(f"findings of {name}", plane.findings, other.planes[name].findings)
        found += _files_apart(name, plane.files, other.planes[name].files)
    found += _apart("findings", one.outcome.findings, other.outcome.findings)
    found += _apart("totals", one.outcome.totals, other.outcome.totals)
    found += _apart("tie-out", one.outcome.tie_out.to_pylist(), other.outcome.tie_out.to_pylist())
    found += _files_apart("outcome", one.outcome.files, other.outcome.files)
    return found


def _apart(what: str, one: Any, other: Any) -> list[str]:
    return [] if one == other else [f"{what}: {one!r:.300} and {other!r:.300}"]


def _files_apart(what: str, one: Any, other: Any) -> list[str]:
    found = []
    for table, paths in one.items():
        here, there = (pq.ParquetDataset(list(p)).read() for p in (paths, other[table]))
        types = [[(f.name, f.type) for f in rows.schema] for rows in (here, there)]
        found += _apart(f"types of {what}.{table}", *types)
        rows = [(a, b) for a, b in zip(here.to_pylist(), there.to_pylist(), strict=False) if a != b]
        found += [f"{what}.{table}: {a} and {b}" for a, b in rows[:SHOWN]]
        found += _apart(f"rows of {what}.{table}", here.num_rows, there.num_rows)
    return found
