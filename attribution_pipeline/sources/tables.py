"""Landed tables with named columns: usage reports, Kubernetes snapshots, and how any such is read.

Belongs here: which columns these tables have, what each value must be, that a table without its
columns is refused. Does not: CSV, JSON lines and Parquet themselves (``records``), close records
(``closes``), what a quantity drives (``attribution``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa

from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.sources.batch import Batch, Rejected
from attribution_pipeline.sources.jsontext import sorted_json
from attribution_pipeline.sources.objects import SourceObject
from attribution_pipeline.sources.records import Records, records
from attribution_pipeline.sources.rejection import ObjectRefused, RecordRejected

USAGE_COLUMNS = ("date", "service", "resource_id", "metric", "quantity")
KUBERNETES_COLUMNS = ("date", "cluster", "namespace", "kind", "name", "labels", "annotations")

BATCH_ROWS = 50_000

QUANTITY_DIGITS_MAX = 38
"""On either side of the point: what DECIMAL(38) could ever hold."""

_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$", re.ASCII)
_QUANTITY = re.compile(r"^(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?$", re.ASCII)

Fields = dict[str, Any]

Required = Callable[[Collection[str]], Sequence[str]]
"""Of the columns that a table or record has: those that it must have, as it spells them."""


def read_usage(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    """Batches of ``usage``. Columns: date, service, resource_id, metric, quantity, and any
    who-columns; others are kept in ``x_columns``. An empty resource_id is null and weighs on all of
    the service. Raises ObjectRefused naming the columns that are missing.
    """
    return read_rows(data, obj, object_id, "usage", lambda _: USAGE_COLUMNS, _usage_row)


def read_kubernetes(data: bytes | BinaryIO, obj: SourceObject, object_id: str) -> Iterator[Batch]:
    """Batches of ``kubernetes``. Columns: date, cluster, namespace, kind, name, labels, annotations
    (JSON objects, or maps in Parquet); others are kept in ``x_columns``.
    """
    return read_rows(
        data, obj, object_id, "kubernetes", lambda _: KUBERNETES_COLUMNS, _kubernetes_row
    )


def read_rows(
    data: bytes | BinaryIO,
    obj: SourceObject,
    object_id: str,
    table: str,
    required: Required,
    row_of: Callable[[Fields], Fields],
    opened: Records | None = None,
) -> Iterator[Batch]:
    """Batches of ``table``: a record is a row of ``row_of``, or is rejected with its reason.

    ``opened``: the records, where the format is one that content does not tell. Raises ObjectRefused
    where the file is broken or has not the ``required`` columns.
    """
    found = opened or records(data, obj.uri)
    if found.columns is not None:
        _require(found.columns, required(found.columns), obj, table)
    rows: list[Fields] = []
    rejected: list[Rejected] = []
    accepted = False
    for position, record in found.rows:
        if isinstance(record, Rejected):
            rejected.append(record)
        else:
            try:
                missing = [column for column in required(record) if column not in record]
                if missing:
                    raise RecordRejected(
                        "missing_columns", f"the record lacks {', '.join(missing)}"
                    )
                rows.append({"object_id": object_id, "position": position, **row_of(record)})
                accepted = True
            except RecordRejected as no:
                rejected.append(Rejected(position, no.reason, no.detail))
        if len(rows) + len(rejected) >= BATCH_ROWS:
            _refuse_when_nothing_fits(accepted, rejected, obj)
            yield Batch(table, _arrow(table, rows), rejected)
            rows, rejected = [], []
    _refuse_when_nothing_fits(accepted, rejected, obj)
    yield Batch(table, _arrow(table, rows), rejected)


def _require(columns: Sequence[str], required: Sequence[str], obj: SourceObject, kind: str) -> None:
    missing = [column for column in required if column not in columns]
    if missing:
        raise ObjectRefused(
            "missing_columns",
            f"{kind} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"it has {', '.join(columns)}",
            where=obj.uri,
            remedy=f"name them {', '.join(required)}",
        )


def _refuse_when_nothing_fits(
    accepted: bool, rejected: Sequence[Rejected], obj: SourceObject
) -> None:
    """JSON lines name their columns one by one: where none has them, say it once, of the object."""
    if not accepted and rejected and {one.reason for one in rejected} == {"missing_columns"}:
        raise ObjectRefused(
            "missing_columns", f"no record fits: {rejected[0].detail}", where=obj.uri
        )


def _usage_row(record: Fields) -> Fields:
    return {
        "date": _date(record["date"]),
        "service": text_of(record, "service", needed=True),
        "resource_id": text_of(record, "resource_id"),
        "metric": text_of(record, "metric", needed=True),
        "quantity": _quantity(record["quantity"]),
        **{column: text_of(record, column) for column in WHO},
        "x_columns": other_columns(record, (*USAGE_COLUMNS, *WHO)),
    }


def _kubernetes_row(record: Fields) -> Fields:
    return {
        "date": _date(record["date"]),
        "cluster": text_of(record, "cluster"),
        "namespace": text_of(record, "namespace"),
        "kind": text_of(record, "kind", needed=True),
        "name": text_of(record, "name", needed=True),
        "labels": _labels(record, "labels"),
        "annotations": _labels(record, "annotations"),
        "x_columns": other_columns(record, KUBERNETES_COLUMNS),
    }


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DATE.match(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass  # the 30th of February: refused below like any other text
    raise RecordRejected("unreadable_date", f"date is {str(value)[:40]!r}; write YYYY-MM-DD")


def _quantity(value: Any) -> str:
    """A non-negative decimal, as written; E notation is spelled out."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise RecordRejected(
            "unreadable_quantity", f"quantity is {type(value).__name__}, not a number"
        )
    text = repr(value) if isinstance(value, float) else str(value).strip()
    if text.startswith("-") and _QUANTITY.match(text[1:]):
        if Decimal(text) == 0:
            return "0"
        raise RecordRejected(
            "negative_quantity", f"quantity is {text[:60]}; weights are not negative"
        )
    if not _QUANTITY.match(text):
        raise RecordRejected(
            "unreadable_quantity",
            f"quantity is {text[:40]!r}; write a decimal number without separators",
        )
    number = Decimal(text)
    if number and (
        number.adjusted() >= QUANTITY_DIGITS_MAX
        or int(number.as_tuple().exponent) < -QUANTITY_DIGITS_MAX
    ):
        raise RecordRejected("quantity_out_of_range", f"quantity is {text[:60]}")
    return format(number, "f") if "e" in text.lower() else text


def text_of(record: Fields, column: str, *, needed: bool = False) -> str | None:
    """A column's text; empty is null. Integers are ids that lost their quotes."""
    value = record.get(column)
    if value is None or value == "":
        if needed:
            raise RecordRejected("missing_value", f"{column} is empty")
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RecordRejected("unreadable_value", f"{column} is {type(value).__name__}, not text")
    return str(value)


def _labels(record: Fields, column: str) -> str | None:
    """A JSON object of texts with sorted keys. A Parquet map comes as a list of pairs."""
    value = record[column]
    if value is None or value == "":
        return None
    if isinstance(value, list) and all(isinstance(one, tuple) and len(one) == 2 for one in value):
        value = dict(value)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise RecordRejected("unreadable_labels", f"{column} is not a JSON object")
    kept = {key: text for key, text in value.items() if text is not None}
    if not all(isinstance(text, str) for text in kept.values()):
        raise RecordRejected("unreadable_labels", f"{column} holds something that is not text")
    return sorted_json(kept)


def other_columns(record: Fields, known: Sequence[str]) -> str | None:
    """Columns beyond the table's own, as JSON; empty ones are left out, none is null."""
    others = {
        key: value
        for key, value in record.items()
        if key not in known and value is not None and value != ""
    }
    return sorted_json(_jsonable(others)) if others else None


def _jsonable(value: Any) -> Any:
    """Text, booleans, objects and lists stay; numbers and all else become text, losing no digit."""
    if isinstance(value, dict):
        return {str(key): _jsonable(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(member) for member in value]
    if value is None or isinstance(value, str | bool):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _arrow(table: str, rows: list[Fields]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMAS[table])
