"""What a day's content digest is of: the hash of every row of its ledger, kept so that a state that
changes few rows makes few hashes.

Belongs here: keeping them, believing them. Does not: what a row's hash is (``attribution``).

It saves work and decides nothing: the hashes of a state are those that give the content digest which
its manifest says. Any others are as good as lost, and none are missed.
"""

from __future__ import annotations

from datetime import date

from attribution_pipeline.lake.store import Store
from attribution_pipeline.model.row_hashes import HASH_BYTES, digest_of_hashes


class DayContent:
    """Hashes of the newest state of days, in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, day: date, hashes: bytes) -> None:
        """Hashes in order, end to end, in place of those that the day had."""
        self._store.replace(_name(day), hashes)

    def of(self, day: date, content_digest: str) -> bytes:
        """The hashes that a content digest of the day is of; none where others are kept, or none."""
        try:
            hashes = self._store.read(_name(day))
        except FileNotFoundError:
            return b""
        is_it = len(hashes) % HASH_BYTES == 0 and digest_of_hashes(hashes) == content_digest
        return hashes if is_it else b""


def _name(day: date) -> str:
    return f"evidence/content/charge_date={day.isoformat()}/newest.hashes"
