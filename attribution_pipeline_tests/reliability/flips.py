"""One bit of one file turned over, and who notices.

Belongs here: choosing bits, turning them over and back, asking everyone who reads. Does not: how
digests are kept (``lake``).

A bit is turned over in place, readers are asked in this process, and it is turned back: some
hundred flips a second.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attribution_pipeline.lake import Lake, Published
from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.lake.shapes import LEDGER, SIDE_TABLES, TABLES
from attribution_pipeline.model.errors import Refusal


@dataclass
class FlipTally:
    """What a series of flips came to."""

    flips: Counter[str] = field(default_factory=Counter)
    """By kind of file."""
    verify_named: int = 0
    """Flips that ``Lake.verify`` told by the file's name."""
    readers_refused: int = 0
    """Flips that a reader met and refused by name, before anything was parsed."""
    readers_untouched: int = 0
    """Flips in files that the asked reader does not open: it answered as before."""
    violations: list[str] = field(default_factory=list)


def named_files(storage: Path) -> dict[Path, str]:
    """Every file that a manifest or Delta's log stands on, and its kind."""
    lake = Lake(storage)
    found: dict[Path, str] = {}
    for state in lake.states():
        found |= dict.fromkeys(_of_state(lake, state), "")
        for path, kind in _kinds(lake, state).items():
            found[path] = kind
    for table in TABLES:
        for path in (storage / table / "_delta_log").rglob("*"):
            if path.is_file():
                found[path] = "log"
    for path in LandedStore(storage).paths("spans"):
        found[Path(path)] = "landed"
    for path in (storage / "landed" / "index").glob("*.json"):
        found[path] = "landed index"
    return {path: kind for path, kind in found.items() if path.stat().st_size}
