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
    """

    def total(column: str, condition: str = "true") -> str:
        return f"cast(coalesce(sum(case when {condition} then {column} end), 0) as {MONEY})"

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
    case when min(policy_version) is null then ''
         when min(policy_version) = max(policy_version) then cast(min(policy_version) as varchar)
         else concat(min(policy_version), ' to ', max(policy_version)) end as policy_versions"""


@cache
def sql_text(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


MOST_SHOWN = 50
"""Rows on a terminal: dearest first, so what follows is small."""

ON_TERMINAL = ("unallocated", "provisional", "policy_versions")
"""Of the tail, what a terminal is wide enough for, beside both costs."""

ONLY_IN_FILES = ("restated", "status")
"""Of the tail, what CSV, JSON and Parquet say beyond the confidences."""


def table_lines(rows: pa.Table) -> Iterator[str]:
    """Aligned text; whole columns that are empty are left out."""
    import pyarrow as pa

    left_out = {*CONFIDENCES, *ONLY_IN_FILES} - set(ON_TERMINAL)
    names = [
        name for name in rows.column_names
        if name not in left_out and rows[name].null_count < rows.num_rows
    ]  # fmt: skip
    shown = rows.select(names)[:MOST_SHOWN]
    right = [field.name for field in shown.schema
             if pa.types.is_decimal(field.type) or pa.types.is_integer(field.type)]  # fmt: skip
    lines = [[_cell(value) for value in record] for record in output.records(shown)]
    yield from text_table(names, lines, right=right).splitlines()
    if rows.num_rows > MOST_SHOWN:
        yield f"{rows.num_rows:,} rows, of which the dearest {MOST_SHOWN} are shown"


def _cell(value: Any) -> str:
    """Amounts to the cent where they are of this size: every digit is in the other formats."""
    if isinstance(value, Decimal):
        if not value or value.as_tuple().exponent == 0:
            return f"{int(value):,}"
        digits = SMALL if abs(value) < 1 else CENT
        return f"{value.quantize(digits):,}"
    return terminal_cell(value)
