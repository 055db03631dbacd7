"""Request level read back from its files: what names an operation, in full again.

Belongs here: the words of ``model.ledger`` in plain Python. Does not: the engine's SQL for the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq

Files = Mapping[str, Sequence[str]]
Rows = list[dict[str, Any]]


def rows(paths: Sequence[str]) -> Rows:
    """Rows of files, in their order."""
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


def operation_rows(files: Files) -> Rows:
    """Rows of ``operations``, each with its key."""
    return [row | {"operation_key": key_of(row)} for row in rows(files["operations"])]


def request_rows(files: Files) -> Rows:
    """Rows of ``operation_costs``, each with the key of its operation."""
    keys = {row["operation_number"]: row["operation_key"] for row in operation_rows(files)}
    return [
        row | {"operation_key": row["operation_key"] or keys[row["operation_number"]]}
        for row in rows(files["operation_costs"])
    ]


def key_of(row: Mapping[str, Any]) -> str:
    """The key of a published operation."""
    match row["named_by"]:
        case "response":
            return f"{row['provider'] or ''}\x1f{row['response_id']}"
        case "span":
            return f"{row['trace_id']}:{row['span_id']}"
    return str(row["operation_key"])
