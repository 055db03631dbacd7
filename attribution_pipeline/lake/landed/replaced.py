"""Files of landed spans in whose stead later ones stand: what was read again for more attributes.

Belongs here: which these are, and between which landings each of them stood. Does not: whether anybody
needs one still (``lake.pruning``), reading again (``sources``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from attribution_pipeline.lake.landed.index import Landing
from attribution_pipeline.lake.landed.records import LandedFile


@dataclass(frozen=True)
class Replaced:
    """A file that stood from landing ``since`` until landing ``until`` came."""

    file: LandedFile
    since: int
    until: int
    replaced_at: datetime


def replaced_files(landings: Sequence[Landing]) -> list[Replaced]:
    """In the order in which they were replaced; a file that stood twice is named twice. A file that
    stands now is none of them."""
    standing: dict[str, tuple[int, LandedFile]] = {}
    found: list[Replaced] = []
    for landing in landings:
        again = {file.path for file in landing.files}
        for path in landing.replaces:
            if path in standing and path not in again:
                since, file = standing.pop(path)
                at = datetime.fromisoformat(landing.landed_at)
                found.append(Replaced(file, since, landing.ordinal, at))
        for file in landing.files:
            standing.setdefault(file.path, (landing.ordinal, file))
    return [one for one in found if one.file.path not in standing]
