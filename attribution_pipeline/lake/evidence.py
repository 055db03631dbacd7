"""Day evidence at rest: what a plane gave for a day, kept under its digest for replay.

Belongs here: keeping a plane's files, and finding the newest kept plane of a day again. Does not:
how a plane is computed (``attribution``), which one a ledger was computed from (its manifest).

Files: ``evidence/<plane>/charge_date=<day>/<sha256>.parquet``. Beside them ``newest.json`` says
which belong together and from what they were computed. It saves work and decides nothing: it may
be lost at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from attribution_pipeline.lake.files import StoredFile, damage, place, sync_folder, verified

NEWEST = "newest.json"


@dataclass(frozen=True)
class KeptPlane:
    """A plane's day evidence: its digest, its files by table, and what its gates noticed.

    ``basis``: digest of everything that it was computed from. Equal basis, equal plane.
    """

    name: str
    basis: str
    digest: str
    files: Mapping[str, StoredFile]
    rows: Mapping[str, int]
    findings: Sequence[Mapping[str, str]]

    def as_input(self) -> dict[str, Any]:
        """As it stands under ``inputs`` of a manifest."""
        return {
            "digest": self.digest,
            "files": {table: file.as_dict() for table, file in sorted(self.files.items())},
            "rows": dict(self.rows),
        }


class DayEvidence:
    """Kept planes under one storage folder."""

    def __init__(self, storage: Path) -> None:
        self.storage = storage

    def keep(
        self,
        name: str,
        day: date,
        *,
        basis: str,
        digest: str,
        files: Mapping[str, Path],
        rows: Mapping[str, int],
        findings: Sequence[Mapping[str, str]] = (),
    ) -> KeptPlane:
        """Move a plane's finished files to their place; it is then the newest of its day."""
        folder = _folder(name, day)
        stored = {
            table: place(Path(path), self.storage, folder) for table, path in sorted(files.items())
        }
        kept = KeptPlane(name, basis, digest, stored, dict(rows), list(findings))
        self._point_to(self.storage / folder, kept)
        return kept

    def find(self, name: str, day: date, basis: str) -> KeptPlane | None:
        """The kept plane that was computed from ``basis``; None where it must be computed."""
        path = self.storage / _folder(name, day) / NEWEST
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        if said.get("basis") != basis:
            return None
        files = {table: StoredFile(**entry) for table, entry in said["files"].items()}
        kept = KeptPlane(**{**said, "files": files})
        if any(damage(self.storage, file) for file in files.values()):
            return None
        return kept

    def paths(self, inputs: Mapping[str, Any]) -> dict[str, Path]:
        """Files by table of one entry of a manifest's ``inputs``; each is hashed first."""
        return {
            table: verified(self.storage, StoredFile(**entry))
            for table, entry in inputs["files"].items()
        }

    def _point_to(self, folder: Path, kept: KeptPlane) -> None:
        part = folder / f".{NEWEST}.{os.getpid()}"
        try:
            part.write_text(json.dumps(asdict(kept), sort_keys=True), encoding="utf-8")
            part.replace(folder / NEWEST)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
        sync_folder(folder)


def _folder(name: str, day: date) -> str:
    return f"evidence/{name}/charge_date={day.isoformat()}"
