"""The closing plane of a day: which of its charges are closed, and which are settled.

Belongs here: what closes a charge, and when that settles it. Does not: reading close records (``sources.closes``), what is done with a settled charge
(``revise``).

A charge is closed by its billing period: by a close record of its account or of every account of
its issuer, by the issuer's FOCUS BillingPeriod dataset, or, where neither speaks, by invoice ids on
all standing lines of issuer, account and period once the period is over. What people say outranks
the vendor's dataset; of each the newest record stands, so a period that was opened again is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.billing import load_lines
from attribution_pipeline.attribution.cluster import view_landed
from attribution_pipeline.attribution.day import Compute, Landed, Plane, SourceFacts
from attribution_pipeline.attribution.engine import NULL, Session, day_session, session
from attribution_pipeline.model.cutting import DAY_US, cut

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

COLUMNS = (
    "charge_id", "issuer", "account", "billing_period", "closed_at", "closed_by", "is_settled",
)  # fmt: skip


def closes_plane(
    landed: Landed,
    facts: SourceFacts,
    billing: Plane,
    day: date,
    policy: Policy,
    *,
    now: datetime,
    out: Path,
    compute: Compute,
) -> Plane:
    """Table ``settled``. Grain: one charge of the day.

    ``is_settled``: the charge is closed, and ``now`` is at or after the end of the day plus the
    policy's ``provisional_for``. ``closed_by``: close_record, billing_period, invoices, or null.
    ``rows``: charges, and ``is_settled`` of them.
    Of ``now`` its UTC day counts, from its first instant: the answer does not move with the hour.
    The digest is of ``charge_id`` and ``is_settled`` alone: a second close record changes nothing.
    """
    path = out / "settled.parquet"
    with day_session(compute) as db:
        db.view("charges", billing.files["charges"])
        _load_periods(db, landed, facts)
        _settle(db, settles=settles_at(day, policy), now=now)
        rows = db.write(f"select {', '.join(COLUMNS)} from settled order by charge_id", path)
        digest = db.set_digest("settled", ["charge_id", "is_settled"])
        settled = db.one("select count(*) from settled where is_settled")
    return Plane(
        "closes", {"settled": [str(path)]}, digest, {"settled": rows, "is_settled": settled}
    )


def settles_at(day: date, policy: Policy) -> datetime:
    """The moment from which a closed charge of the day is settled."""
    return _midnight(day) + timedelta(days=1) + policy.settlement.provisional_for


@dataclass(frozen=True)
class BilledPeriod:
    """What landed bills hold of one account's billing period, and whether it is closed."""

    issuer: str
    account: str
    billing_period: date
    """Its first day."""
    closed_by: str | None
    """close_record, billing_period, invoices; null: open."""
    record_at: datetime | None
    """When the close record that stands was made, closed or open; null: none was."""
    ends_at: datetime | None = None
    """The first moment after it, as billed; null where no line says it."""


def billed_periods(
    landed: Landed, facts: SourceFacts, *, now: datetime, compute: Compute
) -> list[BilledPeriod]:
    """Every account's billing period that is billed, in the order of issuer, account, period."""
    with session(compute) as db:
        _load_periods(db, landed, facts)
        # asked as if each period were one charge
        db.execute(
            "create view charges as select issuer as InvoiceIssuerName, account as BillingAccountId, "
            "billing_period, BillingPeriodEnd, "
            "concat_ws(chr(31), issuer, account, cast(billing_period as varchar)) as charge_id "
            "from billed_periods"
        )
        _settle(db, settles=_EPOCH, now=now)
        found = db.rows(
            """
            select s.issuer, s.account, s.billing_period, s.closed_by, epoch_us(r.closed_at),
                epoch_us(b.BillingPeriodEnd)
            from settled s
            join billed_periods b on b.issuer = s.issuer and b.account = s.account
                and b.billing_period = s.billing_period
            left join period_records r on r.issuer = s.issuer and r.account = s.account
                and r.billing_period = s.billing_period and r.evidence = 'close_record'
            order by 1, 2, 3
            """
        )
    return [
        BilledPeriod(issuer, account, period, closed_by, _instant(at), _instant(end))
        for issuer, account, period, closed_by, at, end in found
    ]


def charge_days(
    landed: Landed, facts: SourceFacts, periods: Sequence[BilledPeriod], *, compute: Compute
) -> list[date]:
    """The days on which the standing lines of these billing periods fall."""
    import pyarrow as pa

    with session(compute) as db:
        load_lines(db, landed, facts)
        db.load(
            "wanted",
            pa.table(
                {
                    "issuer": pa.array([period.issuer for period in periods], pa.string()),
                    "account": pa.array([period.account for period in periods], pa.string()),
                    "first": pa.array([period.billing_period for period in periods], pa.date32()),
                }
            ),
        )
        lines = db.rows(
            f"""
            select distinct l.start_us, case when l.is_cut then l.end_us end,
                            epoch_us(l.BillingPeriodStart), epoch_us(l.BillingPeriodEnd)
            from standing_lines l
            join wanted w on w.issuer = l.InvoiceIssuerName and w.account = l.BillingAccountId
                and epoch_us(w.first) // {DAY_US} = epoch_us(l.BillingPeriodStart) // {DAY_US}
            """
        )
    days: set[date] = set()
    for start, end, period_start, period_end in lines:
        if end is None:
            days.add((_EPOCH + start * _MICROSECOND).date())
        else:
            days.update(cut(start, end, period_start, period_end).days)
    return sorted(days)


def _load_periods(db: Session, landed: Landed, facts: SourceFacts) -> None:
    """``billed_periods`` and the record that speaks for each: one scan of the bill."""
    load_lines(db, landed, facts)
    view_landed(db, landed, "closes", "landed_closes")
    db.run("planes/billed_periods", day_us=str(DAY_US))
    db.run("planes/period_records", null=NULL)


def _settle(db: Session, *, settles: datetime, now: datetime) -> None:
    """``settled``, of ``charges``."""
    today = _midnight(now.astimezone(UTC).date())
    db.run("planes/settled", settles_us=_microseconds(settles), now_us=_microseconds(today))


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + microseconds * _MICROSECOND


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _microseconds(instant: datetime) -> str:
    return str((instant - _EPOCH) // _MICROSECOND)
