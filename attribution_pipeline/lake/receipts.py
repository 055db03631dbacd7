"""What was removed on purpose, as the receipts in ``pruned/`` tell it.

Belongs here: where receipts lie, what they say, whether a file is named by one. Does not: removing
(``pruned``), the choice (``pruning``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attribution_pipeline.lake.checked import said_by, with_digest
from attribution_pipeline.lake.store import Store, create_once

if TYPE_CHECKING:
    from datetime import date

FOLDER = "pruned"
SCHEMA = 1


def write(
    store: Store,
    now: datetime,
    states: Sequence[tuple[date, int]],
    files: Sequence[tuple[str, int, str]],
) -> None:
    """Keep a receipt. ``states``: (day, state) that can be read no more; ``files``: name, bytes, why."""
    said = {
        "schema": SCHEMA,
        "pruned_at": now.isoformat(),
        "states": [{"charge_date": day, "state": state} for day, state in states],
        "files": [{"path": name, "bytes": size, "why": why} for name, size, why in files],
    }
    name = f"{FOLDER}/{now.strftime('%Y%m%dT%H%M%SZ')}.json"
    create_once(store, name, with_digest(said))


def pruned_on(store: Store, name: str) -> str:
    """The day (ISO) of the newest receipt that names a file; empty where none does.

    A receipt that cannot be read says nothing: whoever asks has a missing file to tell of already.
    """
    try:
        receipts = store.names(FOLDER)
    except OSError:
        return ""
    for receipt in reversed(receipts):
        try:
            said = said_by(store.read(f"{FOLDER}/{receipt}"))
            if any(file["path"] == name for file in said["files"]):
                return str(said["pruned_at"])[:10]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ""
