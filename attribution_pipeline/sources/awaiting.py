"""What lies in a source and was not read: evidence that waits, until when that is usual, what to do.

Belongs here: files that a landing run left, by the delivery that they belong to, as lines for people
and as the document that is kept of them. Does not: why a file waits (``focus.deliveries``,
``landing_run``), where the document is kept (``lake.landed.waiting``), who is told
(``orchestration.checks.awaiting``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from attribution_pipeline.sources.focus.manifests import modified
from attribution_pipeline.sources.objects import SourceObject

IN_WRITING = timedelta(minutes=15)
"""How long after its last write a delivery may wait and nothing be wrong. Vendors and copying tools
write a delivery's files one after another, and what vouches for them last: between two writes lie
seconds, or minutes for a large file. Where nothing of it was written for so long, nobody is writing
it any more."""

NAMED = 3
"""Files of a delivery that are named; the rest is counted."""

NOT_BILLING_DATA = "not_billing_data"
"""Reason of a file that is read by no format of its source, whoever goes on writing."""

NOT_KNOWN = (
    "Not known: what the last landing left unread was not kept, or not as this release reads it. Launch "
    "the job landing: it looks again."
)
"""Said where nobody knows what waits. It is never taken for nothing that waits."""

_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000

REMEDIES: Mapping[str, str] = {
    "awaiting_manifest": "deliver its manifest too",
    "half_written": "deliver it again, whole, its manifest last",
    "manifest_unreadable": "deliver the manifest again",
    "still_changing": "it is read as soon as it stands still",
    "out_of_reach": "let this user read it",
}
"""Reason -> what to do, where the layout gives no better word."""


@dataclass(frozen=True)
class HeldObject:
    """One object that was listed and left."""

    path: str
    size: int
    written_at: datetime | None
    reason: str
    detail: str
    remedy: str
    delivery: str
    """What it waits with: the manifest that speaks for it, else its folder."""

    @classmethod
    def of(
        cls, obj: SourceObject, reason: str, detail: str, *, remedy: str = "", delivery: str = ""
    ) -> HeldObject:
        """A listed object that is left for later."""
        folder = obj.path.rpartition("/")[0]
        remedy = remedy or REMEDIES.get(reason, "")
        return cls(obj.path, obj.size, written_at(obj), reason, detail, remedy, delivery or folder)


@dataclass(frozen=True)
class Waiting:
    """Files of one delivery of a source that wait for the same reason."""

    kind: str
    source: str
    delivery: str
    reason: str
    objects: int
    bytes: int
    written_at: datetime | None
    """Of the newest file of the whole delivery, whatever its reason; null where nobody knows."""
    paths: tuple[str, ...]
    """The first NAMED."""
    detail: str
    remedy: str

    def is_overdue(self, now: datetime) -> bool:
        """Whether it waits for longer than writing it would take. A time far ahead is a clock's
        fault, and says nothing."""
        if self.reason == NOT_BILLING_DATA:
            return True
        return self.written_at is None or not -IN_WRITING < now - self.written_at < IN_WRITING

    @property
    def named(self) -> str:
        """``a.csv, b.csv and 2 more``."""
        return named_first(self.paths, self.objects)

    def line(self) -> str:
        """``a.csv: awaiting_manifest, 1.2 MB, written 2026-11-22 15:20 UTC: why; what to do``."""
        written = f", written {self.written_at:%Y-%m-%d %H:%M} UTC" if self.written_at else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return (
            f"{self.named}: {self.reason}, {size_said(self.bytes)}{written}: "
            f"{one_line(self.detail)}{remedy}"
        )


def written_at(obj: SourceObject) -> datetime | None:
    """When an object was last written to, in whole seconds, as its listing says."""
    nanoseconds = modified(obj.fingerprint)
    if nanoseconds is None:
        return None
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    except (ValueError, OverflowError, OSError):  # a file system may say any number
        return None


def by_delivery(kind: str, source: str, held: Iterable[HeldObject]) -> list[Waiting]:
    """One for each delivery and reason, in the order of the first file of each."""
    groups: dict[tuple[str, str], list[HeldObject]] = {}
    newest: dict[str, datetime] = {}
    for one in held:
        groups.setdefault((one.delivery, one.reason), []).append(one)
        if one.written_at is not None:
            newest[one.delivery] = max(one.written_at, newest.get(one.delivery, one.written_at))
    found = []
    for (delivery, reason), members in groups.items():
        # what a manifest says of itself is the reason of the files that it names
        first = next((one for one in members if one.path == delivery), members[0])
        found.append(
            Waiting(
                kind, source, delivery, reason, len(members), sum(one.size for one in members),
                newest.get(delivery), tuple(one.path for one in members[:NAMED]),
                first.detail, first.remedy,
            )
        )  # fmt: skip
    return found


def as_document(waiting: Sequence[Waiting]) -> list[dict[str, Any]]:
    """As JSON takes it."""
    return [
        {**asdict(one), "paths": list(one.paths),
         "written_at": one.written_at.isoformat() if one.written_at else None}
        for one in waiting
    ]  # fmt: skip


def from_document(said: Iterable[Mapping[str, Any]] | None) -> list[Waiting] | None:
    """What ``as_document`` gave; None, which is not known, for anything else: nothing was kept, or
    another release kept it."""
    if said is None:
        return None
    try:
        return [_from_entry(one) for one in said]
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _from_entry(said: Mapping[str, Any]) -> Waiting:
    found = Waiting(**{
        **said, "paths": tuple(said["paths"]),
        "written_at": datetime.fromisoformat(said["written_at"]) if said["written_at"] else None,
    })  # fmt: skip
    texts = (found.kind, found.source, found.delivery, found.reason, found.detail, found.remedy)
    if not all(isinstance(text, str) for text in (*texts, *found.paths)):
        raise TypeError("a text is none")
    if not all(isinstance(count, int) for count in (found.objects, found.bytes)):
        raise TypeError("a count is none")
    if found.written_at is not None and found.written_at.tzinfo is None:
        raise ValueError("a time is of no zone")
    return found


def size_said(size: int) -> str:
    """``1.2 MB``: bytes with at most one digit behind the point."""
    scaled, unit = size * 10, 0
    while scaled >= _STEP * 10 and unit < len(_UNITS) - 1:
        scaled, unit = scaled // _STEP, unit + 1
    whole, tenth = divmod(scaled, 10)
    return f"{whole}.{tenth} {_UNITS[unit]}" if unit and tenth else f"{whole:,} {_UNITS[unit]}"


def named_first(paths: Sequence[str], count: int | None = None) -> str:
    """``a.csv, b.csv and 2 more``: the first NAMED, and how many there are besides."""
    shown = paths[:NAMED]
    more = (len(paths) if count is None else count) - len(shown)
    return ", ".join(map(one_line, shown)) + (f" and {more:,} more" if more else "")


def one_line(text: str) -> str:
    """A name that somebody else gave a file: control characters are shown, and not obeyed."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
