"""The recorded states of every day, as the ledger's log tells them.

Belongs here: what a ledger commit's note says, and the manifest behind it. Does not: writing one
(``tables``).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from attribution_pipeline.lake import manifest as manifests
from attribution_pipeline.lake.delta import Commit, DayTable
from attribution_pipeline.lake.files import StoredFile, read_verified
from attribution_pipeline.lake.formats import require_known
from attribution_pipeline.lake.store import Store
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
    kernel: str
    inputs: Mapping[str, str]
    """Plane -> digest of the evidence that the day was computed from."""
    recorded_at: datetime
    """When the run computed it, as its rows say."""
    published_at: datetime
    """When its commit was made: from then on it is what readers see."""
    run_id: str
    settled: bool
    """Whether any of its charges was closed: a new policy reaches back over it only by force."""
    landed: int
    """The number of the newest landing when it was computed; 0 before any."""
    ledger_version: int
    committed_at_ms: int


def note(
    manifest: Mapping[str, Any], identity: str, file: StoredFile, published_at: datetime
) -> dict[str, Any]:
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
        "kernel": manifest["kernel"],
        "inputs": {name: plane["digest"] for name, plane in manifest["inputs"].items()},
        "recorded_at": manifest["recorded_at"],
        "published_at": published_at.isoformat(),
        "run_id": manifest.get("run_id", ""),
        "settled": bool(manifest.get("settled")),
        "landed": manifest.get("landed", {}).get("ordinal", 0),
    }


class States:
    """Published states, read from the ledger's log once and then only what is new."""

    def __init__(self, store: Store, ledger: DayTable) -> None:
        self._store = store
        self._ledger = ledger
        self._lock = threading.Lock()
        self._seen_version = -1
        self._found: list[Published] = []
        self._by_day: dict[date, list[Published]] = {}

    def all(self) -> Sequence[Published]:
        """Every state ever published, in the order of the log."""
        self._refresh()
        return tuple(self._found)

    def of(self, day: date) -> Sequence[Published]:
        """The states of a day, oldest first."""
        self._refresh()
        return tuple(self._by_day.get(day, ()))

    def heads(self, as_of: datetime | None = None) -> dict[date, Published]:
        """The newest state of every day, oldest day first: of those published by ``as_of``."""
        self._refresh()
        newest = {day: _newest(self._by_day[day], as_of) for day in sorted(self._by_day)}
        return {day: state for day, state in newest.items() if state is not None}

    def head(self, day: date, as_of: datetime | None = None) -> Published | None:
        """The day's newest state published by ``as_of``; None where there is none."""
        self._refresh()
        return _newest(self._by_day.get(day, ()), as_of)

    def document(self, state: Published) -> dict[str, Any]:
        """The manifest of a state, after its digest was found to be the one of the commit."""
        return _document(self._store, state.manifest_file, state.manifest_id)

    def _refresh(self) -> None:
        with self._lock:
            for commit in self._ledger.commits(after=self._seen_version):
                state = _published(commit)
                self._found.append(state)
                self._by_day.setdefault(state.day, []).append(state)
                self._seen_version = commit.version


def require_true(store: Store, said: Mapping[str, Any], files: Sequence[str]) -> None:
    """Raise Refusal unless the note of a ledger commit is what its manifest makes of it.

    ``files``: the ledger's files of the day after the commit. For a commit that has no seal yet.
    """
    try:
        file = StoredFile(**said["manifest_file"])
        document = _document(store, file, said["manifest"])
        true = note(document, said["manifest"], file, datetime.fromisoformat(said["published_at"]))
        named = sorted(entry["path"] for entry in document["files"]["ledger"])
    except (ValueError, KeyError, TypeError):
        true, named = {}, []
    if named != list(files) or not true or any(said.get(key) != true[key] for key in true):
        raise Refusal(
            "the newest commit of the ledger has no seal and is not what its manifest says",
            where=store.where("ledger/_delta_log"),
            remedy="restore the newest file in it from a copy",
        )


def _document(store: Store, file: StoredFile, identity: str) -> dict[str, Any]:
    rows = read_verified(store, file, ["document"])
    text = rows["document"][0].as_py()
    if manifests.manifest_id(text) != identity:
        raise Refusal(
            "a manifest is not the one that the ledger's commit names",
            where=store.where(file.path),
            remedy="restore the file from a copy, or run the day again",
        )
    loaded: dict[str, Any] = json.loads(text)
    require_known("manifest", loaded.get("schema"), store.where(file.path))
    return loaded


def _newest(states: Sequence[Published], as_of: datetime | None) -> Published | None:
    for state in reversed(states):
        if as_of is None or state.published_at <= as_of:
            return state
    return None


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
        kernel=said["kernel"],
        inputs=said["inputs"],
        recorded_at=datetime.fromisoformat(said["recorded_at"]),
        published_at=datetime.fromisoformat(said["published_at"]),
        run_id=said["run_id"],
        settled=said["settled"],
        landed=said["landed"],
        ledger_version=commit.version,
        committed_at_ms=commit.timestamp_ms,
    )
