"""What vendors charge for a day, and, beside each charge, what really caused it.

Belongs here: charges with their lines and causes; amounts in quanta. Does not: export formats
(``exports``), tallies (``tally``). Truth is made where the charge is made, from the same prices and
counts, and asserted to sum to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from attribution_pipeline.simulator.truth import Cause, ChargeKey, TruthTables

AWS_PAYER = "111122223333"
AWS_AI, AWS_PLATFORM = "222233334444", "333344445555"
AZURE_ACCOUNT = "/providers/Microsoft.Billing/billingAccounts/7c1d:2f0a_2019-05-31"
AZURE_SUBSCRIPTION = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590"
REGION, AZURE_REGION = "eu-west-1", "swedencentral"


@dataclass(frozen=True)
class Line:
    """One row of an export. Amounts in quanta; ``quantity`` in the charge's unit."""

    start: datetime
    end: datetime
    billed: int
    effective: int
    quantity: Decimal | None = None


@dataclass
class Charge:
    """One charge of one day: its columns, its lines, its causes."""

    export: str
    """aws, azure, openai, anthropic or saas."""
    focus: dict[str, str]
    tags: dict[str, str]
    lines: list[Line]
    key: ChargeKey
    causes: list[Cause]
    bound: tuple[Fraction, Fraction] = (Fraction(0), Fraction(0))
    billing_period: date | None = None
    """First day of the month that bills it, where it is not the charge's own."""
    of_day: tuple[int, int] | None = None
    """Billed and effective quanta of this day, where its one line is for a whole month."""

    def tell(self, tables: TruthTables) -> None:
        """Put its causes and its bound into the day's truth."""
        charged = self.of_day or (
            sum(line.billed for line in self.lines), sum(line.effective for line in self.lines)
        )  # fmt: skip
        told = (sum(c.billed for c in self.causes), sum(c.effective for c in self.causes))
        if told != charged:
            raise AssertionError(f"{self.key}: causes {told}, charge {charged}")
        tables.add(self.key, self.causes)
        if any(self.bound):
            tables.bound(self.key, *self.bound)


def day_line(day: date, billed: int, effective: int, quantity: Decimal | None = None) -> Line:
    """One line for a whole UTC day."""
    start = datetime(day.year, day.month, day.day)
    return Line(start, start + timedelta(days=1), billed, effective, quantity)


def focus_columns(
    *,
    issuer: str,
    provider: str,
    account: tuple[str, str],
    category: str,
    service: str,
    service_category: str,
    description: str,
    sub_account: tuple[str, str] | None = None,
    region: str = "",
    resource: str = "",
    sku: str = "",
    meter: str = "",
    unit: str = "",
    more: dict[str, str] | None = None,
) -> dict[str, str]:
    """FOCUS columns of a charge as text, empty where null; periods and amounts come per line."""
    return {
        "BillingAccountId": account[0],
        "BillingAccountName": account[1],
        "BillingCurrency": "USD",
        "ChargeCategory": category,
        "ChargeDescription": description,
        "ChargeFrequency": "Usage-Based",
        "ConsumedUnit": unit,
        "InvoiceIssuerName": issuer,
        "PricingCategory": "" if category in ("Tax", "Credit") else "Standard",
        "PricingUnit": unit,
        "ProviderName": provider,
        "PublisherName": provider,
        "RegionId": region,
        "ResourceId": resource,
        "ServiceCategory": service_category,
        "ServiceName": service,
        "SkuId": sku,
        "SkuMeter": meter,
        "SkuPriceId": f"{sku}.price" if sku else "",
        "SubAccountId": sub_account[0] if sub_account else "",
        "SubAccountName": sub_account[1] if sub_account else "",
        **(more or {}),
    }


def key_of(
    focus: dict[str, str], day: date, model: str | None = None, token_kind: str | None = None
) -> ChargeKey:
    """A charge's key from its FOCUS columns."""
    return ChargeKey(
        day, focus["ProviderName"], focus["ServiceName"], focus["SubAccountId"] or None,
        focus["ResourceId"] or None, focus["RegionId"] or None, focus["ChargeCategory"],
        focus.get("ChargeClass") or None, model, token_kind,
    )  # fmt: skip


def aws(
    service: str, category: str, service_category: str, description: str, *, sub: str = AWS_PLATFORM,
    resource: str = "", sku: str = "", meter: str = "", unit: str = "", region: str = REGION,
    more: dict[str, str] | None = None,
) -> dict[str, str]:  # fmt: skip
    """Columns of an AWS charge."""
    names = {AWS_AI: "ai-prod", AWS_PLATFORM: "platform-prod"}
    return focus_columns(
        issuer="Amazon Web Services, Inc.", provider="AWS", account=(AWS_PAYER, "acme-ai payer"),
        sub_account=(sub, names[sub]), category=category, service=service,
        service_category=service_category, description=description, region=region,
        resource=resource, sku=sku, meter=meter, unit=unit, more=more,
    )  # fmt: skip
