"""One day, from its planes to its commit.

Belongs here: the order (governing policy, evidence, reconcile, commit) and the manifest's content.
Does not: Dagster (``assets``), formulas (``attribution``), how a commit is made (``lake``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution import KERNEL
from attribution_pipeline.lake import CommitReceipt
from attribution_pipeline.lake.crash import crash_point
from attribution_pipeline.orchestration.garbage import seldom_collected
from attribution_pipeline.orchestration.governing import Governing, governing
from attribution_pipeline.orchestration.planes import (
    ASSET_OF_PLANE,
    as_plane,
    new_or_standing,
    plane_of_day,
)
from attribution_pipeline.proof.replay_frozen import as_previous, verified

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Outcome
    from attribution_pipeline.lake import KeptPlane
    from attribution_pipeline.lake.files import StoredFile
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.orchestration.house import House


def record_day(house: House, day: date, *, force: bool = False, run_id: str = "") -> CommitReceipt:
    """Reconcile the day under the policy that governs it, and commit it as its next state.

    A day whose evidence, policy and kernel are those of its newest state, whole, is left alone.
    ``force``: a new policy version reaches back over closed periods, and the ledger says so.
    Raises Refusal for evidence or a policy that can't be used, Broken where an invariant fails,
    ``lake.DayMoved`` where another run recorded the day meanwhile. Nothing is published then.
    """
    with seldom_collected():
        return _recorded(house, day, force, run_id)


def _recorded(house: House, day: date, force: bool, run_id: str) -> CommitReceipt:
    rule = governing(house, day, force=force)
    head = house.lake.head(day)
    kept = {name: plane_of_day(house, name, day, rule.policy) for name in ASSET_OF_PLANE}
    if head is not None and _stands(head, kept, rule):
        if not house.lake.differences(day):
            return house.lake.receipt(head)
        return _mend(house, head, kept, rule)
    stamp = _Stamp(house.now(), run_id, rule.forced)
    return _record(house, day, kept, rule, stamp, head)


def _stands(head: Published, kept: Mapping[str, KeptPlane], rule: Governing) -> bool:
    """Whether the recorded state was computed from this very evidence, by this very rule."""
    return (
        {name: plane.digest for name, plane in kept.items()} == dict(head.inputs)
        and head.policy_digest == rule.digest
        and head.kernel == KERNEL
    )


def _mend(
    house: House, head: Published, kept: Mapping[str, KeptPlane], rule: Governing
) -> CommitReceipt:
    """A state whose files rotted, or whose side tables ran ahead, put back as it was: computed
    again from the state before it and at its own time, its files come out byte for byte."""
    said = house.lake.document(head)
    stamp = _Stamp(head.recorded_at, head.run_id, said["forced"])
    before = state_before(house, head)
    house.lake.policies.keep(rule.policy)
    with house.lake.staging(head.day) as out:
        outcome = _reconcile(house, head.day, kept, rule, stamp, before, out)
        return house.lake.mend_day(head.day, _files(house, outcome, before))


def state_before(house: House, state: Published) -> Published | None:
    """The state of the same day that this one followed."""
    return next(
        (found for found in house.lake.states(state.day) if found.state == state.state - 1), None
    )


@dataclass(frozen=True)
class _Stamp:
    """When, by which run, and whether by force."""

    recorded_at: datetime
    run_id: str
    forced: bool


def _record(
    house: House,
    day: date,
    kept: Mapping[str, KeptPlane],
    rule: Governing,
    stamp: _Stamp,
    before: Published | None,
) -> CommitReceipt:
    with house.lake.staging(day) as out:
        outcome = _reconcile(house, day, kept, rule, stamp, before, out)
        crash_point("recording.reconciled")
        manifest = {
            **_manifest(house, kept, rule, stamp, outcome),
            "previous": before.manifest_id if before else None,
        }
        receipt = house.lake.commit_day(day, _files(house, outcome, before), manifest)
        if outcome.hashes:
            house.lake.content.keep(day, outcome.hashes)
        return receipt


def _reconcile(
    house: House,
    day: date,
    kept: Mapping[str, KeptPlane],
    rule: Governing,
    stamp: _Stamp,
    before: Published | None,
    out: Path,
) -> Outcome:
    from attribution_pipeline.attribution.late import reconcile_late
    from attribution_pipeline.attribution.reconcile import reconcile

    planes = {name: as_plane(house, plane) for name, plane in kept.items()}
    common: dict[str, Any] = {
        "policy_digest": rule.digest,
        "recorded_at": stamp.recorded_at,
        "run_id": stamp.run_id,
        "forced": stamp.forced,
        "out": out,
        "compute": house.compute(out),
    }
    if before is None:
        return reconcile(planes, rule.policy, day, **common)
    document = house.lake.document(before)
    previous = replace(
        as_previous(house.lake, document),
        hashes=house.lake.content.of(day, document["output"]["content_digest"]),
    )
    operations = verified(house.lake, document["inputs"]["operations"]["files"]["operations"])
    late = reconcile_late(planes, operations, rule.policy, day, previous=previous, **common)
    return late or reconcile(planes, rule.policy, day, previous=previous, **common)


def _files(
    house: House, outcome: Outcome, before: Published | None
) -> dict[str, list[Path | StoredFile]]:
    """What the new state consists of: new files, beside earlier ones where those still stand.
    Revisions are only ever added."""
    said = house.lake.document(before)["files"] if before else {}
    files: dict[str, list[Path | StoredFile]] = {}
    for table in {*outcome.files, *said}:
        earlier = [house.lake.stored(entry) for entry in said.get(table, [])]
        files[table] = new_or_standing(outcome.files.get(table, ()), earlier)
        if table == "ledger_revisions" or table in outcome.adds_to:
            files[table] = [*earlier, *files[table]]
    return files


def _manifest(
    house: House,
    kept: Mapping[str, KeptPlane],
    rule: Governing,
    stamp: _Stamp,
    outcome: Outcome,
) -> dict[str, Any]:
    policy = rule.policy
    ordinal, name = house.landed.head
    return {
        "recorded_at": stamp.recorded_at.isoformat(),
        "run_id": stamp.run_id,
        "forced": stamp.forced,
        "settled": bool(kept["closes"].rows.get("is_settled")),
        "kernel": KERNEL,
        "policy": {
            "policy": policy.policy,
            "version": policy.version,
            "digest": rule.digest,
            "file": house.lake.policies.keep(policy).as_dict(),
        },
        "inputs": {name: plane.as_input() for name, plane in kept.items()},
        "landed": {"ordinal": ordinal, "name": name},
        "output": {
            "content_digest": outcome.content_digest,
            "unheld_digest": outcome.unheld_digest,
            "rows": dict(outcome.rows),
            "revised": dict(outcome.causes),
            "totals": [dict(row) for row in outcome.totals],
            "tie_out": outcome.tie_out.to_pylist(),
            "coverage": outcome.coverage.to_pylist(),
            "findings": [
                *(dict(found) for plane in kept.values() for found in plane.findings),
                *(asdict(found) for found in outcome.findings),
            ],
        },
    }
