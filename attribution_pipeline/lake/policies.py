"""Policies as days were recorded under them: frozen documents, one for each digest.

Belongs here: keeping a policy's document, and getting the policy back from it. Does not: which
version is in force (``model.policy``).

A day's manifest names the document by sha256, so that a version can be run again when its file is
long gone from the folder where people publish.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake.crash import crash_point
from attribution_pipeline.lake.files import StoredFile, verified
from attribution_pipeline.lake.store import Store
from attribution_pipeline.model.errors import Broken, Refusal
from attribution_pipeline.model.strict import EXACT, validated
from attribution_pipeline.model.yaml_lines import Document

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

FOLDER = "policies"

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


class FrozenPolicies:
    """The policy documents of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, policy: Policy) -> StoredFile:
        """Keep the policy's document; the same policy again gives the same file."""
        text = _json(policy.model_dump(by_alias=True, exclude_unset=True))
        path = f"{FOLDER}/{policy.digest}.json"
        if _parsed(text, path).digest != policy.digest:
            raise Broken(f"policy {policy.policy} version {policy.version} does not read back")
        content = text.encode()
        if not self._is_kept(path, content):
            self._store.replace(path, content)
            crash_point("policy.kept")
        return StoredFile(path, hashlib.sha256(content).hexdigest(), len(content), 1)

    def _is_kept(self, path: str, content: bytes) -> bool:
        try:
            return self._store.read(path) == content
        except FileNotFoundError:
            return False

    def load(self, entry: Mapping[str, Any] | StoredFile) -> Policy:
        """The policy in a kept document, as ``policy.file`` of a manifest names it.

        Raises Refusal where the file is missing or is not the recorded one.
        """
        stored = entry if isinstance(entry, StoredFile) else StoredFile(**entry)
        path = verified(self._store, stored)
        policy = _parsed(path.read_text(encoding="utf-8"), str(path))
        if stored.path != f"{FOLDER}/{policy.digest}.json":
            raise Refusal(
                f"the document of policy {policy.policy} has another digest than its name",
                where=str(path),
                remedy="restore it from a copy",
            )
        return policy


def _parsed(text: str, path: str) -> Policy:
    """The same model and the same checks as for a published file; JSON has one spelling."""
    from attribution_pipeline.model.policy import Policy

    return validated(Document(path, json.loads(text, parse_float=Decimal), {(): 1}), Policy)


def _json(value: Any) -> str:
    """JSON text of a parsed policy, values as people write them: numbers digit by digit, ``72h``."""
    match value:
        case Decimal():
            return str(value.normalize(EXACT))  # one spelling: 0.990 has the digest of 0.99
        case date():
            return json.dumps(value.isoformat())
        case timedelta():
            return json.dumps(_duration(value))
        case dict():
            items = (f"{json.dumps(key)}:{_json(item)}" for key, item in sorted(value.items()))
            return "{" + ",".join(items) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_json, value)) + "]"
        case _:
            return json.dumps(value)


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
    return f"{seconds // size}{unit}"
