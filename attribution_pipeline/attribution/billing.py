"""The settlement plane of a day: which lines stand, what part of each falls on the day.

Belongs here: standing deliveries, day cutting, charge identity. Does not: reading a bill
(``sources/focus``), or which rule divides a charge (``matching``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.cluster import view_landed
from attribution_pipeline.attribution.day import Compute, Landed, Plane, SourceFacts
from attribution_pipeline.attribution.engine import NULL, Session, day_session, session
from attribution_pipeline.model import money
from attribution_pipeline.model.cutting import DAY_US, cut, microseconds
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import pyarrow as pa

EVER_US = 2**62
"""Microseconds beyond any date: an open end of a range."""

ORIGIN_COLUMNS = ("object_id", "position", "delivery")
"""Where a line came from: not part of what it says, so not part of the plane's digest."""


def billing_plane(
    landed: Landed,
    facts: SourceFacts,
    day: date,
    *,
    first_day: date,
    out: Path,
    compute: Compute,
) -> Plane:
    """Table ``charges``. Grain: one standing line, or its slice of the day.

    ``billed_cost`` and ``effective_cost`` are DECIMAL(38,12) in BillingCurrency, ``list_cost`` and
    quantities decimal text. On ``first_day`` the table also holds everything before it, marked
    ``outside_range``. Raises Refusal when two sources bill one issuer, account and period.
    """
    path = out / "charges.parquet"
    with day_session(compute) as db:
        load_lines(db, landed, facts)
        _refuse_two_doors(db)
        day_us = microseconds(day)
        db.run(
            "planes/charge_lines_of_day",
            day_end_us=str(day_us + DAY_US),
            from_us=str(-EVER_US) if day == first_day else str(day_us),
        )
        _slice_lines(db, lambda found: found == day or (day == first_day and found < day))
        db.run("planes/charges", day=day.isoformat(), day_us=str(DAY_US), null=NULL)
        columns = [row[0] for row in db.rows("select column_name from (describe charges)")]
        said = [f'"{name}"' for name in columns if name not in ORIGIN_COLUMNS]
        rows = db.write(f"select * from charges order by {', '.join(said)}", path)
        return Plane(
            "billing", {"charges": [str(path)]}, db.set_digest("charges", said), {"charges": rows}
        )


def bill_by_day(
    landed: Landed, facts: SourceFacts, *, first_day: date, compute: Compute
) -> pa.Table:
    """The whole standing bill. Grain: charge day, issuer, account, billing period, invoice, service,
    currency.

    Days before ``first_day`` stand on it, as in the ledger; days after the newest computed one are
    what a tie-out calls not yet due. Columns ``billed_cost``, ``effective_cost``: DECIMAL(38,12).
    """
    with session(compute) as db:
        load_lines(db, landed, facts)
        _refuse_two_doors(db)
        db.run(
            "planes/charge_lines_of_day",
            day_end_us=str(EVER_US),
            from_us=str(-EVER_US),
        )
        _slice_lines(db, lambda _: True)
        return db.table(
            f"""
            select greatest(s.charge_day, date '{first_day}') as charge_date,
                   l.InvoiceIssuerName as issuer, l.BillingAccountId as billing_account_id,
                   cast(make_date(cast(epoch_us(l.BillingPeriodStart) // {DAY_US} as integer)) as date)
                       as billing_period,
                   l.InvoiceId as invoice_id, l.ServiceName as service,
                   l.BillingCurrency as billing_currency,
                   cast(sum(s.billed_cost) as decimal(38, 12)) as billed_cost,
                   cast(sum(s.effective_cost) as decimal(38, 12)) as effective_cost
            from slices s join day_lines_numbered l on l.line_ordinal = s.line_ordinal
            group by all order by all
            """
        )


def not_yet_due(
    landed: Landed, facts: SourceFacts, *, after: date, first_day: date, compute: Compute
) -> list[dict[str, Any]]:
    """What the standing bill says of days after ``after``. Grain: currency and cost, as a tie-out."""
    bill = bill_by_day(landed, facts, first_day=first_day, compute=compute).to_pylist()
    sums: dict[tuple[str, str], int] = {}
    for row in bill:
        if row["charge_date"] > after:
            for cost in ("billed_cost", "effective_cost"):
                key = (row["billing_currency"], cost)
                sums[key] = sums.get(key, 0) + money.to_quanta(row[cost])[0]
    return [
        {"billing_currency": currency, "cost": cost, "not_yet_due": money.to_decimal(amount)}
        for (currency, cost), amount in sorted(sums.items())
    ]


def load_lines(db: Session, landed: Landed, facts: SourceFacts) -> None:
    """``standing_lines``: every landed line that stands."""
    import pyarrow as pa

    view_landed(db, landed, "billing", "landed_lines")
    pairs = [
        (source, object_id)
        for source, ids in landed.current_objects.get("billing", {}).items()
        for object_id in ids
    ]
    db.load(
        "standing_objects",
        pa.table(
            {
                "source": pa.array([p[0] for p in pairs], pa.string()),
                "object_id": pa.array([p[1] for p in pairs], pa.string()),
            }
        ),
    )
    replacing = [name for name, mode in facts.delivery.items() if mode == "replace"]
    db.load("replacing_sources", pa.table({"source": pa.array(replacing, pa.string())}))
    db.run("planes/standing_lines", day_us=str(DAY_US))


def _refuse_two_doors(db: Session) -> None:
    twice = db.rows(
        """
        select InvoiceIssuerName, BillingAccountId, min(cast(epoch_us(BillingPeriodStart) as bigint)),
               string_agg(distinct l.source, ', ' order by l.source)
        from landed_lines l join standing_objects o on o.source = l.source and o.object_id = l.object_id
        group by InvoiceIssuerName, BillingAccountId, BillingPeriodStart
        having count(distinct l.source) > 1
        order by all limit 1
        """
    )
    for issuer, account, period_us, sources in twice:
        period = date(1970, 1, 1) + timedelta(microseconds=period_us)
        raise Refusal(
            f"{issuer}, account {account}, billing period {period:%Y-%m} comes in by two sources: "
            f"{sources}",
            where="sources.billing",
            remedy="the same dollar would count twice: remove one of them from attribution.yaml",
        )


def _slice_lines(db: Session, wanted: Callable[[date], bool]) -> None:
    """``day_lines_numbered`` and ``slices``: whole lines in SQL, cut lines exactly in Python."""
    db.execute(
        "create table day_lines_numbered as "
        "select row_number() over (order by source, object_id, position) as line_ordinal, * "
        "from day_lines"
    )
    db.execute(
        f"""
        create table slices as
        select line_ordinal,
               cast(make_date(cast(start_us // {DAY_US} as integer)) as date) as charge_day,
               BilledCost as billed_cost, EffectiveCost as effective_cost, ListCost as list_cost,
               ConsumedQuantity as consumed_quantity, PricingQuantity as pricing_quantity
        from day_lines_numbered where not is_cut
        """
    )
    long_lines = db.rows(
        """
        select line_ordinal, start_us, end_us, epoch_us(BillingPeriodStart),
               epoch_us(BillingPeriodEnd), BilledCost, EffectiveCost, ListCost, ConsumedQuantity,
               PricingQuantity
        from day_lines_numbered where is_cut order by line_ordinal
        """
    )
    cut_rows = list(_cut_rows(long_lines, wanted))
    if cut_rows:
        db.load("cut_slices", _arrow(cut_rows))
        db.execute("insert into slices select * from cut_slices")


def _cut_rows(
    lines: list[tuple[Any, ...]], wanted: Callable[[date], bool]
) -> Iterator[tuple[Any, ...]]:
    for ordinal, start, end, period_start, period_end, billed, effective, *texts in lines:
        days = cut(start, end, period_start, period_end)
        amounts = [days.divide(money.to_quanta(value)[0]) for value in (billed, effective)]
        quantities = [None if text is None else days.divide_text(text) for text in texts]
        for index, charge_day in enumerate(days.days):
            if wanted(charge_day):
                yield (
                    ordinal,
                    charge_day,
                    *(money.to_decimal(parts[index]) for parts in amounts),
                    *(None if parts is None else parts[index] for parts in quantities),
                )


def _arrow(rows: list[tuple[Any, ...]]) -> Any:
    import pyarrow as pa

    from attribution_pipeline.model.evidence import MONEY

    fields = [
        ("line_ordinal", pa.int64()),
        ("charge_day", pa.date32()),
        ("billed_cost", MONEY),
        ("effective_cost", MONEY),
        ("list_cost", pa.string()),
        ("consumed_quantity", pa.string()),
        ("pricing_quantity", pa.string()),
    ]
    columns = list(zip(*rows, strict=True))
    return pa.table(
        {name: pa.array(column, kind) for (name, kind), column in zip(fields, columns, strict=True)}
    )
