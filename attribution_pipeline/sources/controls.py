"""Control-plane inputs: hard-block list, shadow-mode hits, overrides, policy snapshots.

Belongs here: the columns of the four kinds of record, and how a kind is told. Does not: formats
(``records``), what a record means for trust in the control plane (``proof.triage``).

A record names its ``kind``. Where a table has no such column, every record of it is of the kind that
its columns tell: ``reversible`` a hard block, ``would_block`` a shadow hit, ``requested_at`` an
override, ``digest`` a policy snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, BinaryIO

from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.focus.instants import parse_instant
from attribution_pipeline.sources.objects import SourceObject
from attribution_pipeline.sources.rejection import RecordRejected
from attribution_pipeline.sources.tables import Fields, other_columns, read_rows, text_of

KIND = "kind"
HARD_BLOCK, SHADOW_HIT, OVERRIDE = "hard_block", "shadow_hit", "override"
POLICY_SNAPSHOT = "policy_snapshot"

REQUIRED: Mapping[str, tuple[str, ...]] = {
    HARD_BLOCK: ("rule", "operation", "reversible", "mode"),
    SHADOW_HIT: ("time", "rule", "would_block"),
    OVERRIDE: ("requested_at", "granted_at", "rule", "by"),
    POLICY_SNAPSHOT: ("time", "digest"),
}
"""Kind -> the columns that a record of it must have. ``granted_at`` and ``by`` may be empty: an
override that was asked for and not granted."""

OPTIONAL = ("policy_digest",)
"""Of a hard block: the policy snapshot whose list it stands on."""

_TOLD_BY: Mapping[str, str] = {
    "reversible": HARD_BLOCK,
    "would_block": SHADOW_HIT,
    "requested_at": OVERRIDE,
    "digest": POLICY_SNAPSHOT,
}

_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
_SHOWN = 40


def read_controls(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    """Batches of ``controls``: a row is one record of one kind, the columns of the others null.

    Columns beyond a kind's own are kept in ``x_columns``. Instants are ISO 8601, without a zone
    UTC. Raises ObjectRefused where neither ``kind`` nor the columns tell what the records are.
    """
    return read_rows(data, obj, object_id, "controls", _required, _row)


def _required(columns: Collection[str]) -> Sequence[str]:
    if KIND in columns:
        return (KIND,)
    told = _told_by(columns)
    return REQUIRED[told] if told else (KIND,)


def _told_by(columns: Collection[str]) -> str | None:
    found = {kind for column, kind in _TOLD_BY.items() if column in columns}
    return found.pop() if len(found) == 1 else None


def _row(record: Fields) -> Fields:
    kind = _kind(record)
    missing = [column for column in REQUIRED[kind] if column not in record]
    if missing:
        raise RecordRejected("missing_columns", f"a {kind} lacks {', '.join(missing)}")
    empty: Fields = dict.fromkeys(
        ("operation", "reversible", "mode", "policy_digest", "observed_at", "would_block",
         "requested_at", "granted_at", "granted_by")
    )  # fmt: skip
    own = _OWN[kind](record)
    known = (KIND, *REQUIRED[kind], *OPTIONAL)
    return {
        "kind": kind,
        "rule": text_of(record, "rule", needed=kind != POLICY_SNAPSHOT),
        **empty,
        **own,
        "date": _day(own),
        "x_columns": other_columns(record, known),
    }


def _kind(record: Fields) -> str:
    if KIND not in record:
        told = _told_by(record)
        if told is None:
            raise RecordRejected("missing_columns", f"the record lacks {KIND}")
        return told
    said = text_of(record, KIND, needed=True) or ""
    if said.strip().casefold() not in REQUIRED:
        raise RecordRejected(
            "unknown_kind", f"kind is {said[:_SHOWN]!r}; write one of {', '.join(REQUIRED)}"
        )
    return said.strip().casefold()


def _hard_block(record: Fields) -> Fields:
    return {
        "operation": text_of(record, "operation", needed=True),
        "reversible": _boolean(record, "reversible"),
        "mode": text_of(record, "mode", needed=True),
        "policy_digest": text_of(record, "policy_digest"),
    }


def _shadow_hit(record: Fields) -> Fields:
    return {
        "observed_at": _instant(record, "time", needed=True),
        "would_block": _boolean(record, "would_block"),
    }


def _override(record: Fields) -> Fields:
    requested = _instant(record, "requested_at", needed=True)
    granted = _instant(record, "granted_at")
    if requested is not None and granted is not None and granted < requested:
        raise RecordRejected("granted_before_requested", "granted_at is earlier than requested_at")
    return {
        "requested_at": requested,
        "granted_at": granted,
        "granted_by": text_of(record, "by"),
    }


def _policy_snapshot(record: Fields) -> Fields:
    digest = text_of(record, "digest", needed=True)
    return {"observed_at": _instant(record, "time", needed=True), "policy_digest": digest}


_OWN = {
    HARD_BLOCK: _hard_block,
    SHADOW_HIT: _shadow_hit,
    OVERRIDE: _override,
    POLICY_SNAPSHOT: _policy_snapshot,
}


def _day(row: Fields) -> date | None:
    """The UTC day of what happened; a list entry holds for no day in particular."""
    at: datetime | None = row.get("observed_at") or row.get("requested_at")
    return at.date() if at is not None else None


def _boolean(record: Fields, column: str) -> bool:
    value = record[column]
    if isinstance(value, bool):
        return value
    if value is None or value == "":
        raise RecordRejected("missing_value", f"{column} is empty")
    said = str(value).strip().casefold()
    if said in _TRUE:
        return True
    if said in _FALSE:
        return False
    raise RecordRejected(
        "unreadable_boolean", f"{column} is {str(value)[:_SHOWN]!r}; write true or false"
    )


def _instant(record: Fields, column: str, *, needed: bool = False) -> datetime | None:
    value: Any = record[column]
    if value is None or value == "":
        if needed:
            raise RecordRejected("missing_value", f"{column} is empty")
        return None
    if isinstance(value, str):
        found = parse_instant(value)
    elif isinstance(value, datetime):
        found = datetime.fromisoformat(value.isoformat())  # pandas' own type has nanoseconds
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    else:
        found = None
    if found is None:
        raise RecordRejected(
            "unreadable_instant",
            f"{column} is {str(value)[:_SHOWN]!r}; write an ISO 8601 instant "
            "(2026-11-07T09:00:00Z)",
        )
    return found
