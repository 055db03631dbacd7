"""A day's evidence: each plane computed from landed rows, once, and kept under its digest.

Belongs here: which landed files a plane of a day reads, and when a kept one still stands. Does not:
how a plane is made (``attribution``), Dagster.

A plane is a pure function of landed objects. Its *basis* is the digest of all that it reads; while
that is the same, the kept plane is the plane. So a ledger may be materialized alone, from the UI or
after a policy change, and is never computed from evidence that is out of date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake.manifest import canonical

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Landed, Plane
    from attribution_pipeline.lake import KeptPlane
    from attribution_pipeline.lake.landed import LandedFile
    from attribution_pipeline.orchestration.house import House

ASSET_OF_PLANE: Mapping[str, str] = {
    "billing": "billing_exports",
    "cluster": "opencost_snapshots",
    "operations": "span_partitions",
    "usage": "usage_reports",
    "kubernetes": "workload_identity",
}
"""Plane of the engine -> the asset that people know it by."""

LANDED_TABLES: Mapping[str, tuple[str, ...]] = {
    "billing": ("billing",),
    "cluster": ("opencost_allocations", "opencost_assets"),
    "operations": ("spans",),
    "usage": ("usage",),
    "kubernetes": ("kubernetes",),
}
"""Plane -> the landed tables that it reads."""


def plane_of_day(house: House, name: str, day: date) -> KeptPlane:
    """The plane's evidence of the day: the kept one where it still stands, else computed and kept.

    Raises Refusal naming a landed file that was changed since it landed.
    """
    files = _files(house, name, day)
    basis = _basis(house, name, day, files)
    kept = house.lake.evidence.find(name, day, basis)
    if kept is not None:
        return kept
    house.landed.verify([file for found in files.values() for file in found])
    with house.lake.staging(day) as out:
        plane = _compute(house, name, day, files, out)
        return house.lake.evidence.keep(
            name,
            day,
            basis=basis,
            digest=plane.digest,
            files={table: Path(path) for table, path in plane.files.items()},
            rows=plane.rows,
            findings=[asdict(finding) for finding in plane.findings],
        )


def as_plane(house: House, kept: KeptPlane) -> Plane:
    """A kept plane as the engine takes it; each file is hashed first."""
    from attribution_pipeline.attribution.day import Finding, Plane

    paths = house.lake.evidence.paths(kept.as_input())
    return Plane(
        name=kept.name,
        files={table: str(path) for table, path in paths.items()},
        digest=kept.digest,
        rows=kept.rows,
        findings=[Finding(**finding) for finding in kept.findings],
    )


def _files(house: House, name: str, day: date) -> dict[str, list[LandedFile]]:
    """Landed files by table that may hold what the plane needs of the day.

    Billing: all of them, since which delivery stands is decided over whole billing periods. Spans:
    those that end near the day, for twins and ancestors. The rest: the day's own.
    """
    from attribution_pipeline.attribution.operations import LOOKBACK_DAYS

    around = timedelta(days=LOOKBACK_DAYS if name == "operations" else 0)
    window = (None, None) if name == "billing" else (day - around, day + around)
    return {table: house.landed.files(table, *window) for table in LANDED_TABLES[name]}


def _basis(house: House, name: str, day: date, files: Mapping[str, list[LandedFile]]) -> str:
    """Digest of everything that the plane of the day is computed from."""
    inside = {object_id for found in files.values() for file in found for object_id in file.objects}
    said = {
        "engine": _engine_digest(),
        "day": day,
        "files": {table: sorted(file.sha256 for file in found) for table, found in files.items()},
        # every landed span stands; of the rest newer objects take older ones back
        "objects": {
            table: {
                source: [one for one in ids if one in inside]
                for source, ids in house.landed.current_objects(table).items()
            }
            for table in files
            if name != "operations"
        },
    }
    if name == "billing":
        said["delivery"] = house.facts.delivery
        said["first_day"] = house.deployment.first_day
    if name == "operations":
        said["policy"] = house.policies.in_force(day)[1]
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def not_yet_due(house: House, newest: date) -> list[dict[str, Any]]:
    """What the standing bill says of days after ``newest``: see ``attribution.billing``."""
    from attribution_pipeline.attribution.billing import not_yet_due as due_later

    files = _files(house, "billing", newest)
    house.landed.verify([file for found in files.values() for file in found])
    with house.lake.staging(newest) as out:
        return due_later(
            _landed(house, files),
            house.facts,
            after=newest,
            first_day=house.deployment.first_day,
            compute=house.compute(out),
        )


def _landed(house: House, files: Mapping[str, list[LandedFile]]) -> Landed:
    from attribution_pipeline.attribution.day import Landed

    storage = house.deployment.storage_folder
    return Landed(
        files={
            table: [str(storage / file.path) for file in found] for table, found in files.items()
        },
        current_objects={table: house.landed.current_objects(table) for table in files},
    )


def _compute(
    house: House, name: str, day: date, files: Mapping[str, list[LandedFile]], out: Path
) -> Plane:
    from attribution_pipeline.attribution.billing import billing_plane
    from attribution_pipeline.attribution.cluster import cluster_plane
    from attribution_pipeline.attribution.operations import operation_plane
    from attribution_pipeline.attribution.reports import kubernetes_plane, usage_plane

    landed = _landed(house, files)
    compute = house.compute(out)
    if name == "billing":
        first_day = house.deployment.first_day
        return billing_plane(
            landed, house.facts, day, first_day=first_day, out=out, compute=compute
        )
    if name == "operations":
        policy, _ = house.policies.in_force(day)
        return operation_plane(landed, day, policy, out=out, compute=compute)
    simple: Mapping[str, Callable[..., Plane]] = {
        "cluster": cluster_plane,
        "usage": usage_plane,
        "kubernetes": kubernetes_plane,
    }
    return simple[name](landed, day, out=out, compute=compute)


@cache
def _engine_digest() -> str:
    """Digest of the engine's own files: a plane that other code made is made again.

    Finer than the kernel's version, which stands for formulas and is changed by hand. It decides
    only what is reused, never what is recorded.
    """
    import attribution_pipeline.attribution as engine

    folder = Path(engine.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".sql"):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()
