"""A day's tables as Parquet files: their order, how many files, how wide amounts are.

Belongs here: writing rows that are at hand. Does not: which rows (``publish``, ``late_outcome``), how
many files a table goes into (``layout``).
"""

from __future__ import annotations

from pathlib import Path

from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.layout import NARROW, ZSTD_LEVEL
from attribution_pipeline.model.ledger import (
    LEDGER,
    LEDGER_REVISIONS,
    OPERATION_COSTS,
    OPERATIONS,
    VARIANCES,
)

TABLES = {
    "ledger": ("ledger", LEDGER, "attribution_id"),
    "operation_costs": (
        "operation_costs", OPERATION_COSTS,
        # equal weights of one charge have equal costs: beside each other they are next to nothing
        "charge_id, billed_cost, effective_cost, attribution_id, operation_number",
    ),
    "operations": ("published_operations", OPERATIONS, "operation_number"),
    "ledger_revisions": ("ledger_revisions", LEDGER_REVISIONS, "attribution_id"),
    "variances": ("variances", VARIANCES, "attribution_id"),
}  # fmt: skip
"""Published table to the table that holds it, its schema and the order of its file."""

ORDER_OF_REQUESTS = "charge_number, billed_cost, effective_cost, row_number, operation_number"
"""The same order by integers, for rows that were computed now."""

ALWAYS = ("ledger", "operation_costs", "operations")
"""Tables with a file for every day, be it empty."""

CUT = ("operation_costs", "operations")
"""Tables of several files, by their column ``place``, which is not published."""


def write(db: Session, name: str, out: Path, where: str = "true") -> tuple[list[str], int]:
    """One published table, or some of its rows, as files in ``out``; and how many rows they have."""
    table, schema, order = TABLES[name]
    names = [column for column in schema.names if column != "charge_date"]
    if name == "operation_costs":
        names = [_narrowed(db, column, where) for column in names]
        # rows that a closed period keeps are not of this run
        if not db.one(f"select count(*) from {table} where {where} and charge_number is null"):
            order = ORDER_OF_REQUESTS
    columns = ", ".join(names)
    wheres = [where]
    if name in CUT:
        found = db.rows(f"select distinct place from {table} where {where} order by 1")
        wheres = [f"{where} and place = {place}" for (place,) in found] or wheres
    paths = [out / f"{name}-{number}.parquet" for number in range(len(wheres))]
    rows = sum(
        db.write(
            f"select {columns} from {table} where {rows} order by {order}", path,
            level=ZSTD_LEVEL.get(name),
        )
        for path, rows in zip(paths, wheres, strict=True)
    )  # fmt: skip
    return [str(path) for path in paths], rows


def _narrowed(db: Session, column: str, where: str) -> str:
    """SQL of a column of request rows as it is written: amounts in 64 bits where all of them fit."""
    if not column.endswith("_cost") or db.one(
        f"select count(*) from operation_costs where {where} "
        f"and ({column} >= {NARROW} or {column} <= -{NARROW})"
    ):
        return column
    return f"cast({column} as decimal(18, 12)) as {column}"
