"""How rows changed after they were first recorded, and what closed periods hold back.

Belongs here: order, columns and footer of ``ledger_revisions`` and ``variances``, and one line for
the changes of a day. Does not: why a row changed (``attribution``), which states there are
(``lake``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.model.money import to_decimal, to_quanta
from attribution_pipeline.views import output
from attribution_pipeline.views.cells import spelled, terminal_cell
from attribution_pipeline.views.ledger import COSTS, CURRENCY, MOST_SHOWN, summed
from attribution_pipeline.views.text_table import text_table

if TYPE_CHECKING:
    import pyarrow as pa

REVISIONS = "ledger_revisions"
VARIANCES = "variances"

SHOWN = {
    REVISIONS: (
        "charge_date", "recorded_at", "cause", "tenant_id", "component", "unallocated_reason",
        "revision", "delta_billed_cost", "delta_effective_cost", CURRENCY, "attribution_id",
    ),
    VARIANCES: (
        "charge_date", "service", "component", "tenant_id", "unallocated_reason",
        "held_billed_cost", "billed_cost", "held_effective_cost", "effective_cost", CURRENCY,
    ),
}  # fmt: skip
"""Columns of the table on a terminal; the other formats carry all of them."""

_ORDER = {
    REVISIONS: ("charge_date", "recorded_at", "attribution_id", "revision"),
    VARIANCES: ("charge_date", "attribution_id"),
}
_SHORT_ID = 12
"""Characters of an id that a person compares by eye."""


def in_order(rows: pa.Table, table: str) -> pa.Table:
    """By day, then as the changes were recorded."""
    return rows.sort_by([(name, "ascending") for name in _ORDER[table]])


def write(
    rows: pa.Table, table: str, format_: str, out: Path | None, echo: Callable[[str], None]
) -> None:
    """Rows of ``table`` in one of ``output.FORMATS``, to a file or to ``echo``."""
    output.write(rows, format_, out, echo, lambda shown: table_lines(shown, table))


def table_lines(rows: pa.Table, table: str) -> Iterator[str]:
    """Aligned text and the footer."""
    columns = SHOWN[table]
    amounts = [name for name in columns if name.endswith("_cost")]
    shown = rows.select(columns)[:MOST_SHOWN]
    lines = [
        [_cell(name, value) for name, value in zip(columns, row, strict=True)]
        for row in output.records(shown)
    ]
    yield from text_table(columns, lines, right=[*amounts, "revision"]).splitlines()
    yield ""
    yield from footer(rows, table)
    if rows.num_rows > MOST_SHOWN:
        yield f"{rows.num_rows:,} rows, of which the first {MOST_SHOWN} are shown"


def footer(rows: pa.Table, table: str) -> list[str]:
    """What the rows come to: of revisions by cause, of variances in all; per currency."""
    if table == VARIANCES:
        return _variance_footer(rows)
    found = [
        f"{cause}: {_counted(count)}, {', '.join(amounts)}"
        for cause, count, amounts in _causes(rows)
    ]
    return (
        [*found, f"{_counted(rows.num_rows)} changed in all"] if found else ["no row was changed"]
    )


def changes(rows: pa.Table, metric: str) -> str:
    """``12 rows (late_spans), 1.607 USD added, 1.607 USD taken away``; empty without a row. Grain:
    one change a row.

    Sums of the changes of rows in ``metric``: a dollar that leaves one row for another is taken away
    from the one and added to the other, and is both.
    """
    if not rows.num_rows:
        return ""
    named = sorted(set(rows["cause"].to_pylist()))
    counts = {cause: rows["cause"].to_pylist().count(cause) for cause in named}
    causes = (
        ", ".join(named)
        if len(named) == 1
        else ", ".join(f"{count} {cause}" for cause, count in counts.items())
    )
    delta = f"delta_{metric}"
    moved = dict(moved_by_currency(rows, delta))
    said = []
    for row in summed(rows, [], [delta]).to_pylist():
        currency = row[CURRENCY] or ""
        net, both_ways = to_quanta(row[delta])[0], to_quanta(moved[currency])[0]
        added = (both_ways + net) // 2  # exact: both are even or both are odd
        for quanta, verb in ((added, "added"), (added - net, "taken away")):
            if quanta:
                said.append(" ".join(filter(None, (plain(to_decimal(quanta)), currency, verb))))
    return f"{_counted(rows.num_rows)} ({causes}), {', '.join(said) or 'no cost'}"


def moved_by_currency(rows: pa.Table, delta: str) -> list[tuple[str, Decimal]]:
    """(currency, sum of absolute ``delta``), exactly."""
    absolute = _absolute(rows, [delta])
    return [(row[CURRENCY] or "", row[delta]) for row in summed(absolute, [], [delta]).to_pylist()]


def plain(amount: Decimal) -> str:
    """An amount without trailing zeros: for sentences; tables carry all decimals."""
    whole, _, decimals = f"{amount:f}".partition(".")
    decimals = decimals.rstrip("0")
    return f"{whole}.{decimals}" if decimals else whole


def _causes(rows: pa.Table) -> Iterator[tuple[str, int, list[str]]]:
    deltas = [f"delta_{cost}" for cost in COSTS]
    net = {(r["cause"], r[CURRENCY]): r for r in summed(rows, ["cause"], deltas).to_pylist()}
    moved = summed(_absolute(rows, deltas), ["cause"], deltas).to_pylist()
    causes = rows["cause"].to_pylist()
    for cause in sorted(set(causes)):
        amounts = [
            f"{cost.removesuffix('_cost')} moved {plain(row[delta])}, net "
            f"{_signed(net[cause, row[CURRENCY]][delta])} {row[CURRENCY] or ''}".rstrip()
            for row in moved
            if row["cause"] == cause
            for cost, delta in zip(COSTS, deltas, strict=True)
        ]
        yield cause, causes.count(cause), amounts


def _variance_footer(rows: pa.Table) -> list[str]:
    if not rows.num_rows:
        return ["nothing is held back"]
    columns = [name for cost in COSTS for name in (cost, f"held_{cost}")]
    return [
        f"{_counted(rows.num_rows)} of closed periods held: what today's evidence would change",
        *(
            f"{cost.removesuffix('_cost')}: the ledger keeps {plain(row[f'held_{cost}'])}, "
            f"it would be {plain(row[cost])} {row[CURRENCY] or ''}".rstrip()
            for row in summed(rows, [], columns).to_pylist()
            for cost in COSTS
        ),
    ]


def _absolute(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    import pyarrow.compute as pc

    for name in columns:
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), pc.abs(rows[name]))
    return rows


def _cell(name: str, value: object) -> str:
    if name == "attribution_id" and value is not None:
        return spelled(value)[:_SHORT_ID]
    return terminal_cell(value)


def _signed(amount: Decimal) -> str:
    return plain(amount) if amount <= 0 else f"+{plain(amount)}"


def _counted(rows: int) -> str:
    return f"{rows:,} row" + ("" if rows == 1 else "s")
