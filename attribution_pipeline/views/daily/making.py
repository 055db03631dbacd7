"""Computing the roll-ups of one day: from its published tables, and from its landed outcomes.

Belongs here: opening what they are made of, running their SQL, the assertion that they sum to the ledger.
Does not: where they are kept, which day is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Broken
from attribution_pipeline.views.daily.basis import LEDGER_TABLES, OUTCOME_TABLES
from attribution_pipeline.views.daily.queries import query

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.lake import Lake, Published
    from attribution_pipeline.lake.landed import LandedView
    from attribution_pipeline.views.outcomes import Found

SUM_TO_THE_LEDGER = ("spend_daily", "resources_daily")

Totals = dict[str, list[str]]
"""Currency -> billed cost, effective cost and rows of the ledger, as text."""

READS = {
    "spend_daily": ("ledger", "operations", "operation_costs"),
    "resources_daily": ("ledger",),
    "calls_daily": ("operations",),
}

COLUMNS = {
    "operations": "*",
    "operation_costs": "attribution_id, operation_number, operation_key, billed_cost, effective_cost",
    "ledger": "*",
}


def make_ledger_tables(
    db: Session, lake: Lake, state: Published, tables: Sequence[str] = LEDGER_TABLES
) -> Totals:
    """Leave roll-ups of a recorded state in ``db`` as tables of their names; returns the ledger's sums.

    Every file is hashed before it is opened. Raises Refusal naming one that was changed, Broken where a
    roll-up does not sum to the ledger.
    """
    for relation in dict.fromkeys(name for table in tables for name in ("ledger", *READS[table])):
        _open(db, lake, state, relation)
    totals = sums(db, "ledger", rows="count(*)")
    for table in tables:
        db.execute(f"create table {table} as {query(table)}")
        if table in SUM_TO_THE_LEDGER:
            require_sums(db, table, totals, state.day)
    return totals


def make_outcome_tables(
    db: Session, lake: Lake, landed: LandedView, day: date, *, as_of: datetime | None = None
) -> Found:
    """Leave the roll-ups of the outcomes of ``day`` in ``db``, beside the relations of
    ``open_outcomes``."""
    from attribution_pipeline.views.outcomes import open_outcomes
    from attribution_pipeline.views.outcomes.table import rows_query

    found = open_outcomes(db, lake, landed, day, day, as_of=as_of)
    db.execute(f"create or replace temporary view outcome_rows as {rows_query()}")
    for table in OUTCOME_TABLES:
        db.execute(f"create table {table} as {query(table)}")
    return found


def rows_made(db: Session, table: str, state: Published, content_digest: str) -> pa.Table:
    """A roll-up that was made in ``db``, in its schema and order, with the state that it is of."""
    from attribution_pipeline.model.daily import KEYS, SCHEMAS

    schema = SCHEMAS[table]
    said = {
        "charge_date": f"date '{state.day}'",
        "manifest_id": f"'{state.manifest_id}'",
        "content_digest": f"'{content_digest}'",
    }
    columns = ", ".join(f"{said.get(name, name)} as {name}" for name in schema.names)
    order = ", ".join(f"{key} nulls last" for key in KEYS[table])
    return db.table(f"select {columns} from {table} order by {order}").cast(schema)


def sums(
    db: Session, relation: str, *, rows: str = "sum(ledger_rows)", where: str = "true"
) -> Totals:
    """Both costs and the ledger's rows of a relation, by currency."""
    found = db.rows(
        f"select billing_currency, sum(billed_cost), sum(effective_cost), {rows} "
        f"from {relation} where {where} group by billing_currency order by billing_currency"
    )
    return {
        currency: [f"{Decimal(billed):f}", f"{Decimal(effective):f}", str(int(count))]
        for currency, billed, effective, count in found
    }


def require_sums(db: Session, table: str, totals: Totals, day: date) -> None:
    """Raise Broken unless a roll-up has the costs and the rows of the ledger that it is of."""
    require_equal(table, sums(db, table), totals, day)


def require_equal(table: str, found: Totals, totals: Totals, day: date) -> None:
    """Raise Broken unless two sums are the same, digit by digit."""
    if found != totals:
        raise Broken(f"{table} of {day} sums to {found}, its ledger to {totals}")


def _open(db: Session, lake: Lake, state: Published, relation: str) -> None:
    """A published table of one state; where it has no file, empty."""
    from attribution_pipeline.attribution.requests import of_files
    from attribution_pipeline.lake.shapes import schema_of

    entries = lake.document(state)["files"].get(relation, [])
    paths = [lake.verified(lake.stored(entry)) for entry in entries]
    if not paths:
        db.load(relation, schema_of(relation).empty_table())
        return
    db.execute(
        f"create view {relation} as select {COLUMNS[relation]}, date '{state.day}' as charge_date "
        f"from {of_files(paths)}"
    )
