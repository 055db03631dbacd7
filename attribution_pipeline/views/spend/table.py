"""One view as a table: its SQL, with the common tail of sums, and how it reads on a terminal.

Belongs here: the tail, running the file, the terminal's lines. Does not: which views there are (``register``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.ledger import CONFIDENCES, of_its_day
from attribution_pipeline.views import output
from attribution_pipeline.views.cells import terminal_cell
from attribution_pipeline.views.spend.derived import with_quotients
from attribution_pipeline.views.text_table import text_table

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.engine import Session

SQL = Path(__file__).parent / "sql"

MONEY = "decimal(38, 12)"

CENT, SMALL = Decimal("0.01"), Decimal("0.000001")
"""What a terminal shows of amounts from 1 on, and of smaller ones."""


def spend_view(db: Session, name: str, metric: str) -> pa.Table:
    """A view of the roll-ups that are open in ``db`` (``views.daily``), dearest first.

    Columns: its keys, its measures, ``billing_currency``, then the tail: ``billed_cost``,
    ``effective_cost``; of ``metric`` what is metered, allocated, estimated, unallocated, provisional
    and restated; ``status`` (``tail``); ``policy_versions`` as text, ``3`` or ``2 to 3``. Amounts are
    exact.
    """
    rows = db.table(
        sql_text(name).format(
            tail=tail(metric),
            metric=metric,
            order=f"{metric} desc nulls last",
            of_its_day=of_its_day(),
        )
    )
    return with_quotients(name, rows, metric)


def earlier_days(db: Session, metric: str) -> Sequence[tuple[str, Decimal]]:
    """Currency and cost of charges from before the ledger's first day, which are booked on it. Nobody can
    label them, so the backlog and what stands out leave them to this line. Reads ``resources_daily``."""
    found: Sequence[tuple[str, Decimal]] = db.rows(
        sql_text("earlier").format(metric=metric, of_its_day=of_its_day())
    )
    return found


def earlier_said(found: Iterable[tuple[str, Decimal]]) -> str:
    """The same as a sentence; nothing where there are none."""
    amounts = " and ".join(f"{cost.quantize(CENT):,} {currency}" for currency, cost in found)
    said = "of charges from before the first recorded day, booked on it: nothing to label"
    return f"not in this: {amounts} {said}" if amounts else ""


def tail(metric: str) -> str:
    """SQL: the sums that every view ends with, over rows that say ``settlement``.

    ``status`` is told by the rows there are, not by amounts, which may be zero: ``provisional``,
    ``settled``, ``partly provisional``, ``restated`` where any row is, null without a row of cost.
    ``policy_versions`` are those by which an amount stands: what a version no longer counts stays in the
    ledger as a row at zero, and names its version only where there is no other.
    """

    def total(column: str, condition: str = "true") -> str:
        return f"cast(coalesce(sum(case when {condition} then {column} end), 0) as {MONEY})"

    def policy(end: str) -> str:
        costs = "case when billed_cost <> 0 or effective_cost <> 0 then policy_version end"
        return f"coalesce({end}({costs}), {end}(policy_version))"

    oldest, newest = policy("min"), policy("max")
    confidences = ",\n    ".join(
        total(metric, f"confidence = '{word}'") + f" as {word}" for word in CONFIDENCES
    )
    return f"""{total("billed_cost")} as billed_cost,
    {total("effective_cost")} as effective_cost,
    {confidences},
    {total(metric, "settlement = 'provisional'")} as provisional,
    {total(metric, "settlement = 'restated'")} as restated,
    case when max(case when settlement = 'restated' then 1 else 0 end) = 1 then 'restated'
         when min(settlement) = max(settlement) then min(settlement)
         when min(settlement) is not null then 'partly provisional' end as status,
    case when {oldest} is null then ''
         when {oldest} = {newest} then cast({oldest} as varchar)
         else concat({oldest}, ' to ', {newest}) end as policy_versions"""


def at_zero(rows: pa.Table) -> pa.BooleanArray:
    """Of rows with the common tail, whether each costs nothing and did nothing: what a policy no longer
    counts stays in the ledger at zero. A table for people leaves such rows out and says how many. All of
    them are false where no row costs anything, since then they are the answer."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pa.array([True] * rows.num_rows, pa.bool_())
    for name in (*COSTS, *CONFIDENCES, *ACTIVITY):
        if name in rows.column_names:
            column = rows[name].combine_chunks()
            # a row without any cost is no row at zero
            nothing = pc.fill_null(
                pc.equal(column, pa.scalar(0, column.type)), name not in COSTS
            )  # fmt: skip
            found = pc.and_(found, nothing)
    return found if found.false_count else pa.array([False] * rows.num_rows, pa.bool_())


@cache
def sql_text(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


COSTS = ("billed_cost", "effective_cost")
ACTIVITY = ("calls", "tokens", "outcomes", "input_tokens", "output_tokens")
"""Columns of a row that is shown for what was done, though it cost nothing."""

MACHINES, PODS = "kubernetes", "pods that call or serve it"
"""The surface of a model's row that is no price of the model, and what people call it."""

MOST_SHOWN = 50
"""Rows on a terminal: dearest first, so what follows is small."""

ON_TERMINAL = ("unallocated", "provisional", "policy_versions")
"""Of the tail, what a terminal is wide enough for, beside both costs."""

ONLY_IN_FILES = ("restated", "status")
"""Of the tail, what CSV, JSON and Parquet say beyond the confidences."""


def table_lines(rows: pa.Table) -> Iterator[str]:
    """Aligned text; whole columns that are empty are left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    left_out = {*CONFIDENCES, *ONLY_IN_FILES} - set(ON_TERMINAL)
    names = [
        name for name in rows.column_names
        if name not in left_out and rows[name].null_count < rows.num_rows
    ]  # fmt: skip
    zero = at_zero(rows)
    kept = rows.filter(pc.invert(zero))
    shown = kept.select(names)[:MOST_SHOWN]
    right = [field.name for field in shown.schema
             if pa.types.is_decimal(field.type) or pa.types.is_integer(field.type)]  # fmt: skip
    if {"model", "surface"} <= set(shown.column_names):
        shown = _with_pods_said(shown)
    lines = [[_cell(value) for value in record] for record in output.records(shown)]
    yield from text_table(names, lines, right=right).splitlines()
    if kept.num_rows > MOST_SHOWN:
        yield f"{kept.num_rows:,} rows, of which the dearest {MOST_SHOWN} are shown"
    if zero.true_count:
        yield f"and {zero.true_count:,} at zero: --format csv has every row"


def _with_pods_said(rows: pa.Table) -> pa.Table:
    """What a model's machines cost beside what its provider takes for it, under a name that says so."""
    import pyarrow as pa

    said = [
        PODS if row["surface"] == MACHINES and row["model"] is not None else row["surface"]
        for row in rows.select(["model", "surface"]).to_pylist()
    ]
    at = rows.schema.get_field_index("surface")
    return rows.set_column(at, pa.field("surface", pa.string()), pa.array(said, pa.string()))


def _cell(value: Any) -> str:
    """Amounts to the cent where they are of this size: every digit is in the other formats."""
    if isinstance(value, Decimal):
        if not value or value.as_tuple().exponent == 0:
            return f"{int(value):,}"
        digits = SMALL if abs(value) < 1 else CENT
        return f"{value.quantize(digits):,}"
    return terminal_cell(value)
