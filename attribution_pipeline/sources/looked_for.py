"""What a landing looked for and did not find, as the next one reads it.

Belongs here: gone objects of spans with what was found out of each, and the document that is kept of them.
Does not: finding it out (``gone``), where the document is kept (``lake.landed.waiting``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attribution_pipeline.sources.evidence_store import EvidenceStore

Key = tuple[str, str]
"""Source, object id."""


class NotCompared(StrEnum):
    """Why the spans of a gone object were not held against those of others."""

    NOT_MISSED = "not_missed"
    """No version that governs its days names what it lacks."""
    TAKEN_AS_READ = "taken_as_read"
    """A release landed it that did not say what for: told once."""
    TOO_WIDE = "too_wide"
    """It touches more days than are looked through."""
    DAMAGED = "damaged"
    """A landed file of its days is missing or was changed: not known, and looked at by each landing."""


Alone = int | NotCompared
"""Spans of an object that no other one has alike, or why that was not looked at."""


@dataclass(frozen=True)
class NotFound:
    """An object that lies in no source any more. ``names``: what days miss of it, sorted."""

    names: tuple[str, ...]
    alone: Alone


@dataclass(frozen=True)
class LookedFor:
    """What a landing did not find. ``asked``: of ``Wanted``, what it was for; ``landing``: the newest
    then."""

    asked: str = ""
    landing: int = 0
    objects: Mapping[Key, NotFound] = field(default_factory=dict)

    def of(self, source: str) -> frozenset[str]:
        """Ids of one source."""
        return frozenset(one for name, one in self.objects if name == source)

    def as_document(self) -> dict[str, Any]:
        """As JSON takes it."""
        gone: dict[str, dict[str, Any]] = {}
        for (source, one), found in sorted(self.objects.items()):
            said = {"names": list(found.names), "alone": found.alone}
            gone.setdefault(source, {})[one] = said
        return {"asked": self.asked, "landing": self.landing, "gone": gone}


def last_looked(landed: EvidenceStore) -> LookedFor:
    """What the last landing kept. Where the index was taken back since, that is of another history."""
    found = looked_for(landed.looked())
    return found if found.landing <= landed.head[0] else LookedFor()


def looked_for(said: Mapping[str, Any] | None) -> LookedFor:
    """What ``as_document`` gave. Anything else is as good as nothing: all is looked for again."""
    try:
        if said is None:
            return LookedFor()
        objects = {
            (source, one): NotFound(tuple(found["names"]), _alone(found["alone"]))
            for source, ids in said["gone"].items()
            for one, found in ids.items()
        }
        return LookedFor(str(said["asked"]), int(said["landing"]), objects)
    except (KeyError, TypeError, ValueError, AttributeError):
        return LookedFor()


def _alone(said: Any) -> Alone:
    return said if isinstance(said, int) else NotCompared(said)
