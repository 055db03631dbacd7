"""What another policy would change: the same days under two policies, side by side.

Belongs here: comparing two ledgers row by row, groups of what changes, how that reads. Does not:
computing either side (``orchestration.policy_diff``), or which version is in force (``model``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.rule_use import RuleUse
from attribution_pipeline.model.money import to_decimal, to_quanta
from attribution_pipeline.views.cells import terminal_cell
from attribution_pipeline.views.ledger import CURRENCY, MOST_SHOWN, summed
from attribution_pipeline.views.revisions import moved_by_currency, plain
from attribution_pipeline.views.text_table import text_table

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.unmet_models import Unmet

DEFAULT_BY = ("tenant_id", "component", "pool")
TENANT, REASON = "tenant_id", "unallocated_reason"
SIDES = ("cost_a", "cost_b")
AMOUNTS = (*SIDES, "change")
SHARE = "share_of_change"
NO_GROUPS = (
    "attribution_id", "settlement", "policy_id", "policy_version", "policy_digest", "kernel",
    "revision", "first_recorded_at", "recorded_at",
)  # fmt: skip
"""Columns that tell states apart, not costs: both sides are computed now and recorded nowhere."""
_SHARE_PLACES = Decimal("0.000001")
_MOVED = "delta_moved"


def columns_of(by: Sequence[str]) -> list[str]:
    """The columns of groups: what is asked for, and beside the tenant the reason of rows without
    one, so that unallocated cost is told apart by why it is unallocated."""
    if TENANT not in by or REASON in by:
        return list(by)
    at = list(by).index(TENANT) + 1
    return [*by[:at], REASON, *by[at:]]


@dataclass(frozen=True)
class DayChange:
    """One day under both policies.

    ``groups``: grain one per group and currency, with ``cost_a`` and ``cost_b``. ``rows``: rows that
    move, and ``moved`` their absolute changes added up, by currency: cost that goes from one row to
    another counts in both.
    """

    day: date
    groups: pa.Table
    rows: int
    moved: Mapping[str, Decimal]
    has_bill: bool = True


def compare(
    day: date, under_a: pa.Table, under_b: pa.Table, columns: Sequence[str], metric: str
) -> DayChange:
    """One day's two ledgers, compared in ``metric``. Exact; rows meet by ``attribution_id``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    money = under_a.schema.field(metric).type
    keys = ["attribution_id", *columns, CURRENCY]
    none = pa.scalar(Decimal(0), money)
    parts = []
    for place, rows in enumerate((under_a, under_b)):
        rows = _reason_without_tenant(_dated(rows, day), columns).select([*keys, metric])
        zero = pa.repeat(none, rows.num_rows)
        costs = [zero, rows[metric]] if place else [rows[metric], zero]
        delta = rows[metric] if place else pc.negate(rows[metric])
        values = [*(rows[key] for key in keys), *costs, delta]
        parts.append(pa.table(values, names=[*keys, *SIDES, _MOVED]))
    both = pa.concat_tables(parts)
    changed = summed(both, ["attribution_id"], [_MOVED])
    changed = changed.filter(pc.not_equal(changed[_MOVED], none))
    return DayChange(
        day=day,
        groups=summed(both, columns, SIDES),
        rows=changed.num_rows,
        moved=dict(moved_by_currency(changed, _MOVED)),
    )


def _dated(rows: pa.Table, day: date) -> pa.Table:
    """The charge date is the partition, so a day's own file lacks it."""
    import pyarrow as pa

    if "charge_date" in rows.column_names:
        return rows
    dates = pa.repeat(pa.scalar(day, pa.date32()), rows.num_rows)
    return rows.append_column("charge_date", dates)


def _reason_without_tenant(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    if TENANT not in columns or REASON not in columns:
        return rows
    reasons = pc.if_else(pc.is_null(rows[TENANT]), rows[REASON], pa.scalar(None, pa.string()))
    return rows.set_column(rows.schema.get_field_index(REASON), REASON, reasons)


@dataclass
class Difference:
    """All days, added up."""

    columns: Sequence[str]
    metric: str
    days: list[DayChange] = field(default_factory=list)
    used_by_b: RuleUse = field(default_factory=RuleUse)
    """Rules of B that took something on these days."""
    unmet_by_b: list[Unmet] = field(default_factory=list)
    """Models that charges and calls name apart under B, on the last of these days that has a bill."""

    def rows(self) -> pa.Table:
        """Grain: one group and currency, the largest change first. ``share_of_change``: of the
        absolute changes of all groups of the currency; null where nothing changes."""
        import pyarrow as pa

        both = pa.concat_tables([day.groups for day in self.days])
        found = summed(both, self.columns, SIDES).to_pylist()
        changes = [to_quanta(row["cost_b"])[0] - to_quanta(row["cost_a"])[0] for row in found]
        whole: dict[str | None, int] = {}
        for row, change in zip(found, changes, strict=True):
            whole[row[CURRENCY]] = whole.get(row[CURRENCY], 0) + abs(change)
        places = sorted(
            range(len(found)), key=lambda n: (found[n][CURRENCY] or "", -abs(changes[n]), n)
        )
        money = both.schema.field(SIDES[0]).type
        schema = pa.schema(
            [
                *(both.schema.field(name) for name in (*self.columns, CURRENCY)),
                pa.field("metric", pa.string()),
                *(pa.field(name, money) for name in AMOUNTS),
                pa.field(SHARE, pa.decimal128(9, 6)),
            ]
        )
        return pa.Table.from_pylist(
            [
                {
                    **found[n],
                    "metric": self.metric,
                    "change": to_decimal(changes[n]),
                    SHARE: _share(changes[n], whole[found[n][CURRENCY]]),
                }
                for n in places
            ],
            schema=schema,
        )

    def totals(self) -> list[tuple[str, Decimal, Decimal, Decimal]]:
        """(currency, under A, under B, difference), exactly. Both sides divide one bill, so the
        difference is zero or something is broken."""
        import pyarrow as pa

        both = pa.concat_tables([day.groups for day in self.days])
        return [
            (
                row[CURRENCY] or "",
                row["cost_a"],
                row["cost_b"],
                to_decimal(to_quanta(row["cost_b"])[0] - to_quanta(row["cost_a"])[0]),
            )
            for row in summed(both, [], SIDES).to_pylist()
        ]

    @property
    def is_even(self) -> bool:
        """Whether nothing was lost or won between the two."""
        return all(difference == 0 for *_, difference in self.totals())

    def affected(self) -> list[str]:
        """How much of the range changes, and that the totals are equal."""
        changed = [day for day in self.days if day.rows]
        moved: dict[str, int] = {}
        for day in changed:
            for currency, amount in day.moved.items():
                moved[currency] = moved.get(currency, 0) + to_quanta(amount)[0]
        said = ", ".join(
            f"{plain(to_decimal(amount))} {currency}".rstrip() for currency, amount in moved.items()
        )
        rows = sum(day.rows for day in changed)
        lines = [
            f"{len(changed)} of {len(self.days)} {_noun(len(self.days), 'day')} change, "
            f"{rows:,} {_noun(rows, 'row')} move, sum of their absolute changes "
            f"{said or '0'} ({self.metric})"
        ]
        lines += [
            f"total {currency}: under A {under_a:f}, under B {under_b:f}, difference {change:f}"
            for currency, under_a, under_b, change in self.totals()
        ]
        without = [day.day.isoformat() for day in self.days if not day.has_bill]
        if without:
            lines.append(f"no charge of the bill falls on {', '.join(without)}")
        return lines


def table_lines(rows: pa.Table) -> Iterator[str]:
    """Aligned text of groups that change; those that do not are counted."""
    names = [name for name in rows.column_names if name != "metric"]
    merged = TENANT in names and REASON in names
    heads = [name for name in names if not (merged and name == REASON)]
    changed = [row for row in rows.to_pylist() if row["change"]]
    cells = [[_cell(row, name, merged=merged) for name in heads] for row in changed[:MOST_SHOWN]]
    yield from text_table(heads, cells, right=[*AMOUNTS, SHARE]).splitlines()
    yield ""
    if len(changed) > MOST_SHOWN:
        yield f"{len(changed):,} groups change, of which the first {MOST_SHOWN} are shown"
    same = rows.num_rows - len(changed)
    if same:
        yield f"{same:,} {_noun(same, 'group')} without a change not shown"


def _cell(row: Mapping[str, Any], name: str, *, merged: bool) -> str:
    if merged and name == TENANT and row[TENANT] is None:
        return f"({terminal_cell(row[REASON]) or 'unknown'})"
    if name == SHARE:
        return f"{row[SHARE].scaleb(2):.2f} %" if row[SHARE] is not None else ""
    return terminal_cell(row[name])


def _share(change: int, whole: int) -> Decimal | None:
    if not whole:
        return None
    return (Decimal(abs(change)) / Decimal(whole)).quantize(_SHARE_PLACES, ROUND_HALF_EVEN)


def _noun(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
