"""What the last landing found in the sources and did not read, kept beside what it landed.

Belongs here: its two files. Does not: what they say of whom (``sources.awaiting``, ``sources.looked_for``), who
is told. They decide nothing and may be lost at any time: the next landing writes them again. Until then
nothing is known, which is not the same as nothing that waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attribution_pipeline.lake.checked import said_by, with_digest
from attribution_pipeline.lake.store import Store

FILE = "landed/awaiting.json"
SCHEMA = 1

LOOKED_FILE = "landed/looked_for.json"
LOOKED_SCHEMA = 1


def keep_waiting(store: Store, waiting: Sequence[dict[str, Any]]) -> None:
    """Over what was kept before, whatever that is. Where it says the same, nothing is written."""
    _keep(store, FILE, {"schema": SCHEMA, "waiting": list(waiting)})


def kept_waiting(store: Store) -> list[dict[str, Any]] | None:
    """As last kept; None where nothing was, or nothing that this version reads."""
    said = _kept(store, FILE, SCHEMA).get("waiting")
    return said if isinstance(said, list) else None


def keep_looked(store: Store, looked: Mapping[str, Any]) -> None:
    """Which objects a landing looked for and did not find, over what was kept before."""
    _keep(store, LOOKED_FILE, {"schema": LOOKED_SCHEMA, "looked": dict(looked)})


def kept_looked(store: Store) -> dict[str, Any] | None:
    """As last kept; None where nothing was, or nothing that this version reads."""
    said = _kept(store, LOOKED_FILE, LOOKED_SCHEMA).get("looked")
    return said if isinstance(said, dict) else None


def _keep(store: Store, name: str, said: Mapping[str, Any]) -> None:
    content = with_digest(said)
    try:
        if store.read(name) == content:
            return
    except FileNotFoundError:
        pass
    store.replace(name, content)


def _kept(store: Store, name: str, schema: int) -> dict[str, Any]:
    try:
        said = said_by(store.read(name))
    except (FileNotFoundError, ValueError):  # damaged is as good as lost
        return {}
    return said if said.get("schema") == schema else {}
