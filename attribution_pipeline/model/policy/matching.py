"""Which charges a rule means: conditions on FOCUS columns, as shell patterns.

Belongs here: the keys that a ``match`` may name, and the one implementation of matching. It runs
over distinct charges in Python, never as two SQL dialects. Does not: what happens to a charge that
matched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator

from attribution_pipeline.model.evidence import FOCUS_INSTANT_COLUMNS, FOCUS_TEXT_COLUMNS
from attribution_pipeline.model.strict import Text, nearest, refuse

COLUMNS = frozenset(FOCUS_TEXT_COLUMNS) - {"Tags", "AllocatedTags"}
"""FOCUS columns that a condition may name."""

TAG_PREFIXES = ("Tags.", "AllocatedTags.")
VENDOR_PREFIX = "x_"
"""FOCUS: columns outside the specification begin with ``x_``."""

_SPECIAL = frozenset("*?[")
"""What makes a shell pattern more than a name."""

_NOT_TEXT = frozenset({"BilledCost", "EffectiveCost", *FOCUS_INSTANT_COLUMNS})


def check_column(column: str, at: tuple[str, ...] = ()) -> str:
    """``column`` if a condition may name it. Raises the error of a validator otherwise."""
    if column in COLUMNS:
        return column
    for prefix in (*TAG_PREFIXES, VENDOR_PREFIX):
        if column.startswith(prefix) and len(column) > len(prefix):
            return column
    if column in {"Tags", "AllocatedTags"}:
        raise refuse(f"`{column}` is a set of tags", f"name one tag: `{column}.<key>`", at=at)
    if column in _NOT_TEXT:
        raise refuse(
            f"`{column}` is no text column",
            "match what names a charge, not its amount or time",
            at=at,
        )
    known = [*sorted(COLUMNS), *(f"{prefix}<key>" for prefix in TAG_PREFIXES)]
    raise refuse(f"`{column}` is no FOCUS column", nearest(column, known), at=at)


def _check_conditions(conditions: dict[str, str]) -> dict[str, str]:
    if not conditions:
        raise refuse("matches every charge", 'say so: {ChargeCategory: "*"}')
    for column in conditions:
        check_column(column, (column,))
    return conditions


Column = Annotated[Text, AfterValidator(lambda column: check_column(column))]
Conditions = Annotated[dict[str, Text], AfterValidator(_check_conditions)]
"""Column to shell pattern; all must hold."""


def matches(
    conditions: Mapping[str, str], row: Mapping[str, str | None], tags: Mapping[str, str]
) -> bool:
    """Whether every condition holds for a charge (case matters; ``*``, ``?`` and ``[...]``).

    ``row`` holds FOCUS columns by name, ``AllocatedTags`` as JSON text, and ``x_`` columns either
    by name or inside the JSON text ``x_columns``. A null value matches nothing, not even ``*``.
    """
    for column, pattern in conditions.items():
        value = value_of(column, row, tags)
        if value is None or not is_like(value, pattern):
            return False
    return True


def is_like(value: str, pattern: str) -> bool:
    """Whether a value fits a shell pattern. Most patterns of a policy are names: for one of those no
    expression is compiled."""
    if _SPECIAL.isdisjoint(pattern):
        return value == pattern
    return fnmatchcase(value, pattern)


def value_of(column: str, row: Mapping[str, str | None], tags: Mapping[str, str]) -> str | None:
    """What a charge says in ``column`` (a FOCUS column, a tag or a vendor's column), else None."""
    if column.startswith("Tags."):
        return tags.get(column.removeprefix("Tags."))
    if column.startswith("AllocatedTags."):
        return _member(row.get("AllocatedTags"), column.removeprefix("AllocatedTags."))
    value = row.get(column)
    if value is None and column.startswith(VENDOR_PREFIX):
        return _member(row.get("x_columns"), column)
    return value


def _member(text: str | None, key: str) -> str | None:
    if not text:
        return None
    found = json.loads(text).get(key)
    return found if found is None or isinstance(found, str) else json.dumps(found)
