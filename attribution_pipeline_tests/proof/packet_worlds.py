"""Random worlds, recorded in a lake of their own, and the contents of packets of them.

Belongs here: a world's day as a run would record it. Does not: packets as such (``packets``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path

from attribution_pipeline.attribution import KERNEL
from attribution_pipeline.attribution.billing import billing_plane
from attribution_pipeline.attribution.cluster import cluster_plane
from attribution_pipeline.attribution.day import Compute, Landed, Plane, SourceFacts
from attribution_pipeline.attribution.operations import operation_plane
from attribution_pipeline.attribution.reconcile import reconcile
from attribution_pipeline.attribution.reports import kubernetes_plane, usage_plane
from attribution_pipeline.lake import Lake, Published
from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.proof.packet.build import Contents, Sources, build
from attribution_pipeline_tests.worlds import World
from attribution_pipeline_tests.worlds.write import landed

ISSUED_AT = datetime(2027, 1, 2, tzinfo=UTC)


def recorded_world(world: World, folder: Path) -> tuple[Lake, Published]:
    """A world's day, recorded in a lake as a run would record it."""
    lake = Lake(folder / "lake", clock=lambda: ISSUED_AT)
    (folder / "landed").mkdir(parents=True)
    files, objects = landed(world.evidence, folder / "landed")
    compute = Compute(threads=1, memory_limit="1GB")
    with lake.staging(world.day) as staging:

        def out(name: str) -> Path:
            (staging / name).mkdir()
            return staging / name

        planes = _planes(world, Landed(files, objects), out, compute)
        kept = {
            name: lake.evidence.keep(
                name, world.day, basis="world", digest=plane.digest,
                files={table: [Path(path) for path in found] for table, found in plane.files.items()},
                rows=plane.rows,
            )
            for name, plane in planes.items()
        }  # fmt: skip
        again = {
            name: Plane(
                name,
                {table: [str(path) for path in found]
                 for table, found in lake.evidence.paths(plane.as_input()).items()},
                plane.digest, plane.rows,
            )
            for name, plane in kept.items()
        }  # fmt: skip
        outcome = reconcile(
            again, world.policy, world.day, policy_digest=world.policy.digest,
            recorded_at=ISSUED_AT, out=out("out"), compute=compute,
        )  # fmt: skip
        policy = world.policy
        manifest = {
            "recorded_at": ISSUED_AT.isoformat(), "run_id": "world", "forced": False,
            "settled": False, "kernel": KERNEL, "landed": {"ordinal": 0, "name": ""},
            "policy": {"policy": policy.policy, "version": policy.version,
                       "digest": policy.digest, "file": lake.policies.keep(policy).as_dict()},
            "inputs": {name: plane.as_input() for name, plane in kept.items()},
            "output": {
                "content_digest": outcome.content_digest, "unheld_digest": outcome.unheld_digest,
                "rows": dict(outcome.rows), "totals": [dict(row) for row in outcome.totals],
                "tie_out": outcome.tie_out.to_pylist(), "coverage": outcome.coverage.to_pylist(),
                "findings": [asdict(found) for found in outcome.findings],
            },
        }  # fmt: skip
        lake.commit_day(
            world.day,
            {name: [Path(path) for path in paths] for name, paths in outcome.files.items()},
            manifest,
        )
    state = lake.head(world.day)
    assert state is not None
    return lake, state


def _planes(
    world: World, here: Landed, out: Callable[[str], Path], compute: Compute
) -> dict[str, Plane]:
    return {
        "billing": billing_plane(
            here, SourceFacts(delivery=world.evidence.delivery), world.day,
            first_day=world.first_day, out=out("billing"), compute=compute,
        ),
        "cluster": cluster_plane(here, world.day, out=out("cluster"), compute=compute),
        "operations": operation_plane(
            here, world.day, world.policy, out=out("operations"), compute=compute
        ),
        "usage": usage_plane(here, world.day, out=out("usage"), compute=compute),
        "kubernetes": kubernetes_plane(
            here, world.day, world.policy, out=out("kubernetes"), compute=compute
        ),
    }  # fmt: skip


def contents_of(lake: Lake, state: Published, tenant: str) -> Contents:
    """A packet's contents, of one day of a lake without landed spans."""
    sources = Sources(
        lake,
        LandedStore(lake.storage).as_of,
        lambda _folder: Compute(threads=1, memory_limit="1GB"),
    )
    day: date = state.day
    return build(sources, [state], tenant, first=day, last=day, issued_at=ISSUED_AT)
