"""The small planes of a day: usage reports and Kubernetes snapshots, as landed, current ones only.

Belongs here: which rows are of the day. Does not: reading them (``sources/tables``), or what a
quantity weighs (``drivers``).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from attribution_pipeline.attribution.cluster import load_landed
from attribution_pipeline.attribution.day import Compute, Landed, Plane
from attribution_pipeline.attribution.engine import session
from attribution_pipeline.model.evidence import ORIGIN, SCHEMAS


def usage_plane(landed: Landed, day: date, *, out: Path, compute: Compute) -> Plane:
    """Table ``usage``. Grain: one row of a usage report of the day."""
    return _rows_of_day("usage", landed, day, out, compute)


def kubernetes_plane(landed: Landed, day: date, *, out: Path, compute: Compute) -> Plane:
    """Table ``kubernetes``. Grain: one object of the day's snapshot."""
    return _rows_of_day("kubernetes", landed, day, out, compute)


def _rows_of_day(table: str, landed: Landed, day: date, out: Path, compute: Compute) -> Plane:
    path = out / f"{table}.parquet"
    origin = {field.name for field in ORIGIN}
    said = ", ".join(f'"{name}"' for name in SCHEMAS[table].names if name not in origin)
    with session(compute) as db:
        load_landed(db, landed, {table: "landed"})
        db.execute(
            f"create table {table} as select l.* from landed l join standing_objects o "
            f"on o.source = l.source and o.object_id = l.object_id where l.date = date '{day}'"
        )
        rows = db.write(f"select * from {table} order by source, {said}", path)
        digest = db.digest(table, ["source", *said.split(", ")])
    return Plane(table, {table: str(path)}, digest, {table: rows})
