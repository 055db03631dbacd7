"""A day's tables as Parquet files: their order, how many files, how wide amounts are.

Belongs here: writing rows that are at hand. Does not: which rows (``publish``, ``late_outcome``), how
many files a table goes into (``layout``).
"""

from __future__ import annotations

from collections.abc import Sequence
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

AMOUNTS = ("billed_cost", "effective_cost")

LOOKED_AT = ", ".join(
    (
        *(f"max({cost}) >= {NARROW} or min({cost}) <= -{NARROW}" for cost in AMOUNTS),
        # rows that a closed period keeps are not of this run
        "bool_or(charge_number is null)",
    )
)
"""Of request rows: whether amounts take more than 64 bits, by cost, and whether the order is by text."""

CUT = {
    "operation_costs": LOOKED_AT,
    "operations": "min(end_unix_nano), max(end_unix_nano)",
}
"""Tables of several files, by their column ``place``, which is not published; and what is asked of the rows of
each file."""


def write(
    db: Session, name: str, out: Path, where: str = "true", parts: Sequence[str] = ("true",)
) -> tuple[list[str], int]:
    """One published table, or some of its rows, as files in ``out``; and how many rows they have.
    ``parts``: of a table that is not ``CUT``, which rows go into each file."""
    table, schema, order = TABLES[name]
    names = [column for column in schema.names if column != "charge_date"]
    wheres = [f"{where} and {part}" for part in parts]
    if name in CUT:
        found = db.rows(
            f"select place, {CUT[name]} from {table} where {where} group by place order by place"
        )
        files = [f"{where} and place = {place}" for place, *_ in found]
        if name == "operations":
            # they lie about in the order of time: a range spares a pass over all of them for each file, which
            # is most of what writing a day costs that is larger than memory (decision 0024)
            files = [
                f"{file} and end_unix_nano between {first} and {last}"
                for file, (_, first, last) in zip(files, found, strict=True)
            ]
        wheres = files or wheres
        if name == "operation_costs":
            *wide, kept = (any(said) for said in list(zip(*found, strict=True))[1:] or [()] * 3)
            narrow = [column for column, is_wide in zip(AMOUNTS, wide, strict=True) if not is_wide]
            names = [
                f"cast({column} as decimal(18, 12)) as {column}" if column in narrow else column
                for column in names
            ]
            order = order if kept else ORDER_OF_REQUESTS
    columns = ", ".join(names)
    paths = [out / f"{name}-{number}.parquet" for number in range(len(wheres))]
    rows = sum(
        db.write(
            f"select {columns} from {table} where {rows} order by {order}", path,
            level=ZSTD_LEVEL.get(name),
        )
        for path, rows in zip(paths, wheres, strict=True)
    )  # fmt: skip
    return [str(path) for path in paths], rows
