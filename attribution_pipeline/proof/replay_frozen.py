"""What a recorded state was computed from, opened again: every file hashed first.

Belongs here: a state's inputs, its policy document, the state that it followed, in the words of the
engine. Does not: computing anything from them (``replay``), keeping files (``lake``).

A file that is missing or was changed is a Refusal that names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.day import Plane, Previous
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.model.policy import Policy

FOLLOWED = ("ledger", "operation_costs", "operations", "variances")
"""Tables of the state before that a next state reads (``attribution.day.Previous``)."""


@dataclass(frozen=True)
class Frozen:
    """A recorded state with all that it takes to make it again."""

    state: Published
    manifest: Mapping[str, Any]
    policy: Policy
    planes: Mapping[str, Plane]
    previous: Previous | None

    @property
    def recorded_at(self) -> datetime:
        """As its rows say it."""
        return datetime.fromisoformat(self.manifest["recorded_at"])


def frozen(lake: Lake, state: Published) -> Frozen:
    """The inputs of ``state``. Raises Refusal naming a file that is missing or was changed."""
    manifest = lake.document(state)
    return Frozen(
        state,
        manifest,
        policy_of(lake, manifest),
        planes_of(lake, manifest),
        previous_of(lake, state, manifest),
    )


def policy_of(lake: Lake, manifest: Mapping[str, Any]) -> Policy:
    """The frozen document of the policy that a manifest names."""
    said = manifest["policy"]
    name = f"policy {said['policy']} version {said['version']}"
    try:
        policy = lake.policies.load(said["file"])
    except Refusal as refusal:
        raise Refusal(
            f"{name}: {refusal.what}", where=refusal.where, remedy=refusal.remedy
        ) from refusal
    if policy.digest != said["digest"]:
        raise Refusal(
            f"{name}: its frozen document has digest {policy.digest[:12]}, the manifest says "
            f"{said['digest'][:12]}",
            where=str(lake.storage / said["file"]["path"]),
            remedy="restore it from a copy",
        )
    return policy


def planes_of(lake: Lake, manifest: Mapping[str, Any]) -> dict[str, Plane]:
    """The evidence that a state was computed from, as the engine takes it."""
    return {
        name: Plane(
            name=name,
            files={table: verified(lake, entries) for table, entries in said["files"].items()},
            digest=said["digest"],
            rows=said["rows"],
        )
        for name, said in manifest["inputs"].items()
    }


def files_of(lake: Lake, manifest: Mapping[str, Any], table: str) -> list[str]:
    """A table's files of a state, hashed; none where the state has none."""
    return verified(lake, manifest["files"].get(table, ()))


def verified(lake: Lake, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Files that a manifest names, hashed."""
    return [str(lake.verified(lake.stored(entry))) for entry in entries]


def previous_of(lake: Lake, state: Published, manifest: Mapping[str, Any]) -> Previous | None:
    """The state that ``state`` followed, through the chain of manifests; None for the first."""
    document = document_before(lake, state, manifest)
    return None if document is None else as_previous(lake, document)


def as_previous(lake: Lake, document: Mapping[str, Any]) -> Previous:
    """A recorded state, by its manifest, as the one that another follows."""
    inputs = document["inputs"]
    closes = inputs.get("closes", {"files": {}})
    return Previous(
        files={table: files_of(lake, document, table) for table in FOLLOWED},
        settled=verified(lake, closes["files"].get("settled", ())),
        inputs={name: said["digest"] for name, said in inputs.items()},
        policy_digest=document["policy"]["digest"],
        kernel=document["kernel"],
    )


def document_before(
    lake: Lake, state: Published, manifest: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The manifest of the state before; None for the first of a day."""
    identity = manifest["previous"]
    if identity is None:
        return None
    for other in lake.states(state.day):
        if other.manifest_id == identity:
            return lake.document(other)
    raise Refusal(
        f"state {state.state} of {state.day} follows manifest {identity[:12]}, "
        "which the ledger's log does not name",
        where=str(lake.storage / "ledger" / "_delta_log"),
        remedy="restore the log from a copy",
    )
