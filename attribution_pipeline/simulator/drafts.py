"""What stood before: bills of an open month that are restated later, and what comes only later.

Belongs here: how an early bill differs from the final one, and the record of what came when. Does
not: layouts (``exports``), playing it (``commands/truth``).

The company's folder holds the final state of everything. ``truth/arrivals.json`` lists, stage by
stage, the files that came later than the rest; ``truth/before`` holds what stood in their place
until then, where anything did.
"""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from attribution_pipeline.simulator.faults import CORRECTIONS, LATE_SPANS, RESTATED_BILLS

STAGES = (LATE_SPANS, RESTATED_BILLS, CORRECTIONS)
"""Faults that something arrives late under, in the order in which they are played."""

MISSING_SHARE, CHANGED_SHARE = 0.05, 0.30
PERCENTS = (80, 90, 105, 125)
_AMOUNTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
_CENTS = Decimal("0.01")


def draft(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows as a bill of the open month said them: some with other amounts, some not there yet.
    By each row's content, so that no other fault's luck changes it."""
    found = []
    for row in rows:
        luck = sha256(repr(sorted(row.items())).encode()).digest()
        share = luck[0] / 256
        if share < MISSING_SHARE:
            continue
        if share < MISSING_SHARE + CHANGED_SHARE:
            row = _scaled(row, PERCENTS[luck[1] % len(PERCENTS)])
        found.append(row)
    return found


def _scaled(row: dict[str, str], percent: int) -> dict[str, str]:
    changed = {
        # cents: an open month's bill is rough, and a double carries them
        name: format((Decimal(row[name]) * percent / 100).quantize(_CENTS), "f")
        for name in _AMOUNTS
    }
    return row | changed


class Arrivals:
    """Which files came after the others, and what stood there before."""

    def __init__(self, directory: Path, faults: frozenset[str]) -> None:
        self.directory = directory
        self.faults = faults
        self._paths: dict[str, list[str]] = defaultdict(list)

    def later(self, stage: str, path: Path, before: bytes | None = None) -> None:
        """``path`` (final state) came at ``stage``; ``before`` is what stood there until then."""
        name = path.relative_to(self.directory).as_posix()
        self._paths[stage].append(name)
        if before is not None:
            earlier = self.directory / "truth" / "before" / name
            earlier.parent.mkdir(parents=True, exist_ok=True)
            earlier.write_bytes(before)

    def write(self) -> None:
        """``truth/arrivals.json``: stages that have anything, in their order."""
        told = [
            {"stage": stage, "paths": sorted(self._paths[stage])}
            for stage in STAGES
            if self._paths[stage]
        ]
        path = self.directory / "truth" / "arrivals.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(told, indent=1))
