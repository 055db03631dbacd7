"""Rows as text on Spark: the same characters as DuckDB's ``cast(... as varchar)``.

Belongs here: one form a type. Does not: which columns are digested.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attribution_pipeline.attribution.engine import NULL
from attribution_pipeline.model.errors import Broken

FORMS = {
    "string": "{column}",
    "boolean": "case when {column} then 'true' when not {column} then 'false' end",
    "tinyint": "cast({column} as string)",
    "smallint": "cast({column} as string)",
    "int": "cast({column} as string)",
    "bigint": "cast({column} as string)",
    # all digits after the point, never an exponent: ANSI mode's plain form
    "decimal": "cast({column} as string)",
    "date": "date_format({column}, 'yyyy-MM-dd')",
    # fractions as long as they need to be; DuckDB says the zone, Spark does not
    "timestamp": "concat(cast({column} as string), '+00')",
    "timestamp_ntz": "cast({column} as string)",
}
"""Type to its text. A type that is not here is digested by no one."""


def text(kind: str, column: str) -> str:
    """The text of a column of a type, as SQL."""
    name = kind.partition("(")[0]
    if name not in FORMS:
        raise Broken(f"no canonical text for a column of type {kind}")
    return FORMS[name].format(column=column)


def row_hash(schema: Any, columns: Sequence[str]) -> str:
    """sha256 of a row's columns as text, null apart from empty, joined by the unit separator."""
    kinds = {field.name.lower(): field.dataType.simpleString() for field in schema.fields}
    said = [column.strip('"') for column in columns]
    texts = ", ".join(
        f"coalesce({text(kinds[name.lower()], f'`{name}`')}, {NULL})" for name in said
    )
    return f"sha2(concat_ws(chr(31), {texts}), 256)"
