"""Recorded rows against replayed rows, column by column.

Belongs here: which tables are compared and by what key, differences as a report names them, sums
per method. Does not: where either side comes from (``replay``), what a difference means for a
verdict.

Every column of every row is compared. Amounts may differ by the policy's
``tolerance.replay_variance`` (in currency, per row and cost; 0 means to the quantum); everything
else, revision, times, settlement and policy included, is equal or different.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.engine import session
from attribution_pipeline.lake.files import sha256_of
from attribution_pipeline.proof.passes import sql

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.attribution.engine import Session

KEYS: Mapping[str, tuple[str, ...]] = {
    "ledger": ("attribution_id",),
    "operation_costs": ("attribution_id", "operation_number"),
    "operations": ("operation_number",),
    "ledger_revisions": ("attribution_id",),
    "variances": ("attribution_id",),
}
"""Published tables that a replay makes again, and what names a row of a day and state."""

SHOWN = 20
"""Differences that a report names, over all tables; the rest are counted."""

STANDS = "(stands)"
"""In place of a column: how often a side has the row."""


@dataclass(frozen=True)
class Difference:
    """One value that is not what was recorded."""

    table: str
    key: str
    column: str
    recorded: str
    replayed: str

    def line(self) -> str:
        """For people: which row, which column, both values."""
        return (
            f"{self.table} {self.key} {self.column}: recorded {self.recorded}, "
            f"replayed {self.replayed}"
        )


@dataclass(frozen=True)
class TableRows:
    """How a table compared: rows on either side, rows that differ, rows within the tolerance."""

    table: str
    recorded: int
    replayed: int
    differing: int
    tolerated: int


@dataclass(frozen=True)
class MethodVariance:
    """What ledger rows of one method, kernel and currency differ by. Costs: sums of |difference|."""

    method: str
    kernel: str
    currency: str
    rows: int
    differing: int
    billed_cost: Decimal
    effective_cost: Decimal


@dataclass(frozen=True)
class Compared:
    """All tables of a day. ``differences``: the first SHOWN of those over the tolerance."""

    tables: Sequence[TableRows]
    differences: Sequence[Difference]
    variance: Sequence[MethodVariance]

    @property
    def differing(self) -> int:
        """Rows over the tolerance."""
        return sum(table.differing for table in self.tables)

    @property
    def exact(self) -> bool:
        """Whether nothing differs, not even within the tolerance."""
        return not any(table.differing or table.tolerated for table in self.tables)


def compare(
    recorded: Mapping[str, Sequence[str]],
    replayed: Mapping[str, Sequence[str]],
    schemas: Mapping[str, pa.Schema],
    tolerance: Decimal,
    compute: Compute,
) -> Compared:
    """Parquet files by table, without ``charge_date``; ``schemas`` are the tables' own."""
    with session(compute) as db:
        tables: list[TableRows] = []
        differences: list[Difference] = []
        for table in KEYS:
            columns = [field for field in schemas[table] if field.name != "charge_date"]
            for side, found in (("recorded", recorded), ("replayed", replayed)):
                _view(db, f"{side}_{table}", found.get(table, ()), columns)
            is_same = _same_bytes(recorded.get(table, ()), replayed.get(table, ()))
            tables.append(_compare(db, table, columns, tolerance, is_same=is_same))
            if tables[-1].differing and len(differences) < SHOWN:
                differences += _differences(db, table, [field.name for field in columns])
        variance = [
            MethodVariance(method or "", kernel or "", currency or "", *rest)
            for method, kernel, currency, *rest in db.rows(sql("variance"))
        ]
        return Compared(tables, differences[:SHOWN], variance)


def _view(db: Session, name: str, paths: Sequence[str], columns: Iterable[pa.Field]) -> None:
    """The files as a view; an empty one where a state has no rows of the table."""
    import pyarrow as pa

    if paths:
        db.view(name, paths, by_name=True)
    else:
        db.load(name, pa.schema(list(columns)).empty_table())


def _same_bytes(recorded: Sequence[str], replayed: Sequence[str]) -> bool:
    """Output is sorted, so the same engine mostly gives the same file: nothing is left to compare."""
    if len(recorded) != len(replayed):
        return False
    pairs = zip(recorded, replayed, strict=True)
    return all(sha256_of(Path(one)) == sha256_of(Path(other)) for one, other in pairs)


def _compare(
    db: Session, table: str, columns: Sequence[pa.Field], tolerance: Decimal, *, is_same: bool
) -> TableRows:
    names = [field.name for field in columns]
    unlike = {name: f"r.{name} is distinct from p.{name}" for name in names}
    over = {
        **unlike,
        **{
            field.name: f"abs(coalesce(r.{field.name}, 0) - coalesce(p.{field.name}, 0)) "
            f"> cast('{tolerance:f}' as decimal(38, 12))"
            for field in columns
            if tolerance and _is_money(field)
        },
    }
    key = KEYS[table]
    db.execute(
        sql("differing").format(
            table=table,
            key=", ".join(key),
            first=key[0],
            sides=", ".join(f"r.{name} as r_{name}, p.{name} as p_{name}" for name in names),
            join=" and ".join(f"r.{name} = p.{name}" for name in key),
            unlike=" or ".join(unlike.values()),
            over=" or ".join(over.values()),
            # of identical files: an empty table of the right shape, without reading their rows
            scope=str(not is_same).lower(),
        )
    )
    twice = 0 if is_same else sum(len(_twice(db, table, side)) for side in ("recorded", "replayed"))
    return TableRows(
        table,
        db.one(f"select count(*) from recorded_{table}"),
        db.one(f"select count(*) from replayed_{table}"),
        db.one(f"select count(*) from differing_{table} where is_over") + twice,
        db.one(f"select count(*) from differing_{table} where not is_over"),
    )


def _is_money(field: pa.Field) -> bool:
    from attribution_pipeline.model.evidence import MONEY

    return bool(field.type == MONEY)


def _twice(db: Session, table: str, side: str) -> list[tuple[Any, ...]]:
    """Keys that stand more than once on one side: joined, they would look alike."""
    key = ", ".join(KEYS[table])
    return db.rows(
        f"select {key}, count(*) from {side}_{table} group by {key} having count(*) > 1 "
        f"order by {key} limit {SHOWN}"
    )


def _differences(db: Session, table: str, names: Sequence[str]) -> list[Difference]:
    key = KEYS[table]
    found = [
        Difference(
            table,
            "/".join(str(value) for value in values),
            STANDS,
            *(f"{count} times" if one == side else "once" for one in ("recorded", "replayed")),
        )
        for side in ("recorded", "replayed")
        for *values, count in _twice(db, table, side)
    ]
    order = ", ".join(f"coalesce(r_{name}, p_{name})" for name in key)
    rows = db.table(f"select * from differing_{table} where is_over order by {order} limit {SHOWN}")
    for row in rows.to_pylist():
        recorded = {name: row[f"r_{name}"] for name in names}
        replayed = {name: row[f"p_{name}"] for name in names}
        found += _of_row(table, key, recorded, replayed)
    return found


def _of_row(
    table: str, key: Sequence[str], recorded: Mapping[str, Any], replayed: Mapping[str, Any]
) -> list[Difference]:
    sides = (recorded, replayed)
    has = [side[key[0]] is not None for side in sides]
    if not all(has):
        there = recorded if has[0] else replayed
        name = "/".join(str(there[column]) for column in key)
        texts = [
            _amounts(side) if there else "no such row"
            for side, there in zip(sides, has, strict=True)
        ]
        return [Difference(table, name, STANDS, *texts)]
    name = "/".join(str(recorded[column]) for column in key)
    return [
        Difference(table, name, column, text(recorded[column]), text(replayed[column]))
        for column in recorded
        if recorded[column] != replayed[column]
    ]


def _amounts(row: Mapping[str, Any]) -> str:
    said = [f"{column} {text(row[column])}" for column in row if column.endswith("_cost")]
    return ", ".join(said) or "one row"


def text(value: Any) -> str:
    """A value as a report spells it."""
    match value:
        case None:
            return "null"
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
