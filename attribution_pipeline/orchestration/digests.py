"""Today's evidence digests: what each plane of each recorded day comes to, as last looked at.

Belongs here: bringing them up to date, and their one file. Does not: comparing them with what days
were recorded from (``staleness``), how a plane is made (``planes``), Dagster.

``<storage>/evidence/digests.json`` saves a sensor from opening evidence and decides nothing by
itself: it may be lost at any time, and is then written anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.planes import ASSET_OF_PLANE, basis_of_day, plane_of_day

if TYPE_CHECKING:
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.orchestration.house import House

SCHEMA = 2
FILE = "evidence/digests.json"
TOLD_EVERY_DAYS = 25
"""A line in the log after so many days: a year of them is minutes after a restated month."""


@dataclass(frozen=True)
class PlaneDigest:
    """One plane of one day: what it was computed from, and what it came to; no digest where it was
    not computed, because the day is stale without it."""

    basis: str
    digest: str


@dataclass(frozen=True)
class DayDigests:
    """One day. ``refused``: plane -> why its evidence can't be used, in one line."""

    planes: Mapping[str, PlaneDigest] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EvidenceDigests:
    """What was last looked at. ``landed``: number of the newest landing then. ``policies``: digest
    of the policies folder then, see ``policies_digest``. ``keys``: fingerprint of the key ring then."""

    landed: int
    written_at: datetime
    policies: str
    keys: str
    days: Mapping[date, DayDigests]


@dataclass
class Looked:
    """What bringing the digests up to date took. ``computed``: planes made anew, by asset."""

    digests: EvidenceDigests
    computed: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """One line for each plane of a day that can't be used."""


def last_digests(house: House) -> EvidenceDigests | None:
    """The digests as last written; None where there are none, or none that this version reads."""
    try:
        said = json.loads(house.lake.store.read(FILE))
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(said, dict) or said.get("schema") != SCHEMA:
        return None
    return EvidenceDigests(
        landed=said["landed"],
        written_at=datetime.fromisoformat(said["written_at"]),
        policies=said["policies"],
        keys=said["keys"],
        days={
            date.fromisoformat(day): DayDigests(
                {name: PlaneDigest(**plane) for name, plane in found["planes"].items()},
                found["refused"],
            )
            for day, found in said["days"].items()
        },
    )


def bring_up_to_date(house: House, tell: Callable[[str], None] = lambda _: None) -> Looked:
    """Look at every recorded day, make the planes whose basis moved, and write the digests.

    A plane that can't be used is told and stops no other. Raises Refusal where policies or the
    index of landed evidence can't be used.
    """
    house.require_policy_history()
    last = last_digests(house)
    keys = house.keys.fingerprint()
    looked = Looked(
        EvidenceDigests(house.landed.head[0], house.now(), policies_digest(house), keys, {})
    )
    days: dict[date, DayDigests] = {}
    heads = newest_states(house)
    for number, (day, head) in enumerate(heads.items(), start=1):
        before = last.days.get(day, DayDigests()) if last else DayDigests()
        days[day] = _look(house, head, before, looked)
        if number % TOLD_EVERY_DAYS == 0 or number == len(heads):
            made = sum(looked.computed.values())
            tell(f"{number:,} of {len(heads):,} recorded days looked at, {made:,} planes computed")
    looked.digests = replace(looked.digests, days=days)
    newest = last_digests(house)
    if newest is None or newest.landed <= looked.digests.landed:
        _write(house, looked.digests)
    else:
        tell(f"another run looked at landing {newest.landed:,} meanwhile: its digests stay")
    return looked


def newest_states(house: House) -> dict[date, Published]:
    """The newest state of every recorded day, oldest day first, in one pass over the log."""
    newest = {state.day: state for state in house.lake.states()}
    return {day: newest[day] for day in sorted(newest)}


def policies_digest(house: House) -> str:
    """Digest of the policy files as they lie there, read or not: any touch of them is noticed."""
    from attribution_pipeline.model.policy.book import SUFFIXES

    digest = hashlib.sha256()
    folder = house.deployment.policies_folder
    if not folder.is_dir():
        return digest.hexdigest()
    for path in sorted(folder.iterdir()):
        if path.suffix in SUFFIXES and path.is_file():
            digest.update(
                f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
            )
    return digest.hexdigest()


def _look(house: House, head: Published, before: DayDigests, looked: Looked) -> DayDigests:
    from attribution_pipeline.orchestration.governing import governing

    planes: dict[str, PlaneDigest] = {}
    refused: dict[str, str] = {}
    try:
        rule = governing(house, head.day)
    except Refusal as refusal:
        looked.refused.append(f"{head.day}: {refusal.line()}")
        return DayDigests(before.planes, {"policy": refusal.line()})
    for name in ASSET_OF_PLANE:
        last = before.planes.get(name)
        # stale by its policy: its operations are computed when the day is, not twice
        later = name == "operations" and rule.digest != head.policy_digest
        try:
            planes[name] = _plane(house, name, head.day, rule.policy, last, looked, later)
        except Refusal as refusal:
            refused[name] = refusal.line()
            looked.refused.append(f"{head.day} {ASSET_OF_PLANE[name]}: {refusal.line()}")
    return DayDigests(planes, refused)


def _plane(
    house: House,
    name: str,
    day: date,
    policy: Policy,
    last: PlaneDigest | None,
    looked: Looked,
    later: bool,
) -> PlaneDigest:
    basis = basis_of_day(house, name, day, policy)
    if last is not None and last.basis == basis and (last.digest or later):
        return last
    if later:
        return PlaneDigest(basis, "")
    kept = plane_of_day(house, name, day, policy)
    asset = ASSET_OF_PLANE[name]
    looked.computed[asset] = looked.computed.get(asset, 0) + 1
    return PlaneDigest(basis, kept.digest)


def _write(house: House, digests: EvidenceDigests) -> None:
    said: dict[str, Any] = {
        "schema": SCHEMA,
        "landed": digests.landed,
        "written_at": digests.written_at.isoformat(),
        "policies": digests.policies,
        "keys": digests.keys,
        "days": {
            day.isoformat(): {
                "planes": {
                    name: {"basis": plane.basis, "digest": plane.digest}
                    for name, plane in found.planes.items()
                },
                "refused": dict(found.refused),
            }
            for day, found in digests.days.items()
        },
    }
    house.lake.store.replace(FILE, json.dumps(said, sort_keys=True, indent=0).encode())
