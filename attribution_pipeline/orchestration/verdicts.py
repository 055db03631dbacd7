"""The last verdict on each recorded state, kept in the lake: what a replay came to, and when.

Belongs here: keeping it, reading it. Does not: the verdict (``proof.replay``), who replays and when
(``assets.replay``).

Dagster's event log has them too; a monitor reads the lake alone. What is kept decides nothing and may
be lost at any time: the next night's replays write it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from attribution_pipeline.lake.checked import said_by, with_digest

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.proof.replay import DayReplay

FOLDER = "replays"
"""Under the storage: ``replays/<manifest id>.json``."""


@dataclass(frozen=True)
class Verdict:
    """``code``: as ``attribution replay`` exits. ``differing``: rows, over all tables."""

    code: int
    differing: int
    replayed_at: datetime


def keep(house: House, replay: DayReplay) -> None:
    """The newest verdict on a state. Who may only read the storage keeps none."""
    said = {
        "code": replay.code,
        "differing": replay.compared.differing if replay.compared else 0,
        "replayed_at": house.now().isoformat(),
    }
    with contextlib.suppress(OSError):
        house.lake.store.replace(_name(replay.manifest_id), with_digest(said))


def kept(house: House, manifest_ids: Mapping[str, object]) -> dict[str, Verdict]:
    """Manifest id -> verdict, of those of the states that were replayed."""
    there = set(house.lake.store.names(FOLDER))
    found: dict[str, Verdict] = {}
    for identity in manifest_ids:
        if f"{identity}.json" not in there:
            continue
        try:
            said = said_by(house.lake.store.read(_name(identity)))
        except (FileNotFoundError, ValueError):
            continue  # half written, or gone: as good as never replayed
        found[identity] = Verdict(
            said["code"], said["differing"], datetime.fromisoformat(said["replayed_at"])
        )
    return found


def _name(manifest_id: str) -> str:
    return f"{FOLDER}/{manifest_id}.json"
