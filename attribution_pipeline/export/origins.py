"""A recorded day's bill beside its ledger, charge by charge, from verified files.

Belongs here: opening a state's files, one stream of lines and one of rows in the order of charges,
whole lines of which the day has a slice. Does not: dividing (``allocation``).

Every file is hashed before it is opened: a changed one is a Refusal that names it. Memory: the largest
charge, and what DuckDB sorts by within its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import Session, session
from attribution_pipeline.model.cutting import DAY_US
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof import replay_frozen

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.states import Published

LandedFiles = Callable[["Published"], Sequence[str]]
"""Verified paths of the bill's landed files that a state may have read."""

IS_CUT = (
    f"epoch_us(ChargePeriodEnd) - epoch_us(ChargePeriodStart) > {DAY_US} "
    "and coalesce(lower(ChargeFrequency), '') <> 'one-time' and ChargeCategory <> 'Purchase'"
)
"""As ``attribution/sql/planes/standing_lines.sql`` has it."""

WHOLE = ("ListCost", "PricingQuantity", "ConsumedQuantity")
"""What the day's slice has its own part of, and its landed line the whole."""

BATCH_ROWS = 20_000
"""Rows that are held of each stream beside the charge at hand."""

LINE_ORDER = "charge_id, source, object_id, position, charge_day"


@dataclass(frozen=True)
class Source:
    """Where an export reads: ``landed`` is asked only for lines that were cut into days."""

    lake: Lake
    landed: LandedFiles


@dataclass(frozen=True)
class Charge:
    """One charge of a day. Grain: of ``lines``, a line's slice; of ``rows``, a ledger row at a cost."""

    charge_id: str
    lines: pa.Table | None
    rows: pa.Table | None


class Day:
    """An opened state: its charges, each with lines and rows."""

    def __init__(self, db: Session, period: date | None) -> None:
        self._db = db
        of_period = "" if period is None else f"where billing_period = date '{period}'"
        at_cost = "where" if period is None else f"{of_period} and"
        self._lines = f"select * from bill {of_period} order by {LINE_ORDER}"
        self._rows = (
            f"select * from recorded {at_cost} (billed_cost <> 0 or effective_cost <> 0) "
            "order by charge_id, attribution_id"
        )
        self.zero_rows = int(
            db.one(
                f"select count(*) from recorded {at_cost} billed_cost = 0 and effective_cost = 0"
            )
        )
        """Rows that lost their support: on record in the ledger, at nobody's cost."""

    def charges(self) -> Iterator[Charge]:
        """Charges by id; one that has no lines any more has rows alone."""
        with self._db.beside() as one, self._db.beside() as other:
            lines, rows = _by_charge(one, self._lines), _by_charge(other, self._rows)
            line, row = next(lines, None), next(rows, None)
            while line or row:
                charge_id = min(found[0] for found in (line, row) if found)
                here_lines = here_rows = None
                if line and line[0] == charge_id:
                    here_lines, line = line[1], next(lines, None)
                if row and row[0] == charge_id:
                    here_rows, row = row[1], next(rows, None)
                yield Charge(charge_id, here_lines, here_rows)


def opened(
    source: Source, state: Published, compute: Compute, *, period: date | None
) -> Iterator[Day]:
    """The charges of a state. ``period``: only those of that billing period. Raises Refusal naming a
    file that is missing or was changed. For ``contextlib.contextmanager``."""
    lake = source.lake
    manifest = lake.document(state)
    bill = replay_frozen.verified(lake, manifest["inputs"]["billing"]["files"]["charges"])
    ledger = replay_frozen.files_of(lake, manifest, "ledger")
    with session(compute) as db:
        db.view("charges", bill)
        db.view("recorded", ledger)
        _whole_lines(db, source, state)
        listed = ", ".join(f"w.{name} as whole_{name}" for name in WHOLE)
        db.execute(
            f"create view bill as select c.*, {IS_CUT} as is_cut, {listed} from charges c "
            "left join whole_lines w on w.source = c.source and w.object_id = c.object_id "
            "and w.position = c.position"
        )
        yield Day(db, period)


def _whole_lines(db: Session, source: Source, state: Published) -> None:
    """``whole_lines``: the landed lines of which the day has a slice and a unit price."""
    columns = ", ".join(("source", "object_id", "position", *WHOLE))
    wanted = f"{IS_CUT} and (ListUnitPrice is not null or ContractedUnitPrice is not null)"
    missing = int(db.one(f"select count(*) from charges where {wanted}"))
    if not missing:
        nulls = ", ".join(f"cast(null as varchar) as {name}" for name in WHOLE)
        db.execute(
            f"create table whole_lines as select source, object_id, position, {nulls} "
            "from charges where false"
        )
        return
    db.view("landed_lines", list(source.landed(state)), by_name=True)
    db.execute(
        f"create table whole_lines as select distinct {columns} from landed_lines "
        f"where {IS_CUT} and object_id in (select object_id from charges)"
    )
    left = db.one(
        f"select count(*) from charges c where {wanted} and not exists (select 1 from whole_lines w "
        "where w.source = c.source and w.object_id = c.object_id and w.position = c.position)"
    )
    if left:
        raise Refusal(
            f"{left} of the lines that {state.day} has a slice of are not among the landed ones",
            where=str(source.lake.storage / "landed"),
            remedy="restore landed evidence from a copy",
        )


def _by_charge(db: Session, query: str) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each charge, of a query in the order of charges."""
    import pyarrow as pa

    pending: list[pa.RecordBatch] = []
    charge = None
    for batch in db.batches(query, BATCH_ROWS):
        for charge_id, start, length in _runs(batch.column("charge_id").to_pylist()):
            if charge is not None and charge_id != charge:
                yield charge, pa.Table.from_batches(pending)
                pending = []
            charge = charge_id
            pending.append(batch.slice(start, length))
    if charge is not None:
        yield charge, pa.Table.from_batches(pending)


def _runs(ids: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    start = 0
    for at in range(1, len(ids) + 1):
        if at == len(ids) or ids[at] != ids[start]:
            yield ids[start], start, at - start
            start = at
