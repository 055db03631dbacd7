"""Outcomes as tables: one by one, and summed with the cost of a useful one.

Belongs here: columns and quotients. Does not: which operations an outcome is of (``joined``).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from attribution_pipeline.model.money import to_decimal, to_quanta
from attribution_pipeline.views.outcomes.joined import SQL

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.engine import Session

COLUMNS = (
    "outcome_number", "date", "observed_at", "kind", "value", "useful", "matched", "operation_id",
    "trace_id", "operation", "operations", "tenant_id", "feature", "workflow_id", "agent", "model",
    "billing_currency", "billed_cost", "effective_cost",
)  # fmt: skip
"""Grain: outcome and currency of its cost. ``useful``: its value is positive, or it has none.
``operation``: ``trace:span`` of one of its ``operations``. Who and model are null where its operations
differ in them."""

BY = ("kind", "tenant_id", "feature", "workflow_id", "agent", "model")
"""Columns that outcomes may be summed by."""

COST_PER_USEFUL = "cost_per_useful"

_OF_OPERATIONS = ("tenant_id", "feature", "workflow_id", "agent", "model")


def outcome_rows(db: Session) -> pa.Table:
    """``COLUMNS``, of the relations that ``open_outcomes`` left in ``db``."""
    return db.table(rows_query())


def per_useful(db: Session, metric: str, by: Sequence[str] = ("kind",)) -> pa.Table:
    """Outcomes by columns of ``BY``: outcomes, useful, unmatched, value (its sum), billing_currency,
    both costs, cost_per_useful.

    The cost is of all operations that have an outcome of the group, each once, also where nothing
    useful came of them; ``cost_per_useful`` is that of ``metric`` over useful outcomes, rounded half
    to even at the ledger's last digit, null without any. Of a group that costs in two currencies each
    is a row with the group's counts: they are never added up. Raises ValueError for other columns.
    """
    import pyarrow as pa

    if not by or not set(by) <= set(BY):
        raise ValueError(f"outcomes are summed by {', '.join(BY)}")

    def each(prefix: str, more: str = "") -> str:
        return ", ".join(f"{prefix}{column}{more}" for column in by)

    query = (SQL / "summed.sql").read_text(encoding="utf-8").format(
        by=each(""), of_rows=each("r."), of_counted=each("n."), of_counted_last=each("n.", " nulls last"),
        same=" and ".join(f"n.{column} is not distinct from s.{column}" for column in by),
    )  # fmt: skip
    db.execute(f"create or replace temporary view outcome_rows as {rows_query()}")
    found = db.table(query)
    costs, useful = found[metric].to_pylist(), found["useful"].to_pylist()
    quotients = [
        to_decimal(round(Fraction(to_quanta(cost)[0], count)))
        if cost is not None and count
        else None
        for cost, count in zip(costs, useful, strict=True)
    ]
    field = pa.field(COST_PER_USEFUL, found.schema.field(metric).type)
    return found.append_column(field, pa.array(quotients, field.type))


def rows_query() -> str:
    """SQL: ``COLUMNS``, of the relations that ``open_outcomes`` leaves."""
    one = {
        f"one_{column}": f"case when count(distinct coalesce(p.{column}, chr(30))) = 1 "
        f"then max(p.{column}) end"
        for column in _OF_OPERATIONS
    }
    return (SQL / "rows.sql").read_text(encoding="utf-8").format(**one)
