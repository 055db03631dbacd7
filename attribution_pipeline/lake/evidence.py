"""Day evidence at rest: what a plane gave for a day, kept under its digest for replay.

Belongs here: keeping a plane's files, and finding the newest kept plane of a day again. Does not:
how a plane is computed (``attribution``), which one a ledger was computed from (its manifest).

Files: ``evidence/<plane>/charge_date=<day>/<sha256>.parquet``. Beside them ``newest.json`` says
which belong together and from what they were computed. It saves work and decides nothing: it may
be lost at any time, and one that was damaged is as good as lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from attribution_pipeline.lake.checked import said_by, with_digest
from attribution_pipeline.lake.crash import crash_point
from attribution_pipeline.lake.files import StoredFile, damage, place, verified
from attribution_pipeline.lake.store import Store

NEWEST = "newest.json"


@dataclass(frozen=True)
class KeptPlane:
    """A plane's day evidence: its digest, its files by table (the base, then what came late), and
    what its gates noticed.

    ``basis``: digest of everything that it was computed from. Equal basis, equal plane. Of its
    parts, ``read`` are the sha256 of landed files by table, and ``recipe`` is the digest of the
    rest (engine, policy): with the same recipe, files that came since can be added to it.
    """

    name: str
    basis: str
    digest: str
    files: Mapping[str, tuple[StoredFile, ...]]
    rows: Mapping[str, int]
    findings: Sequence[Mapping[str, str]]
    recipe: str = ""
    read: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def as_input(self) -> dict[str, Any]:
        """As it stands under ``inputs`` of a manifest."""
        return {
            "digest": self.digest,
            "files": {
                table: [file.as_dict() for file in files]
                for table, files in sorted(self.files.items())
            },
            "rows": dict(self.rows),
        }


class DayEvidence:
    """Kept planes in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(
        self,
        name: str,
        day: date,
        *,
        basis: str,
        digest: str,
        files: Mapping[str, Sequence[Path | StoredFile]],
        rows: Mapping[str, int],
        findings: Sequence[Mapping[str, str]] = (),
        recipe: str = "",
        read: Mapping[str, Sequence[str]] | None = None,
    ) -> KeptPlane:
        """Move a plane's finished files to their place; it is then the newest of its day.

        A ``StoredFile`` stands already and is named again.
        """
        folder = _folder(name, day)
        stored = {
            table: tuple(
                file if isinstance(file, StoredFile) else place(self._store, Path(file), folder)
                for file in found
            )
            for table, found in sorted(files.items())
        }
        crash_point("evidence.placed")
        kept = KeptPlane(
            name, basis, digest, stored, dict(rows), list(findings), recipe, dict(read or {})
        )
        self._store.replace(f"{folder}/{NEWEST}", with_digest(asdict(kept)))
        crash_point("evidence.pointed")
        return kept

    def find(self, name: str, day: date, basis: str) -> KeptPlane | None:
        """The kept plane that was computed from ``basis``; None where it must be computed."""
        kept = self.newest(name, day)
        return kept if kept is not None and kept.basis == basis else None

    def newest(self, name: str, day: date) -> KeptPlane | None:
        """The plane that was kept last, whole; None where there is none."""
        try:
            said = said_by(self._store.read(f"{_folder(name, day)}/{NEWEST}"))
        except (FileNotFoundError, ValueError):
            return None
        files = {
            table: tuple(StoredFile(**entry) for entry in entries)
            for table, entries in said["files"].items()
        }
        kept = KeptPlane(**{**said, "files": files})
        # whoever uses the files has them verified again
        if any(damage(self._store, file, anew=False) for many in files.values() for file in many):
            return None
        return kept

    def paths(self, inputs: Mapping[str, Any]) -> dict[str, list[Path]]:
        """Files by table of one entry of a manifest's ``inputs``; each is hashed first."""
        return {
            table: [verified(self._store, StoredFile(**entry)) for entry in entries]
            for table, entries in inputs["files"].items()
        }


def _folder(name: str, day: date) -> str:
    return f"evidence/{name}/charge_date={day.isoformat()}"
