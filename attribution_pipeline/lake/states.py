"""The recorded states of every day, as the ledger's log tells them.

Belongs here: what a ledger commit's note says, and the manifest behind it. Does not: writing one
(``tables``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from attribution_pipeline.lake import manifest as manifests
from attribution_pipeline.lake.delta import Commit, DayTable
from attribution_pipeline.lake.files import StoredFile, read_verified
from attribution_pipeline.model.errors import Refusal


@dataclass(frozen=True)
class Published:
    """One recorded state of a day: the note of the ledger commit that published it."""

    day: date
    manifest_id: str
    manifest_file: StoredFile
    state: int
    state_key: str
    policy: str
    policy_version: int
    policy_digest: str
    ledger_version: int
    committed_at_ms: int


def note(manifest: Mapping[str, Any], identity: str, file: StoredFile) -> dict[str, Any]:
    """What the ledger's commit says of a day, beside its files."""
    return {
        "charge_date": manifest["charge_date"],
        "manifest": identity,
        "manifest_file": file.as_dict(),
        "state": manifest["state"],
        "state_key": manifests.state_key(manifest),
        "policy": manifest["policy"]["policy"],
        "policy_version": manifest["policy"]["version"],
        "policy_digest": manifest["policy"]["digest"],
    }


class States:
    """Published states, read from the ledger's log once and then only what is new."""

    def __init__(self, storage: Path, ledger: DayTable) -> None:
        self._storage = storage
        self._ledger = ledger
        self._seen_version = -1
        self._found: list[Published] = []

    def all(self) -> Sequence[Published]:
        """Every state ever published, in the order of the log."""
        for commit in self._ledger.commits(after=self._seen_version):
            self._found.append(_published(commit))
            self._seen_version = commit.version
        return tuple(self._found)

    def heads(self) -> dict[date, Published]:
        """The newest state of every recorded day, oldest day first."""
        newest = {state.day: state for state in self.all()}
        return {day: newest[day] for day in sorted(newest)}

    def head(self, day: date) -> Published | None:
        """The day's newest state, or None where none was recorded."""
        return self.heads().get(day)

    def document(self, state: Published) -> dict[str, Any]:
        """The manifest of a state, after its digest was found to be the one of the commit."""
        rows = read_verified(self._storage, state.manifest_file, ["document"])
        text = rows["document"][0].as_py()
        if manifests.manifest_id(text) != state.manifest_id:
            raise Refusal(
                f"the manifest of {state.day} is not the one that the ledger's commit names",
                where=str(self._storage / state.manifest_file.path),
                remedy="restore the file from a copy, or run the day again",
            )
        loaded: dict[str, Any] = json.loads(text)
        return loaded


def _published(commit: Commit) -> Published:
    said = commit.note
    return Published(
        day=date.fromisoformat(said["charge_date"]),
        manifest_id=said["manifest"],
        manifest_file=StoredFile(**said["manifest_file"]),
        state=said["state"],
        state_key=said["state_key"],
        policy=said["policy"],
        policy_version=said["policy_version"],
        policy_digest=said["policy_digest"],
        ledger_version=commit.version,
        committed_at_ms=commit.timestamp_ms,
    )
