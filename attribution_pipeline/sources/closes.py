"""Close records: who says that a billing period is closed, or open again.

Belongs here: the columns of a close record, FOCUS 1.4's BillingPeriod dataset read as such records,
and the text of one, as ``attribution close`` writes it. Does not: which record counts for a charge
(``attribution.closes``), formats (``records``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, BinaryIO

from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.focus.instants import parse_instant
from attribution_pipeline.sources.focus.text import NULL_TEXTS
from attribution_pipeline.sources.objects import SourceObject
from attribution_pipeline.sources.rejection import RecordRejected
from attribution_pipeline.sources.tables import Fields, other_columns, read_rows, text_of

COLUMNS = ("issuer", "account", "period", "closed_at", "status")
OPTIONAL = ("closed_by", "note")
STATUSES = ("closed", "open")

FOCUS_COLUMNS = (
    "InvoiceIssuerName",
    "BillingPeriodStart",
    "BillingPeriodLastUpdated",
    "BillingPeriodStatus",
)
"""FOCUS 1.4, dataset BillingPeriod. It knows no account: it speaks for all of the issuer's."""

FOCUS_END = "BillingPeriodEnd"
_TELLS_FOCUS = frozenset({"billingperiodstart", "billingperiodstatus"})

_MONTH = re.compile(r"^\d{4}-\d{2}$", re.ASCII)
_SHOWN = 40


def read_closes(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    """Batches of ``closes``. Columns: issuer, account (empty: every account of the issuer), period
    (YYYY-MM, or the period's first day), closed_at, status (closed or open), and where known
    closed_by and note; others are kept in ``x_columns``. Or FOCUS 1.4's BillingPeriod dataset,
    told by its columns.
    """
    return read_rows(data, obj, object_id, "closes", _required, _row)


def record_text(
    *,
    issuer: str,
    account: str | None,
    period: date,
    status: str,
    closed_at: datetime,
    closed_by: str | None,
    note: str | None,
) -> str:
    """One close record as a JSON line that ``read_closes`` reads."""
    said = {
        "issuer": issuer,
        "account": account,
        "period": period.isoformat(),
        "closed_at": closed_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "status": status,
        "closed_by": closed_by,
        "note": note,
    }
    return json.dumps(said, ensure_ascii=False) + "\n"


def _required(columns: Collection[str]) -> Sequence[str]:
    spelled = {name.casefold(): name for name in columns}
    if not _TELLS_FOCUS & spelled.keys():
        return COLUMNS
    # Athena and Glue lower the names
    return [spelled.get(name.casefold(), name) for name in FOCUS_COLUMNS]


def _row(record: Fields) -> Fields:
    spelled = {name.casefold(): name for name in record}
    if _TELLS_FOCUS & spelled.keys():
        return _focus_row(record, spelled)
    return {
        "evidence": "close_record",
        "issuer": _trimmed(record, "issuer", needed=True),
        "account": _trimmed(record, "account"),
        "billing_period": _period(record["period"]),
        "status": _status(record, "status"),
        "closed_at": _instant(record, "closed_at"),
        **{column: _trimmed(record, column) for column in OPTIONAL},
        "x_columns": other_columns(record, (*COLUMNS, *OPTIONAL)),
    }


def _focus_row(record: Fields, spelled: dict[str, str]) -> Fields:
    issuer, start, updated, status = (spelled[name.casefold()] for name in FOCUS_COLUMNS)
    said = {name: None if value in NULL_TEXTS else value for name, value in record.items()}
    began = _instant(said, start)
    end = spelled.get(FOCUS_END.casefold())
    if end is not None and said[end] is not None and _instant(said, end) <= began:
        raise RecordRejected("billing_period_not_positive", f"{end} must be later than {start}")
    return {
        "evidence": "billing_period",
        "issuer": text_of(said, issuer, needed=True),
        "account": None,
        "billing_period": began.date(),
        "status": _status(said, status),
        "closed_at": _instant(said, updated),
        "closed_by": None,
        "note": None,
        "x_columns": other_columns(said, (issuer, start, updated, status)),
    }


def _trimmed(record: Fields, column: str, *, needed: bool = False) -> str | None:
    """Hand-written tables have blanks after commas; no issuer and no account has any around it."""
    value = record.get(column)
    stripped = value.strip() if isinstance(value, str) else value
    return text_of({column: stripped}, column, needed=needed)


def _status(record: Fields, column: str) -> str:
    value = _trimmed(record, column, needed=True) or ""
    if value.casefold() not in STATUSES:
        raise RecordRejected(
            "unknown_status", f"{column} is {value[:_SHOWN]!r}; write {' or '.join(STATUSES)}"
        )
    return value.casefold()


def _period(value: Any) -> date:
    """The first day of a billing period."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    said = value.strip() if isinstance(value, str) else value
    if isinstance(said, str) and _MONTH.match(said):
        said += "-01"
    instant = _as_instant(said)
    if instant is None:
        raise RecordRejected(
            "unreadable_period",
            f"period is {str(value)[:_SHOWN]!r}; write YYYY-MM, or its first day as YYYY-MM-DD",
        )
    return instant.date()


def _instant(record: Fields, column: str) -> datetime:
    value = record[column]
    if value is None or value == "":
        raise RecordRejected("missing_value", f"{column} is empty")
    instant = _as_instant(value)
    if instant is None:
        raise RecordRejected(
            "unreadable_instant",
            f"{column} is {str(value)[:_SHOWN]!r}; write an ISO 8601 instant "
            "(2026-11-07T09:00:00Z)",
        )
    return instant


def _as_instant(value: Any) -> datetime | None:
    """In UTC; without a zone it is UTC. Digits beyond a microsecond are cut off."""
    if isinstance(value, str):
        return parse_instant(value)
    if isinstance(value, datetime):
        exact = datetime(
            value.year, value.month, value.day, value.hour, value.minute, value.second,
            value.microsecond, value.tzinfo or UTC,
        )  # fmt: skip
        return exact.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return None
