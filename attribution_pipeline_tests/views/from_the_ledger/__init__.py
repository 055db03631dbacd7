"""The published tables of some days as relations that the views' SQL reads.

Belongs here: which files stand behind which name, each hashed before it is opened. Does not: any
query.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.requests import of_files, operation_rows, request_rows
from attribution_pipeline.lake.shapes import schema_of

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.lake import Lake

RELATIONS = ("ledger", "operations", "operation_costs")


def open_spend(
    db: Session,
    lake: Lake,
    first: date,
    last: date,
    relations: Sequence[str] = RELATIONS,
    *,
    as_of: datetime | None = None,
) -> None:
    """Views of the tables' rows in [first, last], with ``charge_date``.

    Raises Refusal, which names the file, where one is not what its manifest says.
    """
    for relation in relations:
        by_day: dict[date, list[str]] = {}
        for day, path in lake.file_paths(relation, first, last, as_of=as_of):
            by_day.setdefault(day, []).append(str(path))
        if not by_day:
            db.load(relation, schema_of(relation).empty_table())
            continue
        rows = " union all by name ".join(
            f"select *, date '{day}' as charge_date from {of_files(paths)}"
            for day, paths in by_day.items()
        )
        if relation == "operations":
            rows = operation_rows(f"({rows})")
        if relation == "operation_costs":
            called = [path for _, path in lake.file_paths("operations", first, last, as_of=as_of)]
            rows = request_rows(f"({rows})", of_files(called))
        db.execute(f"create view {relation} as {rows}")
