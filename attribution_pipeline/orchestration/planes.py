"""A day's evidence: each plane computed from landed rows, once, and kept under its digest.

Belongs here: which landed files a plane of a day reads, and when a kept one still stands. Does not:
how a plane is made (``attribution``), whether a day is stale (``staleness``), Dagster.

A plane is a pure function of landed objects (and of few words of the policy). Its *basis* is the
digest of all that it reads, and costs next to nothing; while that is the same, the kept plane is
the plane. Its *digest* is that of its records: evidence that is delivered again changes the basis
and not the digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake.manifest import canonical
from attribution_pipeline.orchestration.governing import governing
from attribution_pipeline.proof.policy_reads import reads

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Landed, Plane
    from attribution_pipeline.lake import KeptPlane
    from attribution_pipeline.lake.files import StoredFile
    from attribution_pipeline.lake.landed import LandedFile, LandedView
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House

ASSET_OF_PLANE: Mapping[str, str] = {
    "billing": "billing_exports",
    "cluster": "opencost_snapshots",
    "operations": "span_partitions",
    "usage": "usage_reports",
    "kubernetes": "workload_identity",
    "closes": "close_records",
}
"""Plane of the engine -> the asset that people know it by. ``closes`` reads ``billing``'s."""

LANDED_TABLES: Mapping[str, tuple[str, ...]] = {
    "billing": ("billing",),
    "cluster": ("opencost_allocations", "opencost_assets"),
    "operations": ("spans",),
    "usage": ("usage",),
    "kubernetes": ("kubernetes",),
    "closes": ("closes", "billing"),
}
"""Plane -> the landed tables that it reads."""

WHOLE_PERIODS = ("billing", "closes")
"""Planes that read whole billing periods: which delivery stands, and what is closed, is decided
over them."""

SETTLING_DAYS = 95
"""How long after a day the calendar alone can still settle it: the longest billing period in use is
a quarter, and vendors invoice within days. Close records settle it at any time."""


def plane_of_day(house: House, name: str, day: date, policy: Policy | None = None) -> KeptPlane:
    """The plane's evidence of the day: the kept one where it still stands, else computed and kept.

    ``policy``: the one that governs the day, if the caller knows it already. Raises Refusal naming
    a landed file that was changed since it landed.
    """
    policy = policy or governing(house, day).policy
    basis = basis_of_day(house, name, day, policy)
    kept = house.lake.evidence.find(name, day, basis)
    if kept is not None:
        return kept
    files = _files(house.landed, name, day)
    house.landed.verify([file for found in files.values() for file in found])
    recipe = _digest(
        {
            "engine": _engine_digest(),
            "policy": reads(policy, name),
            "keys": _keys_digest(house, name),
        }
    )
    newest = house.lake.evidence.newest(name, day)
    with house.lake.staging(day) as out:
        plane = _late(house, newest, day, policy, recipe, files, out) or _compute(
            house, house.landed, name, day, policy, files, out
        )
        return house.lake.evidence.keep(
            name,
            day,
            basis=basis,
            digest=plane.digest,
            files={
                table: new_or_standing(paths, newest.files.get(table, ()) if newest else ())
                for table, paths in plane.files.items()
            },
            rows=plane.rows,
            findings=[asdict(finding) for finding in plane.findings],
            recipe=recipe,
            read={table: [file.sha256 for file in found] for table, found in files.items()},
        )


def _late(
    house: House,
    newest: KeptPlane | None,
    day: date,
    policy: Policy,
    recipe: str,
    files: Mapping[str, list[LandedFile]],
    out: Path,
) -> Plane | None:
    """The operations of the day from the plane that was kept last and the spans that came since."""
    if newest is None or newest.name != "operations" or newest.recipe != recipe:
        return None
    before = set(newest.read["spans"])
    late = [file for file in files["spans"] if file.sha256 not in before]
    if len(late) + len(before) != len(files["spans"]):
        return None
    from attribution_pipeline.attribution.late_plane import late_operation_plane

    return late_operation_plane(
        as_plane(house, newest),
        landed_of(house, house.landed, files),
        house.landed.local(late),
        day,
        policy,
        out=out,
        compute=house.compute(out),
        keys=house.keys,
    )


def new_or_standing(paths: Sequence[str], earlier: Sequence[StoredFile]) -> list[Path | StoredFile]:
    """Files as the lake takes them: those that stand already under their digest by name, the others
    as new ones."""
    standing = {file.sha256: file for file in earlier}
    return [standing.get(Path(path).stem, Path(path)) for path in paths]


def as_plane(house: House, kept: KeptPlane) -> Plane:
    """A kept plane as the engine takes it; each file is hashed first."""
    from attribution_pipeline.attribution.day import Finding, Plane

    paths = house.lake.evidence.paths(kept.as_input())
    return Plane(
        name=kept.name,
        files={table: [str(path) for path in found] for table, found in paths.items()},
        digest=kept.digest,
        rows=kept.rows,
        findings=[Finding(**finding) for finding in kept.findings],
    )


def planes_for(
    house: House,
    day: date,
    policy: Policy,
    scratch: Path,
    landed: LandedView | None = None,
    known: Mapping[str, Plane] = MappingProxyType({}),
) -> dict[str, Plane]:
    """Every plane of the day under ``policy``, in force or not, from what is landed today or was
    landed at ``landed``. What is neither ``known`` nor kept already is computed into ``scratch``, and
    not kept."""
    today = landed is None
    landed = landed or house.landed
    rule = governing(house, day).policy
    planes: dict[str, Plane] = {}
    for name in ASSET_OF_PLANE:
        if name in known:
            planes[name] = known[name]
            continue
        if today and reads(policy, name) == reads(rule, name):
            planes[name] = as_plane(house, plane_of_day(house, name, day, rule))
            continue
        files = _files(landed, name, day)
        landed.verify([file for found in files.values() for file in found])
        out = scratch / name
        out.mkdir(parents=True)
        planes[name] = _compute(house, landed, name, day, policy, files, out, planes.get("billing"))
    return planes


def planes_then(
    house: House,
    state: Published,
    policy: Policy,
    scratch: Path,
    known: Mapping[str, Plane] = MappingProxyType({}),
) -> dict[str, Plane]:
    """``planes_for`` the day of a state, from what had landed by then and by the clock of then: what was
    open is open again. Envelopes are verified with the keys of today: a key that was revoked since is not
    believed again."""
    then = replace(house, clock=lambda: state.recorded_at)
    landed = house.landed.as_of(state.landed)
    return planes_for(then, state.day, policy, scratch, landed, known)


def basis_of_day(house: House, name: str, day: date, policy: Policy | None = None) -> str:
    """Digest of everything that the plane of the day is computed from. Opens no evidence."""
    policy = policy or governing(house, day).policy
    files = _files(house.landed, name, day)
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
        "policy": reads(policy, name),
        "keys": _keys_digest(house, name),
    }
    if name in WHOLE_PERIODS:
        said["delivery"] = house.facts.delivery
        said["first_day"] = house.deployment.first_day
    if name == "closes":
        said["today"] = min(house.now().date(), day + timedelta(days=SETTLING_DAYS))
    return _digest(said)


def _digest(said: Any) -> str:
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def _keys_digest(house: House, name: str) -> str | None:
    """The keys that a plane's verdicts hang on, by fingerprint. They are part of what a plane is
    computed from and never of its digest: a key that no verdict hangs on changes nothing."""
    return house.keys.fingerprint() if name == "operations" else None


def _files(landed: LandedView, name: str, day: date) -> dict[str, list[LandedFile]]:
    """Landed files by table that may hold what the plane needs of the day.

    Spans: those that end near the day, for twins and ancestors. Whole periods: all of them. The
    rest: the day's own.
    """
    from attribution_pipeline.attribution.operations import LOOKBACK_DAYS

    around = timedelta(days=LOOKBACK_DAYS if name == "operations" else 0)
    window = (None, None) if name in WHOLE_PERIODS else (day - around, day + around)
    return {table: landed.files(table, *window) for table in LANDED_TABLES[name]}


def not_yet_due(house: House, newest: date) -> list[dict[str, Any]]:
    """What the standing bill says of days after ``newest``: see ``attribution.billing``."""
    from attribution_pipeline.attribution.billing import not_yet_due as due_later

    files = _files(house.landed, "billing", newest)
    house.landed.verify([file for found in files.values() for file in found])
    with house.lake.staging(newest) as out:
        return due_later(
            landed_of(house, house.landed, files),
            house.facts,
            after=newest,
            first_day=house.deployment.first_day,
            compute=house.compute(out),
        )


def landed_of(house: House, landed: LandedView, files: Mapping[str, list[LandedFile]]) -> Landed:
    """Landed files as the engine takes them."""
    from attribution_pipeline.attribution.day import Landed

    return Landed(
        files={table: landed.local(found) for table, found in files.items()},
        current_objects={table: landed.current_objects(table) for table in files},
    )


def _compute(
    house: House,
    store: LandedView,
    name: str,
    day: date,
    policy: Policy,
    files: Mapping[str, list[LandedFile]],
    out: Path,
    billing: Plane | None = None,
) -> Plane:
    from attribution_pipeline.attribution.billing import billing_plane
    from attribution_pipeline.attribution.closes import closes_plane
    from attribution_pipeline.attribution.cluster import cluster_plane
    from attribution_pipeline.attribution.operations import operation_plane
    from attribution_pipeline.attribution.reports import kubernetes_plane, usage_plane

    landed = landed_of(house, store, files)
    compute = house.compute(out)
    if name == "billing":
        first_day = house.deployment.first_day
        return billing_plane(
            landed, house.facts, day, first_day=first_day, out=out, compute=compute
        )
    if name == "operations":
        return operation_plane(landed, day, policy, out=out, compute=compute, keys=house.keys)
    if name == "closes":
        billing = billing or as_plane(house, plane_of_day(house, "billing", day, policy))
        return closes_plane(
            landed, house.facts, billing, day, policy, now=house.now(), out=out, compute=compute
        )
    if name == "kubernetes":
        return kubernetes_plane(landed, day, policy, out=out, compute=compute)
    simple: Mapping[str, Callable[..., Plane]] = {"cluster": cluster_plane, "usage": usage_plane}
    return simple[name](landed, day, out=out, compute=compute)


@cache
def _engine_digest() -> str:
    """Digest of the engine's own files: a plane that other code made is made again.

    Finer than the kernel's version, which stands for formulas and is changed by hand. It decides
    only what is reused, never what is recorded.
    """
    import attribution_pipeline.attribution as engine
    import attribution_pipeline.envelope as envelope

    digest = hashlib.sha256()
    for package in (engine, envelope):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".sql"):
                digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
                digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()
