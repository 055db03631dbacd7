"""Made-up bills: lines of every kind that the ledger treats apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from attribution_pipeline.model.money import to_decimal, to_text
from attribution_pipeline.model.tokens import KINDS
from attribution_pipeline_tests.worlds import names
from attribution_pipeline_tests.worlds.names import MODELS, Setting, instant, landed, month_of
from attribution_pipeline_tests.worlds.policies import DIRECT, METER_KINDS, SERVICES

Line = dict[str, Any]


class Bill:
    """A bill while it is made up."""

    def __init__(self, setting: Setting, spans: Sequence[dict[str, Any]]) -> None:
        self.setting = setting
        self.dice = setting.dice
        self.spans = spans
        self.lines: list[Line] = []

    def charge(self, service: str, tags: dict[str, str] | None = None, **values: Any) -> Line:
        """A line of the day; amounts, route and calendar drawn unless given."""
        setting, dice = self.setting, self.dice
        billed = dice.amount()
        effective = dice.pick((billed, billed, billed * 9 // 10, 0, dice.amount()))
        listed = dice.pick((billed, abs(billed) * 2, dice.amount()))
        first, following = month_of(setting.day)
        tags = dict(tags or {})
        if dice.chance(0.2):
            tags["tenant"] = setting.tenant(names.EMPTY_TAGS) or ""
        values = {
            "BillingAccountId": dice.pick(setting.accounts),
            "SubAccountId": dice.pick(setting.sub_accounts),
            "RegionId": dice.pick(setting.regions),
            "BillingCurrency": dice.pick(setting.currencies),
            "ResourceId": dice.maybe(setting.fresh("resource"), 0.4),
            "SkuId": dice.maybe(setting.fresh("sku"), 0.7),
            "BilledCost": to_decimal(billed),
            "EffectiveCost": to_decimal(effective),
            "ListCost": to_text(listed),
            "BillingPeriodStart": instant(first),
            "BillingPeriodEnd": instant(following),
            "ChargePeriodStart": instant(setting.day),
            "ChargePeriodEnd": instant(setting.day, 86_400),
            "ChargeCategory": "Usage",
            "ChargeFrequency": "Usage-Based",
            "ServiceCategory": "Other",
            "ChargeDescription": f"{service} as used",
            "PricingCategory": "Standard",
        } | values
        line = landed(
            "billing", "bill", ServiceName=service, InvoiceIssuerName="Vendor",
            ProviderName="Vendor", PublisherName="Vendor", Tags=json.dumps(tags, sort_keys=True),
            delivery="run-2", delivery_order="2", **values,
        )  # fmt: skip
        self.lines.append(line)
        return line

    def like(self, line: Line, **values: Any) -> Line:
        """Another line with its own amounts."""
        dice = self.dice
        amounts = {"BilledCost": to_decimal(dice.amount()), "EffectiveCost": to_decimal(dice.amount()),
                   "ListCost": to_text(dice.amount())}  # fmt: skip
        other = line | amounts | values
        self.lines.append(other)
        return other


def billing(
    setting: Setting, spans: Sequence[dict[str, Any]], nodes: Sequence[tuple[str, str]],
    attached: Sequence[tuple[str, str]],
) -> list[Line]:  # fmt: skip
    """The bill of a world: (cluster, resource id) of machines and volumes that may be billed."""
    bill, dice = Bill(setting, spans), setting.dice
    _metered(bill)
    _machines(bill, nodes)
    for cluster, resource in dice.some([*attached, ("east", "vol-unknown")], 0.7):
        tags = {"eks-cluster": cluster}
        bill.charge("Volumes", tags, ServiceCategory="Storage", ResourceId=resource)
    for service in (*SERVICES.values(), *DIRECT):
        for _ in range(dice.pick((0, 1, 1, 2))):
            bill.charge(service, ResourceId=dice.pick((None, "index-1", "index-2")))
    for service, category in (("Support", "Usage"), ("Tax", "Tax"), ("Support", "Tax"),
                              ("Amazon Bedrock", "Credit"), ("Refund", "Adjustment")):  # fmt: skip
        if dice.chance(0.6):
            bill.charge(service, ChargeCategory=category, SkuId=None)
    _commitments(bill)
    _purchases(bill)
    _variants(bill)
    _calendar(bill)
    _splits(bill)
    _deliveries(bill)
    dice.shuffle(bill.lines)
    return [line | {"position": position} for position, line in enumerate(bill.lines, start=1)]


def _metered(bill: Bill) -> None:
    dice = bill.dice
    for model in MODELS:
        for kind in METER_KINDS:
            if dice.chance(0.3):
                seen = _seen(bill.spans, "aws.bedrock", model, kind)
                meter = f"{model}-{kind}-tokens" if dice.chance(0.97) else f"-{kind}-tokens"
                _meter_lines(bill, "Amazon Bedrock", seen, SkuId=f"sku-{meter}", SkuMeter=meter)
    for service in ("OpenAI", "OpenAI API"):
        if dice.chance(0.4):
            seen = _seen(bill.spans, "openai", "claude", "total")
            _meter_lines(bill, service, seen, SkuId=f"sku-{service}", SkuMeter="tokens")


def _seen(spans: Sequence[dict[str, Any]], provider: str, model: str, kind: str) -> int:
    """About what is seen: enough to bill near it."""
    return sum(
        span[bucket] or 0
        for span in spans
        if (span["provider"], span["model"]) == (provider, model)
        for bucket in KINDS[kind]
    )


def _meter_lines(bill: Bill, service: str, seen: int, **values: Any) -> None:
    dice = bill.dice
    first: Line | None = None
    near = dice.chance(0.6)  # one line has the quantity, near what was seen
    for number in range(dice.pick((1, 1, 2, 4))):
        quantity = dice.pick((seen, seen + 1, seen * 2, max(0, seen - 1), seen // 3,
                              dice.randint(0, 10**6), 0, -5))  # fmt: skip
        if near:
            quantity = dice.pick((seen, seen, seen + seen // 100, seen // 2)) if number == 0 else 0
        if first is None or dice.chance(0.3):
            made = bill.charge(service, ResourceId=None, **values, **_quantity(bill, quantity))
        else:
            made = bill.like(first, **_quantity(bill, quantity))
        first = first or made
        if dice.chance(0.2):
            made["Tags"] = json.dumps({"team": dice.pick(("x", "y"))})
    assert first is not None
    if dice.chance(0.3):
        month = first["BillingPeriodEnd"]
        bill.like(first, ChargeClass="Correction", BillingPeriodStart=month,
                  BillingPeriodEnd=month + timedelta(days=30),
                  **_quantity(bill, -dice.randint(0, 1000)))  # fmt: skip
    if dice.chance(0.15):
        bill.like(first, CommitmentDiscountStatus="Unused", CommitmentDiscountId="sp-1",
                  **_quantity(bill, dice.randint(0, 10**6)))  # fmt: skip
    if dice.chance(0.1):
        bill.like(first, ChargeCategory="Credit")


def _quantity(bill: Bill, tokens: int) -> dict[str, Any]:
    dice = bill.dice
    consumed, priced = dice.pick(((True, True), (True, False), (False, True), (False, False)))
    shape = dice.pick(("Tokens", "1000 Tokens", "1M Tokens"))
    text = {
        "Tokens": dice.pick((str(tokens), f"{tokens}.5", f"{tokens}.49999")),
        "1000 Tokens": f"{tokens}E-3",
        "1M Tokens": _shifted(tokens, 6),
    }[shape]
    return {
        "ConsumedQuantity": text if consumed else None,
        "ConsumedUnit": shape if consumed else None,
        "PricingQuantity": (_shifted(tokens, 3) if consumed else text) if priced else None,
        "PricingUnit": ("1000 Tokens" if consumed else shape) if priced else None,
    }


def _shifted(number: int, digits: int) -> str:
    sign = "-" if number < 0 else ""
    whole, rest = divmod(abs(number), 10**digits)
    return f"{sign}{whole}.{rest:0{digits}d}"


def _machines(bill: Bill, nodes: Sequence[tuple[str, str]]) -> None:
    dice = bill.dice
    for cluster, resource in [*dice.some(nodes, 0.85), *dice.some([("east", "i-00")], 0.15)]:
        tags = {"eks-cluster": cluster} if dice.chance(0.9) else {}
        machine = {"ServiceCategory": "Compute", "ResourceId": resource}
        line = bill.charge("Compute Cloud", tags, **machine)
        if dice.chance(0.3):
            bill.like(line)
        if dice.chance(0.2):
            bill.like(line, Tags=json.dumps(tags | {"owner": "z"}, sort_keys=True))
        if dice.chance(0.2):
            bill.charge("Compute Cloud", tags, **machine, ChargeClass="Correction")
        if dice.chance(0.2):
            bill.charge("Compute Cloud", tags, **machine, ChargeCategory="Credit")
        if dice.chance(0.1):
            bill.charge("Compute Cloud", tags, **machine, CommitmentDiscountStatus="Unused")


def _commitments(bill: Bill) -> None:
    dice = bill.dice
    if dice.chance(0.3):
        bill.charge("Compute Cloud", CommitmentDiscountStatus="Unused", CommitmentDiscountId="sp-1")
    if dice.chance(0.3):
        bill.charge("Compute Cloud", ChargeCategory="Purchase", CommitmentDiscountId="sp-1",
                    ChargeFrequency=dice.pick(("One-Time", "Recurring")))  # fmt: skip
    if dice.chance(0.2):
        bill.charge("Compute Cloud", ChargeCategory="Usage", CommitmentDiscountStatus="Used",
                    CommitmentDiscountId="sp-1")  # fmt: skip


def _purchases(bill: Bill) -> None:
    """Bought once or by the month: never cut, and no base of anyone's cost."""
    dice = bill.dice
    for service in dice.some((*SERVICES.values(), *DIRECT), 0.06):
        line = bill.charge(service, ChargeCategory="Purchase", ChargeFrequency="Recurring")
        if dice.chance(0.5):
            line["ChargePeriodEnd"] += timedelta(days=20)


def _splits(bill: Bill) -> None:
    """Charges that the vendor split (FOCUS 1.3). Their origin rows do not get past the door."""
    dice = bill.dice
    for line in dice.some(list(bill.lines), 0.03):
        line["AllocatedMethodId"] = "by-usage"
        other = bill.like(line, AllocatedResourceId="pod-b")
        other |= {name: line[name] and "0" for name in ("ConsumedQuantity", "PricingQuantity")}
        line["AllocatedResourceId"] = "pod-a"


def _variants(bill: Bill) -> None:
    """Charges that differ from another in one naming column, and lines that do not."""
    dice = bill.dice
    for line in dice.some(list(bill.lines), 0.12):
        column, value = dice.pick(
            (
                ("SkuPriceId", "price-2"),
                ("AvailabilityZone", "zone-b"),
                ("PricingCategory", "Dynamic"),
                ("native_id", "native-2"),
                ("InvoiceIssuerName", "Reseller"),
                ("InvoiceId", "invoice-2"),
                ("ChargeDescription", "worded otherwise"),
                ("ListUnitPrice", "1.5"),
                ("CommitmentDiscountId", "sp-9"),
            )
        )
        bill.like(line, **{column: value})
    for line in dice.some(list(bill.lines), 0.08):
        bill.like(line, Tags=json.dumps({"tenant": bill.setting.tenant(0) or "acme"}))
    if dice.chance(0.2):  # an export that leaves the column empty where there is no tag
        for line in bill.lines:
            line["Tags"] = None if line["Tags"] == "{}" else line["Tags"]


def _calendar(bill: Bill) -> None:
    """Charges longer than a day, beside the day, before the first day, outside their period."""
    setting, dice = bill.setting, bill.dice
    first, following = month_of(setting.day)
    for line in bill.lines:
        draw = dice.random()
        if draw < 0.06:  # a month
            line["ChargePeriodStart"], line["ChargePeriodEnd"] = instant(first), instant(following)
        elif draw < 0.10:  # odd hours, over several days
            hours = dice.pick((24, 25, 30, 49, 100))
            start = instant(setting.day, dice.pick((-90_000, -3600, 0, 1, 43_200)))
            line["ChargePeriodStart"] = start
            line["ChargePeriodEnd"] = start + timedelta(hours=hours, seconds=dice.pick((0, 0, 7)))
        elif draw < 0.14:  # another day's
            away = dice.pick((-1, 1, -30))
            line["ChargePeriodStart"] += timedelta(days=away)
            line["ChargePeriodEnd"] += timedelta(days=away)
        elif draw < 0.18:  # an hour
            line["ChargePeriodStart"] = instant(setting.day, dice.randrange(24) * 3600)
            line["ChargePeriodEnd"] = line["ChargePeriodStart"] + timedelta(hours=1)
        elif draw < 0.20:  # billed in a period that it does not touch
            month = dice.pick((following, date(2025, 12, 1)))
            line["BillingPeriodStart"] = instant(month)
            line["BillingPeriodEnd"] = instant(month_of(month)[1])
            if dice.chance(0.5):
                line["ChargePeriodEnd"] += timedelta(days=2)


def _deliveries(bill: Bill) -> None:
    """A source that appends, an older delivery that was replaced, an object that was overwritten."""
    dice = bill.dice
    if dice.chance(0.3):
        for line in bill.lines:
            if line["BillingAccountId"] == "payer-2":
                line |= {"source": "second", "object_id": "billing-of-second",
                         "delivery": dice.pick(("a", "b")), "delivery_order": "1"}  # fmt: skip
    if dice.chance(0.3):
        for line in dice.some(list(bill.lines), 0.3):
            if line["source"] == "bill":
                bill.like(line, delivery="run-1", delivery_order="1")
    if dice.chance(0.2):
        for line in dice.some(list(bill.lines), 0.2):
            bill.like(line, object_id="overwritten")


def usage(setting: Setting) -> list[dict[str, Any]]:
    """Usage reports: whole and broken quantities, of a resource or of all of a service."""
    dice = setting.dice
    rows = []
    for position in range(1, dice.pick((0, 2, 6, 12)) + 1):
        metric, service = dice.pick(
            (
                ("query_units", "Pinecone"),
                ("bytes", "Object Storage"),
                ("query_units", "Object Storage"),
                ("bytes", "Pinecone"),
            )
        )
        quantity = dice.pick((str(dice.weight(1000)), "0.25", "1.5", "12345678901234", "3"))
        rows.append(
            landed(
                "usage", "usage", position=position,
                date=setting.day + timedelta(days=dice.pick((0,) * 9 + (1,))),
                service=service, metric=metric, quantity=quantity,
                resource_id=dice.pick((None, "index-1", "index-1", "index-2")),
                **setting.who(),
            )
        )  # fmt: skip
    return rows
