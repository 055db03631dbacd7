"""From billing lines to the charges of one day (page 10, "The charge-day").

Belongs here: which delivery stands, charge identity, day cutting, pieces by tag set.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from attribution_pipeline_tests.oracle.divide import share_in_order
from attribution_pipeline_tests.oracle.words import (
    QUANTA,
    ChargeKey,
    DayLine,
    Evidence,
    Piece,
    Record,
    quanta,
)

LONGER_THAN_A_DAY = timedelta(hours=24)
MICROSECOND = timedelta(microseconds=1)


def standing_lines(evidence: Evidence) -> list[Record]:
    """Lines that count: of a source that replaces, the newest delivery of an account and period.

    The origin row of a split charge, which would count twice, is the reader's: it never lands.
    """
    lines = evidence.of("billing")
    newest: dict[Any, tuple[str, str]] = {}
    for line in lines:
        bill = (line["source"], line["BillingAccountId"], line["BillingPeriodStart"])
        delivered = (line["delivery_order"] or "", line["delivery"] or "")
        newest[bill] = max(newest.get(bill, ("", "")), delivered)
    return [
        line
        for line in lines
        if evidence.delivery.get(line["source"], "append") == "append"
        or (line["delivery"] or "")
        == newest[line["source"], line["BillingAccountId"], line["BillingPeriodStart"]][1]
    ]


def charge_key(line: Record, day: date) -> ChargeKey:
    """The columns that name a charge; the description only where nothing else does."""
    nameless = line["SkuId"] is None and line["SkuPriceId"] is None and line["ResourceId"] is None
    return ChargeKey(
        issuer=line["InvoiceIssuerName"],
        billing_account_id=line["BillingAccountId"],
        sub_account_id=line["SubAccountId"],
        billing_period=line["BillingPeriodStart"].astimezone(UTC).date(),
        charge_day=day,
        category=line["ChargeCategory"],
        charge_class=line["ChargeClass"],
        currency=line["BillingCurrency"],
        service=line["ServiceName"],
        sku=line["SkuId"],
        price_id=line["SkuPriceId"],
        resource_id=line["ResourceId"],
        region=line["RegionId"],
        zone=line["AvailabilityZone"],
        pricing_category=line["PricingCategory"],
        commitment_id=line["CommitmentDiscountId"],
        commitment_status=line["CommitmentDiscountStatus"],
        native_id=line["native_id"],
        description=line["ChargeDescription"] if nameless else None,
    )


def days_of(line: Record) -> list[tuple[date, int]]:
    """The UTC days of a line with the time on each; one day unless it is to be cut."""
    start, end = line["ChargePeriodStart"], line["ChargePeriodEnd"]
    uncut = [(start.astimezone(UTC).date(), 1)]
    if end is None or end - start <= LONGER_THAN_A_DAY:
        return uncut
    if line["ChargeCategory"] == "Purchase" or line["ChargeFrequency"] == "One-Time":
        return uncut
    if max(start, line["BillingPeriodStart"]) < min(end, line["BillingPeriodEnd"]):
        start, end = max(start, line["BillingPeriodStart"]), min(end, line["BillingPeriodEnd"])
    days = []
    while start < end:
        today = start.astimezone(UTC).date()
        midnight = datetime.combine(today + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
        until = min(end, midnight)
        days.append((today, (until - start) // MICROSECOND))
        start = until
    return days


def tags_of(line: Record) -> dict[str, str]:
    parsed = json.loads(line["Tags"]) if line["Tags"] else {}
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in parsed.items()
        if value is not None
    }


def pieces_of(
    evidence: Evidence,
    day: date,
    first_day: date,
    rule: Callable[[Record, Mapping[str, str]], Hashable],
) -> list[Piece]:
    """The day's charges, in pieces: by charge, tag set, and the rule that takes the line.

    A line before ``first_day`` stands on ``first_day``, apart from that day's own.
    """
    pieces: dict[Hashable, Piece] = {}
    for line in standing_lines(evidence):
        days = days_of(line)
        time = [part for _, part in days]
        billed = share_in_order(quanta(line["BilledCost"]), time)
        effective = share_in_order(quanta(line["EffectiveCost"]), time)
        for position, (on, _) in enumerate(days):
            outside = on < first_day
            if (first_day if outside else on) != day:
                continue
            tags = tags_of(line)
            taken_by = rule(line, tags)
            key = charge_key(line, day)
            piece = pieces.setdefault(
                (key, tuple(sorted(tags.items())), line["PrincipalId"], outside, taken_by),
                Piece(key, tags, taken_by, outside),
            )
            piece.billed += billed[position]
            piece.effective += effective[position]
            listed = cut_text(line["ListCost"], time, position)
            piece.lines.append(
                DayLine(
                    line,
                    None if listed is None else listed * QUANTA,
                    cut_text(line["ConsumedQuantity"], time, position),
                    cut_text(line["PricingQuantity"], time, position),
                )
            )
    return list(pieces.values())


def cut_text(text: str | None, time: Sequence[int], position: int) -> Fraction | None:
    """A decimal's part of one day: cut as amounts are, at 1e-12 or its own finer scale."""
    if text is None:
        return None
    exponent = Decimal(text).as_tuple().exponent
    assert isinstance(exponent, int)
    unit = 10 ** max(12, -exponent)
    return Fraction(share_in_order(int(Fraction(text) * unit), time)[position], unit)
