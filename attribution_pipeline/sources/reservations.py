"""Reservations: budgets by scope and period, and what gateways counted against them.

Belongs here: the columns of a record, YAML beside the formats of every table. Does not: the other
formats (``records``), what a scope may name (``model.reservations``), status and drift
(``views.reservations``). Nothing of a reservation reaches the ledger.

A record says an amount, or a counter, or both. A budget file is written by hand once a period; a
gateway's counters come as often as it exports them. Both are records of one reservation where scope,
period and currency are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, BinaryIO

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.reservations import NotAScope, Scope, parse_scope
from attribution_pipeline.model.yaml_lines import MAX_BYTES, parse_document
from attribution_pipeline.sources.batch import Batch, Rejected
from attribution_pipeline.sources.fields import exact_amount, instant, whole_day
from attribution_pipeline.sources.objects import SourceObject
from attribution_pipeline.sources.records import Record, Records
from attribution_pipeline.sources.rejection import ObjectRefused, RecordRejected
from attribution_pipeline.sources.tables import Fields, other_columns, read_rows, text_of

SCOPE, AMOUNT, COUNTED = "scope", "amount", "counted"

NEEDED = (SCOPE, "period_start", "period_end", "currency")
OPTIONAL = ("name", AMOUNT, "gateway", COUNTED, "counted_at")
"""``amount`` is needed where there is no counter, ``counted_at`` where there is one."""

YAML_SUFFIXES = (".yaml", ".yml")
"""No content tells YAML from CSV, so its name does."""

YAML_KEY = "reservations"

PERIOD_DAYS_MAX = 3_660
"""Ten years: a longer one is a year that was mistyped, and every view goes through its days."""


def read_reservations(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    """Batches of ``reservations``. Columns: scope (``column = value; ...``, an object, or ``*``),
    period_start, period_end (the day after the last, as FOCUS ends its periods), amount, currency;
    where a gateway counts: counted, counted_at, gateway; name. Others are kept in ``x_columns``.

    CSV, JSON lines, Parquet, or YAML with a list under ``reservations``. Amounts are exact. Raises
    ObjectRefused naming the columns that are missing, or the line that is no YAML.
    """
    opened = _yaml(data, obj) if obj.uri.lower().endswith(YAML_SUFFIXES) else None
    return read_rows(data, obj, object_id, "reservations", _required, _row, opened)


def _required(columns: Collection[str]) -> Sequence[str]:
    return (*NEEDED, "counted_at") if COUNTED in columns else (*NEEDED, AMOUNT)


def _row(record: Fields) -> Fields:
    start, end = _period(record)
    amount, counted = _spend(record, AMOUNT), _spend(record, COUNTED)
    if amount is None and counted is None:
        raise RecordRejected("missing_value", f"{AMOUNT} is empty, and so is {COUNTED}")
    return {
        "name": text_of(record, "name"),
        "scope": _scope(record[SCOPE]).json,
        "period_start": start,
        "period_end": end,
        "amount": amount,
        "currency": _currency(record),
        "gateway": text_of(record, "gateway"),
        "counted": counted,
        "counted_at": instant(record, "counted_at", needed=counted is not None),
        "x_columns": other_columns(record, (*NEEDED, *OPTIONAL)),
    }


def _period(record: Fields) -> tuple[date, date]:
    start, end = (whole_day(record, column) for column in ("period_start", "period_end"))
    if end <= start:
        raise RecordRejected(
            "period_not_positive",
            f"period_end {end} is not after period_start {start}: it is the day after the last",
        )
    if (end - start).days > PERIOD_DAYS_MAX:
        raise RecordRejected(
            "period_too_long", f"{start} to {end} is more than {PERIOD_DAYS_MAX:,} days"
        )
    return start, end


def _spend(record: Fields, column: str) -> Any:
    amount = exact_amount(record, column)
    if amount is not None and amount < 0:
        raise RecordRejected("negative_amount", f"{column} is negative")
    return amount


def _currency(record: Fields) -> str:
    said = (text_of(record, "currency", needed=True) or "").strip()
    if not said:
        raise RecordRejected("missing_value", "currency is empty")
    return said


def _scope(said: Any) -> Scope:
    if isinstance(said, list) and all(isinstance(one, tuple) and len(one) == 2 for one in said):
        said = dict(said)  # a map of Parquet comes as a list of pairs
    if isinstance(said, Mapping):
        # Parquet's structs name every field in every row
        said = {column: value for column, value in said.items() if value is not None}
    elif not isinstance(said, str) or not said.strip():
        raise RecordRejected("missing_value", "scope is empty; write * for all of the ledger")
    try:
        return parse_scope(said)
    except NotAScope as no:
        raise RecordRejected("unreadable_scope", f"scope {no}") from None


def _yaml(data: bytes | BinaryIO, obj: SourceObject) -> Records:
    content = data if isinstance(data, bytes) else data.read(MAX_BYTES + 1)
    try:
        said = parse_document(content.decode("utf-8-sig"), obj.uri).value
    except UnicodeDecodeError:
        raise ObjectRefused(
            "not_utf8", "is not UTF-8", where=obj.uri, remedy="write it in UTF-8"
        ) from None
    except Refusal as no:
        raise ObjectRefused("broken_yaml", no.what, where=no.where, remedy=no.remedy) from None
    found = said.get(YAML_KEY)
    if not isinstance(found, list):
        raise ObjectRefused(
            "missing_columns", f"has no list under `{YAML_KEY}`", where=obj.uri,
            remedy=f"write `{YAML_KEY}:` and a list of records under it",
        )  # fmt: skip
    return Records("yaml", None, _records(found))


def _records(found: list[Any]) -> Iterator[Record]:
    for position, record in enumerate(found, start=1):
        if isinstance(record, dict):
            yield position, record
        else:
            yield position, Rejected(position, "broken_yaml", "the entry is no mapping")
