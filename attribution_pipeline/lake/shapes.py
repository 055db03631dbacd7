"""The published tables: their names, schemas, row order, and which of them go first.

Belongs here: what the lake must know of a table to keep and read it. Does not: what its rows mean
(``model.ledger``), how they are kept (``delta``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attribution_pipeline.lake import manifest as manifests

if TYPE_CHECKING:
    import pyarrow as pa

LEDGER = "ledger"
SIDE_TABLES = ("operation_costs", "operations", "ledger_revisions", "variances")
"""Committed before the manifest and the ledger, in this order."""
MANIFESTS = "manifests"
TABLES = (LEDGER, *SIDE_TABLES, MANIFESTS)

ROW_ORDER: Mapping[str, Sequence[str]] = {
    LEDGER: ("attribution_id",),
    "operation_costs": (
        "charge_id", "billed_cost", "effective_cost", "attribution_id", "operation_number",
    ),
    "operations": ("operation_number",),
    "ledger_revisions": ("attribution_id", "revision", "recorded_at"),
    "variances": ("attribution_id",),
}  # fmt: skip
"""How a day's rows are sorted. One file is written so; several are sorted when they are read."""


def schema_of(table: str) -> pa.Schema:
    """A table's schema, with ``charge_date``."""
    from attribution_pipeline.model import ledger

    if table == MANIFESTS:
        return manifests.schema()
    known = {
        LEDGER: ledger.LEDGER,
        "operation_costs": ledger.OPERATION_COSTS,
        "operations": ledger.OPERATIONS,
        "ledger_revisions": ledger.LEDGER_REVISIONS,
        "variances": ledger.VARIANCES,
    }
    return known[table]


def holds(declared: pa.DataType, found: pa.DataType) -> bool:
    """Whether a column of a table may be of this type in a file: its own, or its decimal in fewer
    digits, which any reader of Parquet widens to the table's."""
    import pyarrow as pa

    if not (pa.types.is_decimal(declared) and pa.types.is_decimal(found)):
        return bool(declared == found)
    return bool(declared.scale == found.scale and found.precision <= declared.precision)
