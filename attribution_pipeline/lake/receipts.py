"""What was removed on purpose, as the receipts in ``pruned/`` tell it.

Belongs here: where receipts lie, what they say, which files they name. Does not: removing
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


def pruned(store: Store) -> dict[str, str]:
    """Every file that a receipt names -> the day (ISO) of the newest one. Reads each receipt once: who
    asks of many files asks this once.

    A receipt that cannot be read says nothing: whoever asks has a missing file to tell of already.
    """
    found: dict[str, str] = {}
    try:
        names = sorted(store.names(FOLDER))
    except OSError:
        return found
    for name in names:
        try:
            said = said_by(store.read(f"{FOLDER}/{name}"))
            day = str(said["pruned_at"])[:10]
            found.update({file["path"]: day for file in said["files"]})
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def pruned_on(store: Store, name: str) -> str:
    """The day of one file; empty where no receipt names it."""
    return pruned(store).get(name, "")
