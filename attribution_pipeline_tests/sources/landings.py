"""Little deployments to land from: usage reports, as many and as broken as a test needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.sources.landing import Source

HEADER = "date,service,resource_id,metric,quantity,tenant_id"


def report(folder: Path, name: str, *quantities: str, day: str = "2026-10-05") -> Path:
    """A usage report with one record for each quantity."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{day},S,r,m,{quantity},t" for quantity in quantities]
    file.write_text("\n".join([HEADER, *lines, ""]))
    return file


def usage(folder: Path, name: str = "usage") -> Source:
    """A source of usage reports."""
    return Source("usage", name, folder)


def standing(store: LandedStore, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """What the engine would read of ``table``: rows of the objects that stand, sorted."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    current = store.current_objects(table)
    rows: list[tuple[Any, ...]] = []
    for path in store.paths(table):
        found = pq.read_table(path, partitioning=None)
        assert isinstance(found, pa.Table)
        for row in found.to_pylist():
            if row["object_id"] in current.get(row["source"], ()):
                rows.append(tuple(row[column] for column in columns))
    return sorted(rows, key=repr)


def quantities(store: LandedStore) -> list[str]:
    """The standing quantities of every usage source."""
    return [row[0] for row in standing(store, "usage", ["quantity"])]
