"""The cluster plane of a day: pods and nodes, with OpenCost's dollars as integer weights.

Belongs here: which snapshot stands, containers added up to pods, one price a node, the gates.
Does not: reading OpenCost (``sources/opencost``), or what a pod costs (``workloads``).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from attribution_pipeline.attribution.day import Compute, Finding, Landed, Plane
from attribution_pipeline.attribution.engine import Session, session, sql_text
from attribution_pipeline.model.cutting import microseconds

TABLES = {"opencost_allocations": "landed_allocations", "opencost_assets": "landed_assets"}


def cluster_plane(landed: Landed, day: date, *, out: Path, compute: Compute) -> Plane:
    """Tables ``pods``, ``nodes`` (grain: ``sql/planes/pods.sql``), ``volumes``.

    ``volumes``. Grain: volume or load balancer and the pod that mounts or owns it, cost in 1e-5.
    """
    with session(compute) as db:
        load_landed(db, landed, TABLES)
        for kind in ("allocations", "assets"):
            db.run("planes/snapshot_of_day", kind=kind, day_us=str(microseconds(day)))
        db.run("planes/pods")
        db.run("planes/volumes")
        findings = [Finding(*row) for row in db.rows(sql_text("checks/nodes"))]
        files, rows, digests = {}, {}, []
        for table in ("pods", "nodes", "volumes"):
            path = out / f"{table}.parquet"
            columns = [row[0] for row in db.rows(f"select column_name from (describe {table})")]
            rows[table] = db.write(f"select * from {table} order by all", path)
            files[table] = [str(path)]
            digests.append(db.set_digest(table, columns))
        return Plane("cluster", files, "-".join(digests), rows, findings)


def load_landed(db: Session, landed: Landed, tables: dict[str, str]) -> None:
    """Landed files as views, and ``standing_objects`` (table_name, source, object_id, ordinal)."""
    import pyarrow as pa

    standing = []
    for table, view in tables.items():
        view_landed(db, landed, table, view)
        for source, ids in landed.current_objects.get(table, {}).items():
            standing += [(table, source, object_id, n) for n, object_id in enumerate(ids)]
    columns = list(zip(*standing, strict=True)) or [(), (), (), ()]
    db.load(
        "standing_objects",
        pa.table(
            {
                "table_name": pa.array(columns[0], pa.string()),
                "source": pa.array(columns[1], pa.string()),
                "object_id": pa.array(columns[2], pa.string()),
                "ordinal": pa.array(columns[3], pa.int64()),
            }
        ),
    )


def view_landed(db: Session, landed: Landed, table: str, name: str) -> None:
    """Landed files of a table as the view ``name``; no files, no rows."""
    import pyarrow as pa

    from attribution_pipeline.model.evidence import SCHEMAS

    files = landed.files.get(table, ())
    if files:
        db.view(name, files)
    else:
        db.load(name, pa.schema([("source", pa.string()), *SCHEMAS[table]]).empty_table())
