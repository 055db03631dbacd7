"""What the index records: files with their digests, objects with what became of them.

Belongs here: the two records and their JSON. Does not: writing or finding index files (``index``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

KIND_OF_TABLE = {
    "billing": "billing",
    "spans": "spans",
    "opencost_allocations": "opencost",
    "opencost_assets": "opencost",
    "usage": "usage",
    "kubernetes": "kubernetes",
    "closes": "closes",
    "controls": "controls",
    "reservations": "reservations",
    "outcomes": "outcomes",
}
"""Landed table -> the list under ``sources`` in the deployment file whose objects fill it."""

REJECTED_TABLE = "rejected"

EVERY_OBJECT_STANDS = ("spans", "closes")
"""Kinds whose objects are deliveries of their own: a path that is written anew takes nothing back
(a close record is taken back by a newer one, never by editing a file).
Of the others the newest content of a path stands."""


@dataclass(frozen=True)
class LandedFile:
    """One Parquet file of landed rows. Grain: the table's, with ``source`` in front."""

    table: str
    source: str
    path: str
    """Relative to the storage folder, ``/`` separated."""
    sha256: str
    bytes: int
    rows: int
    day_from: date | None
    """First UTC day that its rows touch; null for rejected records, and where rows touch none."""
    day_to: date | None
    """Last UTC day, inclusive."""
    objects: tuple[str, ...] = ()
    """Ids of the objects in it, where newer objects can take them back; else empty."""

    def touches(self, day_from: date | None, day_to: date | None) -> bool:
        """Whether it may hold rows of these days; an open end is null."""
        if self.day_from is None or self.day_to is None:
            return day_from is None and day_to is None
        after = day_to is not None and self.day_from > day_to
        before = day_from is not None and self.day_to < day_from
        return not after and not before

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the index."""
        return {
            **{name.name: getattr(self, name.name) for name in fields(self)},
            "day_from": _iso(self.day_from),
            "day_to": _iso(self.day_to),
            "objects": list(self.objects),
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> LandedFile:
        """From the index."""
        values = dict(found)
        values["day_from"] = _day(values["day_from"])
        values["day_to"] = _day(values["day_to"])
        values["objects"] = tuple(values["objects"])
        return cls(**values)


@dataclass(frozen=True)
class ObjectRecord:
    """One object as it was met under one path: read, refused, or known already by its content."""

    kind: str
    source: str
    uri: str
    path: str
    fingerprint: str
    size: int
    object_id: str
    delivery: str = ""
    delivery_order: str = ""
    read: bool = True
    """False: the same content had been read before; nothing was landed for this record."""
    refused: bool = False
    """True: it cannot be used as a whole, so it replaces nothing; its rejected row says why."""
    records: int = 0
    """Rows landed plus records rejected."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """Rows landed, by table."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Records rejected, by reason."""
    day_from: date | None = None
    day_to: date | None = None
    rounding_moved: Decimal = Decimal(0)
    """Billing: sum of |rounded - exact| over its amounts."""

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the index."""
        return {
            **{name.name: getattr(self, name.name) for name in fields(self)},
            "rows": dict(sorted(self.rows.items())),
            "rejected": dict(sorted(self.rejected.items())),
            "day_from": _iso(self.day_from),
            "day_to": _iso(self.day_to),
            "rounding_moved": format(self.rounding_moved, "f"),
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> ObjectRecord:
        """From the index."""
        values = dict(found)
        values["day_from"] = _day(values["day_from"])
        values["day_to"] = _day(values["day_to"])
        values["rounding_moved"] = Decimal(values["rounding_moved"])
        return cls(**values)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


@lru_cache(maxsize=4096)  # an index says few days, a hundred thousand times
def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
