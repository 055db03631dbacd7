"""Request level as it is at rest: small names, and how a reader has the long ones back.

Belongs here: the number of an operation within its day, the text of ``operation_key`` from the
columns beside it, both published tables as a query. Does not: what a request costs (the phases), how
files are written (``publish``).

An operation has a number, one in all days and the same in every state of its day: rows of
``operation_costs`` name it by that. ``operation_key`` repeats ids that the operation has anyway, so
it is stored only where it does not follow from them:

- in ``operations``, where ``named_by`` is null: a better twin came later and has other ids;
- in ``operation_costs``, where the operation is not in the day's ``operations``: it was active on the
  day and ended after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

NUMBERS_A_DAY = 10**10
"""How far apart the numbers of two days begin: more calls than ten times a busy day has."""


def first_number(day: date) -> int:
    """What comes before the first number of a day."""
    return (day - date(1970, 1, 1)).days * NUMBERS_A_DAY


def named_by(prefix: str = "") -> str:
    """SQL: ``response`` where the key is provider and response id, ``span`` where it is trace and
    span, of an operation that has its key."""
    response, span = _keys(prefix)
    key = f"{prefix}operation_key"
    return f"case when {key} = {response} then 'response' when {key} = {span} then 'span' end"


def operation_key(prefix: str = "") -> str:
    """SQL: the key of a published operation."""
    response, span = _keys(prefix)
    return (
        f"coalesce({prefix}operation_key, "
        f"case {prefix}named_by when 'response' then {response} when 'span' then {span} end)"
    )


def _keys(prefix: str) -> tuple[str, str]:
    """The two keys of ``sql/planes/calls.sql``; the first is null without a response id."""
    return (
        f"coalesce({prefix}provider, '') || chr(31) || {prefix}response_id",
        f"{prefix}trace_id || ':' || {prefix}span_id",
    )


def operation_rows(operations: str) -> str:
    """A relation of published ``operations`` as a query, each row with its ``operation_key``."""
    return f"select * replace ({operation_key()} as operation_key) from {operations}"


def request_rows(costs: str, operations: str) -> str:
    """A relation of ``operation_costs`` as a query, each row with its ``operation_key``, from a
    relation of ``operations`` of the same states."""
    return (
        f"select c.* replace (coalesce(c.operation_key, {operation_key('o.')}) as operation_key) "
        f"from {costs} c left join {operations} o on o.operation_number = c.operation_number"
    )


def of_files(paths: Sequence[str | Path]) -> str:
    """Files of one of these tables as a relation; by name, so that amounts of two widths are read as
    the wider one."""
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
