"""The spend views computed from the ledger itself: the oracle of those that read daily roll-ups.

Belongs here: the published tables of some days as relations, and the views' SQL over them, as it was
before there were roll-ups. Does not: anything that the product uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.requests import of_files, operation_rows, request_rows
from attribution_pipeline.lake import Lake
from attribution_pipeline.lake.shapes import schema_of
from attribution_pipeline.views.spend.derived import with_quotients
from attribution_pipeline.views.spend.table import tail

SQL = Path(__file__).parent

VIEWS = ("product", "workflow", "model", "platform", "governance", "backlog")

RELATIONS = ("ledger", "operations", "operation_costs")


def open_ledger(
    db: Session,
    lake: Lake,
    first: date,
    last: date,
    relations: Sequence[str] = RELATIONS,
    *,
    as_of: datetime | None = None,
) -> None:
    """Views of the tables' rows in [first, last], with ``charge_date``."""
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


def view_of_ledger(db: Session, name: str, metric: str) -> pa.Table:
    """A view of the relations that ``open_ledger`` left in ``db``."""
    text = (SQL / f"{name}.sql").read_text(encoding="utf-8")
    order = f"{metric} desc nulls last"
    rows = db.table(text.format(tail=tail(metric), metric=metric, order=order))
    return with_quotients(name, rows, metric)
