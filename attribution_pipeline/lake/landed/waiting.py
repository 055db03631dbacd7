"""What the last landing found in the sources and did not read, kept beside what it landed.

Belongs here: the one file. Does not: what it says of whom (``sources.awaiting``), who is told.
It decides nothing and may be lost at any time: the next landing writes it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attribution_pipeline.lake.checked import said_by, with_digest
from attribution_pipeline.lake.store import Store

FILE = "landed/awaiting.json"
SCHEMA = 1


def keep_waiting(store: Store, waiting: Sequence[dict[str, Any]]) -> None:
    """Over what was kept before. Where that says the same, nothing is written."""
    found = list(waiting)
    if found != kept_waiting(store):
        store.replace(FILE, with_digest({"schema": SCHEMA, "waiting": found}))


def kept_waiting(store: Store) -> list[dict[str, Any]]:
    """As last kept; nothing where nothing was, or nothing that this version reads."""
    try:
        said = said_by(store.read(FILE))
    except (FileNotFoundError, ValueError):
        return []
    return list(said["waiting"]) if said.get("schema") == SCHEMA else []
