"""The normalization gate: the same money, rolled up by hour, by day and by month, is the same money.

Belongs here: which roll-ups are compared, over which rows, what one grain cannot carry. Does not:
where it is shown (``orchestration.checks.replay``, ``commands.replay``), any division.

A *pair* is two roll-ups of the same rows at two grains. It agrees when, for every currency, both
costs, and every service (and tenant, where both have it),

    finer + named lines = coarser, exactly.

There is no tolerance. What the finer grain cannot carry is a named line, with its amount, never a
silent difference.

Of a day (``gate_of_day``), as it was recorded, with what had landed by then:

| pair | finer | named | coarser |
|---|---|---|---|
| bill by hour, by day | delivered lines of an hour or less, by the hour of their charge period | ``longer_than_an_hour``, ``outside_range`` (before ``first_day``) | the charges that the ledger was computed from |
| ledger, bill | ledger rows of the day | | the same charges |
| requests by hour, ledger by day | ``operation_costs`` by the hour in which their operation ended, by the operation's own tenant and the bill's service | ``idle``, ``overhead``, and the bases that no request carries: ``tag``, ``workload``, ``driver``, ``none``; ``held`` (requests of a closed period that the policy holds) | ledger rows of the day |

Of a month (``gate_of_month``): the billing periods that begin in it, with what has landed by now:

| pair | finer | named | coarser |
|---|---|---|---|
| bill by day, by billing period | the charges of every recorded day | ``not_yet_due`` (after the newest recorded day), ``not_recorded``, ``moved_since`` (days whose bill moved since they were recorded: they are stale) | delivered lines, whole, not cut into days |
| ledger by day, bill by billing period | ledger rows of every recorded day | the same | the same |
| requests by day, ledger by month | ``operation_costs`` of every recorded day | as above, without ``held`` | ledger rows of the billing periods |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.day import Landed
from attribution_pipeline.attribution.engine import session
from attribution_pipeline.attribution.requests import of_files, operation_rows, request_rows
from attribution_pipeline.model.cutting import DAY_US, microseconds
from attribution_pipeline.proof import replay_frozen
from attribution_pipeline.proof.passes import sql
from attribution_pipeline.proof.roll_ups import COSTS, Gate, gate_of

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute, SourceFacts
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.landed import LandedStore, LandedView
    from attribution_pipeline.lake.states import Published

HOUR_US = 3_600_000_000
HOUR_NS = HOUR_US * 1000

BILL_HOURS = "bill by hour, by day"
LEDGER_BILL = "ledger, bill"
REQUEST_HOURS = "requests by hour, ledger by day"
BILL_DAYS = "bill by day, by billing period"
LEDGER_DAYS = "ledger by day, bill by billing period"
REQUEST_DAYS = "requests by day, ledger by month"

NO_REQUESTS = "case when component in ('idle', 'overhead') then component else basis end"
"""What request level cannot carry, by name: idle and overhead cannot honestly be pinned on one
request, and the other bases have none."""


def gate_of_day(
    lake: Lake, landed: LandedStore, facts: SourceFacts, state: Published, compute: Compute
) -> Gate:
    """Hours against the day, of one recorded state. ``landed``: any view of landed evidence; what
    had landed when the state was computed is read. Raises Refusal naming a changed file."""
    from attribution_pipeline.attribution.billing import load_lines

    manifest = lake.document(state)
    policy = replay_frozen.policy_of(lake, manifest)
    day_us = microseconds(state.day)
    with session(compute) as db:
        load_lines(db, _bill(landed.as_of(manifest["landed"]["ordinal"])), facts)
        inputs = manifest["inputs"]
        for table, entries in (
            ("charges", inputs["billing"]["files"]["charges"]),
            ("operations", inputs["operations"]["files"]["operations"]),
        ):
            db.view(table, replay_frozen.verified(lake, entries))
        db.view("ledger", replay_frozen.files_of(lake, manifest, "ledger"))
        costs, called = (
            of_files(replay_frozen.files_of(lake, manifest, table))
            for table in ("operation_costs", "operations")
        )
        db.execute(f"create view operation_costs as {request_rows(costs, called)}")
        db.execute(f"create view published as {operation_rows(called)}")
        _run(db, "sums")
        _run(
            db, "bill_of_day",
            pair=BILL_HOURS, hour_us=HOUR_US, day_us=day_us, day_end_us=day_us + DAY_US,
        )  # fmt: skip
        _run(db, "ledger_of_day", pair=LEDGER_BILL)
        _run(
            db, "requests_of_day",
            pair=REQUEST_HOURS, hour_ns=HOUR_NS, no_requests=NO_REQUESTS,
            holds=str(policy.settlement.closed_period == "hold").lower(),
        )  # fmt: skip
        hours = {
            "hours of the bill": db.one("select count(distinct hour) from bill_hours"),
            "hours of requests": db.one("select count(distinct hour) from request_hours"),
        }
        return gate_of(db, state.day.isoformat(), hours)


def gate_of_month(
    lake: Lake,
    landed: LandedStore,
    facts: SourceFacts,
    month: date,
    *,
    first_day: date,
    has_moved: Callable[[date], bool],
    compute: Compute,
) -> Gate:
    """Days against billing periods that begin in ``month`` (any day of it names it).

    ``has_moved``: whether the billing evidence of a recorded day is another now than it was
    computed from; asked only of days whose bill adds up otherwise now. Raises Refusal naming a
    changed file.
    """
    from attribution_pipeline.attribution.billing import bill_by_day, load_lines

    month = month.replace(day=1)
    bill = _bill(landed)
    today = bill_by_day(bill, facts, first_day=first_day, compute=compute)
    days = lake.days()
    with session(compute) as db:
        load_lines(db, bill, facts)
        db.load("bill_by_day", today)
        db.execute(
            f"create table bill_today as select charge_date, service, billing_currency, "
            f"{_sums()} from bill_by_day "
            f"where date_trunc('month', billing_period) = date '{month}' group by all"
        )
        _run(db, "sums")
        db.execute(TABLES)
        fallen = {day for (day,) in db.rows("select distinct charge_date from bill_today")}
        recorded = [day for day in days if day in fallen or day.replace(day=1) == month]
        for n, day in enumerate(recorded):
            _day_of_period(db, lake, day, month, n)
        _days(db, "recorded_days", recorded)
        _days(db, "moved_days", [day for day in _otherwise(db) if has_moved(day)])
        _run(
            db, "period",
            bill_pair=BILL_DAYS, ledger_pair=LEDGER_DAYS, request_pair=REQUEST_DAYS,
            month=month, newest=max(days, default=month), day_us=DAY_US,
        )  # fmt: skip
        return gate_of(db, f"{month:%Y-%m}", {"recorded days": len(recorded)})


TABLES = """
create table recorded_bill (
    charge_date date, service varchar, billing_currency varchar,
    billed_cost decimal(38, 12), effective_cost decimal(38, 12)
);
create table recorded_ledger (
    charge_date date, tenant_id varchar, service varchar, billing_currency varchar,
    has_requests boolean, no_requests varchar,
    billed_cost decimal(38, 12), effective_cost decimal(38, 12)
);
"""


def _day_of_period(db: Session, lake: Lake, day: date, month: date, n: int) -> None:
    manifest = lake.manifest(day)
    charges = manifest["inputs"]["billing"]["files"]["charges"]
    db.view(f"charges_{n}", replay_frozen.verified(lake, charges))
    for table in ("ledger", "operation_costs"):
        db.view(f"{table}_{n}", replay_frozen.files_of(lake, manifest, table), by_name=True)
    _run(db, "day_of_period", pair=REQUEST_DAYS, day=day, month=month, n=n, no_requests=NO_REQUESTS)


def _otherwise(db: Session) -> list[date]:
    """Recorded days whose bill adds up otherwise now."""
    rows = db.rows(
        """
        select distinct charge_date from (
            select charge_date, service, billing_currency,
                   sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost
            from (
                select * from bill_today
                where charge_date in (select charge_date from recorded_days)
                union all
                select charge_date, service, billing_currency, -billed_cost, -effective_cost
                from recorded_bill
            )
            group by charge_date, service, billing_currency
        )
        where billed_cost <> 0 or effective_cost <> 0
        order by charge_date
        """
    )
    return [day for (day,) in rows]


def _bill(landed: LandedView) -> Landed:
    """All landed bills, hashed: which delivery stands is decided over whole billing periods."""
    found = landed.files("billing")
    landed.verify(found)
    return Landed(
        files={"billing": landed.local(found)},
        current_objects={"billing": landed.current_objects("billing")},
    )


def _days(db: Session, table: str, days: Sequence[date]) -> None:
    import pyarrow as pa

    db.load(table, pa.table({"charge_date": pa.array(days, pa.date32())}))


def _sums() -> str:
    return ", ".join(f"cast(sum({cost}) as decimal(38, 12)) as {cost}" for cost in COSTS)


def _run(db: Session, name: str, **names: object) -> None:
    text = sql(f"normalization/{name}")
    db.execute(text.format(**names) if names else text)
