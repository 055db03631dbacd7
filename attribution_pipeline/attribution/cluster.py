"""The cluster plane of a day: pods and nodes, with OpenCost's dollars as integer weights.

Belongs here: which snapshot stands, containers added up to pods, one price a node. Does not: reading
OpenCost (``sources/opencost``), its gates (``opencost_gates``), or what a pod costs (``workloads``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from attribution_pipeline.attribution.day import Compute, Landed, Plane
from attribution_pipeline.attribution.engine import Session, day_session
from attribution_pipeline.attribution.opencost_gates import snapshot
from attribution_pipeline.model.cutting import microseconds

TABLES = {"opencost_allocations": "landed_allocations", "opencost_assets": "landed_assets"}

SEVERAL_PRICES = (
    "select p.cluster, p.name, p.provider_id, p.instance_type, p.cpu_cost, p.gpu_cost, p.ram_cost "
    "from node_prices p join node_identities i "
    "on coalesce(i.cluster, '') = coalesce(p.cluster, '') and i.name = p.name "
    "where i.empties > 0 and i.filled > 0 order by all"
)


def cluster_plane(landed: Landed, day: date, *, out: Path, compute: Compute) -> Plane:
    """Tables ``pods``, ``nodes`` (grain: ``sql/planes/pods.sql``, ``sql/gates/nodes.sql``),
    ``volumes``, ``node_prices``.

    ``volumes``. Grain: volume or load balancer and the pod that mounts or owns it, cost in 1e-5.
    ``node_prices``. Every identity of nodes that have several, which no amount comes from.
    """
    with day_session(compute) as db:
        load_landed(db, landed, TABLES)
        for kind in ("allocations", "assets"):
            db.run("planes/snapshot_of_day", kind=kind, day_us=str(microseconds(day)))
        db.run("planes/pods")
        db.run("planes/volumes")
        findings = snapshot.gate(db)
        files, rows, digests = {}, {}, []
        for table in ("pods", "nodes", "volumes"):
            path = out / f"{table}.parquet"
            columns = [row[0] for row in db.rows(f"select column_name from (describe {table})")]
            rows[table] = db.write(f"select * from {table} order by all", path)
            files[table] = [str(path)]
            digests.append(db.set_digest(table, columns))
        path = out / "node_prices.parquet"
        rows["node_prices"] = db.write(SEVERAL_PRICES, path)
        files["node_prices"] = [str(path)]
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
    schema = pa.schema([("source", pa.string()), *SCHEMAS[table]])
    if not files:
        db.load(name, schema.empty_table())
    elif table in TABLES and _lack_columns(files, schema.names):
        db.load(f"{name}_as_now", schema.empty_table())
        db.view(f"{name}_as_landed", files, by_name=True)
        db.execute(
            f"create view {name} as select * from {name}_as_now "
            f"union all by name select * from {name}_as_landed"
        )
    else:
        db.view(name, files)


def _lack_columns(files: Sequence[str], names: Sequence[str]) -> bool:
    """Whether one of them was landed by a release that knew fewer columns."""
    import pyarrow.parquet as pq

    return any(not set(names) <= set(pq.read_schema(file).names) for file in files)
