"""The small planes of a day: usage reports, and what Kubernetes objects say of tenants.

Belongs here: which rows are of the day. Does not: reading them (``sources/tables``), or what a
quantity weighs (``drivers``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.cluster import load_landed
from attribution_pipeline.attribution.day import Compute, Finding, Landed, Plane
from attribution_pipeline.attribution.engine import Session, day_session
from attribution_pipeline.attribution.nodes import sanitised_label
from attribution_pipeline.attribution.opencost_gates import under_policy
from attribution_pipeline.model.evidence import ORIGIN, SCHEMAS

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy


def usage_plane(landed: Landed, day: date, *, out: Path, compute: Compute) -> Plane:
    """Table ``usage``. Grain: one row of a usage report of the day."""
    said = [f'"{name}"' for name in SCHEMAS["usage"].names if name not in _ORIGIN]
    with day_session(compute) as db:
        load_landed(db, landed, {"usage": "landed"})
        db.execute(
            "create table usage as select l.* from landed l join standing_objects o "
            f"on o.source = l.source and o.object_id = l.object_id where l.date = date '{day}'"
        )
        return _plane(db, "usage", ["source", *said], out)


def kubernetes_plane(
    landed: Landed, day: date, policy: Policy, *, out: Path, compute: Compute
) -> Plane:
    """Table ``kubernetes``. Grain: one object of the day that can name a tenant, with the policy's
    tenant label alone."""
    key = policy.join.tenant_label
    said = ["cluster", "namespace", "kind", "name", "labels", "annotations"]
    with day_session(compute) as db:
        load_landed(db, landed, {"kubernetes": "landed"})
        db.run(
            "planes/kubernetes",
            key=key.replace("'", "''"),
            path=_json_path(key),
            sanitised=_json_path(sanitised_label(key)),
            day=day.isoformat(),
        )
        plane = _plane(db, "kubernetes", said, out)
        return replace(plane, findings=_colliding_labels(db, key, day))


def _colliding_labels(db: Session, key: str, day: date) -> list[Finding]:
    """Objects with two labels that Prometheus, and so OpenCost, has one name for."""
    if "_" not in sanitised_label(key):
        return []
    pattern = under_policy.spelling_pattern(key).replace("'", "''")
    return [
        Finding("label_collision", "warn", f"{cluster}/{namespace}/{kind} {name}", keys)
        for cluster, namespace, kind, name, *documents in db.rows(
            "select distinct coalesce(l.cluster, ''), coalesce(l.namespace, ''), l.kind, l.name, "
            "l.labels, l.annotations from landed l join standing_objects o "
            "on o.source = l.source and o.object_id = l.object_id "
            f"where l.date = date '{day}' and (regexp_matches(coalesce(l.labels, ''), '{pattern}') "
            f"or regexp_matches(coalesce(l.annotations, ''), '{pattern}')) order by all"
        )
        for keys in under_policy.colliding(documents, key)
    ]


_ORIGIN = {field.name for field in ORIGIN}


def _plane(db: Session, table: str, said: Sequence[str], out: Path) -> Plane:
    path = out / f"{table}.parquet"
    rows = db.write(f"select * from {table} order by {', '.join(said)}", path)
    return Plane(table, {table: [str(path)]}, db.set_digest(table, said), {table: rows})


def _json_path(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
    return f'$."{escaped}"'
