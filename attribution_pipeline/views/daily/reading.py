"""Opening roll-ups of some days as relations: the stored ones, and what they lack computed there and then.

Belongs here: which file is right for a day, the assertion that it sums to its ledger. Does not: any query.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from attribution_pipeline.views.daily import basis as bases
from attribution_pipeline.views.daily.basis import LEDGER_TABLES, OUTCOME_TABLES
from attribution_pipeline.views.daily.kept import Kept, rollups_of
from attribution_pipeline.views.daily.making import (
    SUM_TO_THE_LEDGER,
    make_ledger_tables,
    make_outcome_tables,
    require_equal,
    rows_made,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.lake import Lake, Published
    from attribution_pipeline.lake.landed import LandedView


@dataclass(frozen=True)
class Opened:
    """``computed``: by table, the days whose roll-up was missing or lagged behind, and was computed for
    this reading. ``key``: equal key, equal rows."""

    days: tuple[date, ...]
    computed: Mapping[str, tuple[date, ...]]
    key: str


def open_daily(
    db: Session,
    lake: Lake,
    first: date,
    last: date,
    tables: Sequence[str] = LEDGER_TABLES,
    *,
    landed: LandedView | None = None,
    as_of: datetime | None = None,
    compute: Compute | None = None,
) -> Opened:
    """Roll-ups of the recorded days in [first, last] as relations of their names in ``db``, with
    ``charge_date``.

    ``landed`` as it was by ``as_of``; needed for outcomes. ``compute``: the limits of what must be
    computed. Raises Refusal for files that were changed, Broken where a roll-up does not sum to its
    ledger.
    """
    states = bases.heads(lake, first, last, as_of)
    computed: dict[str, tuple[date, ...]] = {}
    said = []
    for table in tables:
        wanted = _wanted(lake, table, states.values(), landed, as_of)
        found = {day: rollups_of(lake).find(table, day, one) for day, one in wanted.items()}
        stored = {day: kept for day, kept in found.items() if kept is not None}
        missing = [day for day, kept in found.items() if kept is None]
        made = [_made(lake, table, states[day], landed, as_of, compute) for day in missing]
        _relation(db, lake, table, stored, made)
        computed[table] = tuple(missing)
        said += [f"{table} {day} {one}" for day, one in wanted.items()]
    return Opened(tuple(states), computed, hashlib.sha256("\n".join(said).encode()).hexdigest())


def daily_key(
    lake: Lake,
    first: date,
    last: date,
    tables: Sequence[str] = LEDGER_TABLES,
    *,
    landed: LandedView | None = None,
    as_of: datetime | None = None,
) -> str:
    """``Opened.key`` without opening anything: what to cache answers by."""
    states = bases.heads(lake, first, last, as_of).values()
    said = [
        f"{table} {day} {one}"
        for table in tables
        for day, one in _wanted(lake, table, states, landed, as_of).items()
    ]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def rows_of_day(
    lake: Lake,
    table: str,
    day: date,
    *,
    landed: LandedView | None = None,
    as_of: datetime | None = None,
    compute: Compute | None = None,
) -> pa.Table:
    """One day of one roll-up as rows: the stored one, or computed. Empty where it is not recorded."""
    from attribution_pipeline.attribution.engine import session

    with session(compute or _limits()) as db:
        open_daily(db, lake, day, day, (table,), landed=landed, as_of=as_of, compute=compute)
        return db.table(f"select * from {table}").cast(_schema(table))


def _wanted(
    lake: Lake,
    table: str,
    states: Iterable[Published],
    landed: LandedView | None,
    as_of: datetime | None,
) -> dict[date, str]:
    """Day -> the basis that its roll-up must be of."""
    if table in LEDGER_TABLES:
        return {state.day: bases.of_ledger(table, state) for state in states}
    if landed is None:
        raise ValueError(f"{table} is made of landed outcomes: give `landed`")
    return {state.day: bases.of_outcomes(table, lake, landed, state.day, as_of) for state in states}


def _made(
    lake: Lake,
    table: str,
    state: Published,
    landed: LandedView | None,
    as_of: datetime | None,
    compute: Compute | None,
) -> pa.Table:
    """A roll-up, computed in a session of its own."""
    from attribution_pipeline.attribution.engine import session

    with session(compute or _limits()) as own:
        if table in OUTCOME_TABLES:
            assert landed is not None  # asked for with its basis
            make_outcome_tables(own, lake, landed, state.day, as_of=as_of)
        else:
            make_ledger_tables(own, lake, state, (table,))
        return rows_made(own, table, state, lake.document(state)["output"]["content_digest"])


def _relation(
    db: Session, lake: Lake, table: str, stored: Mapping[date, Kept], made: Sequence[pa.Table]
) -> None:
    import pyarrow as pa

    schema = _schema(table)
    names = ", ".join(name for name in schema.names if name != "charge_date")
    parts = []
    if stored:
        # one scan of all files with a look-up of their days: a scan each takes as long to plan as to read
        paths = [str(lake.verified(kept.file)) for kept in stored.values()]
        db.view(f"{table}_stored", paths, located=True)
        db.load(f"{table}_days", pa.table({"filename": paths, "charge_date": list(stored)}))
        parts.append(
            f"select d.charge_date, {names} from {table}_stored s "
            f"join {table}_days d on d.filename = s.filename"
        )
    if made or not stored:
        db.load(f"{table}_computed", pa.concat_tables([schema.empty_table(), *made]))
        parts.append(f"select charge_date, {names} from {table}_computed")
    db.execute(f"create view {table} as " + " union all ".join(parts))
    if table in SUM_TO_THE_LEDGER:
        _require_sums(db, table, stored)


def _require_sums(db: Session, table: str, stored: Mapping[date, Kept]) -> None:
    """What was computed here has just been held against its ledger; what was stored, once more."""
    found: dict[date, dict[str, list[str]]] = {day: {} for day in stored}
    for day, currency, billed, effective, rows in db.rows(
        "select charge_date, billing_currency, sum(billed_cost), sum(effective_cost), "
        f"sum(ledger_rows) from {table} group by charge_date, billing_currency"
    ):
        if day in found:
            found[day][currency] = [f"{billed:f}", f"{effective:f}", str(int(rows))]
    for day, kept in stored.items():
        require_equal(table, found[day], dict(kept.totals), day)


def _limits() -> Compute:
    from attribution_pipeline.attribution.day import Compute

    return Compute()


def _schema(table: str) -> pa.Schema:
    from attribution_pipeline.model.daily import SCHEMAS

    return SCHEMAS[table]
