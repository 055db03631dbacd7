"""One day, from its planes to its commit.

Belongs here: the order (policy in force, evidence, reconcile, commit) and the manifest's content.
Does not: Dagster (``assets``), formulas (``attribution``), how a commit is made (``lake``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.planes import ASSET_OF_PLANE, as_plane, plane_of_day

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Outcome
    from attribution_pipeline.lake import CommitReceipt, KeptPlane
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House


def record_day(house: House, day: date) -> CommitReceipt:
    """Reconcile the day under the policy in force on it, and commit it.

    Raises Refusal for evidence or a policy that can't be used, Broken where an invariant fails,
    ``lake.DayMoved`` where another run recorded the day meanwhile. Nothing is published then.
    """
    from attribution_pipeline.attribution.reconcile import reconcile

    policy, digest = policy_of_day(house, day)
    head = house.lake.head(day)
    kept = {name: plane_of_day(house, name, day) for name in ASSET_OF_PLANE}
    recorded_at = datetime.now(UTC).replace(microsecond=0)
    with house.lake.staging(day) as out:
        outcome = reconcile(
            {name: as_plane(house, plane) for name, plane in kept.items()},
            policy,
            day,
            policy_digest=digest,
            recorded_at=recorded_at,
            out=out,
            compute=house.compute(out),
        )
        manifest = {
            **_manifest(kept, policy, digest, recorded_at, outcome),
            "previous": head.manifest_id if head else None,
        }
        files = {table: Path(path) for table, path in outcome.files.items()}
        return house.lake.commit_day(day, files, manifest)


def policy_of_day(house: House, day: date) -> tuple[Policy, str]:
    """The version in force and its digest. Refused where a recorded day used the same version with
    another content: published means immutable."""
    policy, digest = house.policies.in_force(day)
    for state in house.lake.states():
        used = (state.policy, state.policy_version)
        if used == (policy.policy, policy.version) and state.policy_digest != digest:
            raise Refusal(
                f"version {policy.version} of policy {policy.policy} was changed after {state.day} "
                f"was recorded under it (its digest then {state.policy_digest[:12]}, "
                f"now {digest[:12]})",
                where=_where(house, policy.version),
                remedy="restore the file, and publish the change as a version of its own",
            )
    return policy, digest


def _where(house: House, version: int) -> str:
    found = [entry.where for entry in house.policies.published if entry.policy.version == version]
    return found[0] if found else house.policies.folder


def _manifest(
    kept: Mapping[str, KeptPlane],
    policy: Policy,
    policy_digest: str,
    recorded_at: datetime,
    outcome: Outcome,
) -> dict[str, Any]:
    from attribution_pipeline.attribution import KERNEL

    return {
        "recorded_at": recorded_at.isoformat(),
        "kernel": KERNEL,
        "policy": {"policy": policy.policy, "version": policy.version, "digest": policy_digest},
        "inputs": {name: plane.as_input() for name, plane in kept.items()},
        "output": {
            "content_digest": outcome.content_digest,
            "rows": dict(outcome.rows),
            "totals": [dict(row) for row in outcome.totals],
            "tie_out": outcome.tie_out.to_pylist(),
            "coverage": outcome.coverage.to_pylist(),
            "findings": [
                *(dict(found) for plane in kept.values() for found in plane.findings),
                *(asdict(found) for found in outcome.findings),
            ],
        },
    }
