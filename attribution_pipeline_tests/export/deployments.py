"""The worked day with a fuller bill: what a provider that keeps to FOCUS sends of everything.

Belongs here: the lines, and recording the day without Dagster. Does not: what an export of it must be.
"""

from __future__ import annotations

import csv
import json
import shutil
from datetime import date
from pathlib import Path

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.cases import WORKED_DAY

DAY = date(2026, 10, 5)

ODD_TENANT = "テナント-ß-🙂"
FORMULA = '=HYPERLINK("http://x")'

SUBCATEGORY = {
    "AI and Machine Learning": "Generative AI",
    "Compute": "Virtual Machines",
    "Storage": "Object Storage",
}
OF_NOTHING = ("Tax", "Credit")
"""Categories without quantity, price or SKU."""

COMMITMENT = {
    "CommitmentDiscountCategory": "Spend",
    "CommitmentDiscountId": "savings-plan-1",
    "CommitmentDiscountName": "savings plan",
    "CommitmentDiscountType": "Compute Savings Plan",
    "CommitmentDiscountUnit": "USD",
}
EXTRA = (
    "ListUnitPrice", "ContractedUnitPrice", "InvoiceId", "ServiceSubcategory", "ResourceName",
    "ResourceType", "CommitmentDiscountQuantity", *COMMITMENT, "SkuPriceDetails", "PricingCurrency",
    "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
)  # fmt: skip

Line = dict[str, str]


def _worked_lines() -> list[Line]:
    """The worked day's bill, each line with its unit prices."""
    with (WORKED_DAY / "billing" / "focus.csv").open(encoding="utf-8", newline="") as file:
        return [_complete(line) for line in csv.DictReader(file)]


def _complete(line: Line) -> Line:
    price = ""
    if line["PricingQuantity"]:
        price = f"{float(line['ListCost']) / float(line['PricingQuantity']):g}"
    category = line["ServiceCategory"]
    named = {"ResourceName": line["ResourceId"], "ResourceType": "Resource"}
    return (
        dict.fromkeys(EXTRA, "")
        | line
        | {
            "ListUnitPrice": price,
            "ContractedUnitPrice": price,
            "InvoiceId": f"invoice-{line['BillingPeriodStart'][:7]}",
            "ServiceSubcategory": SUBCATEGORY.get(category, f"Other ({category})"),
            "BillingAccountId": "payer-main",
            "SubAccountId": "sub-main",
        }
        | (named if line["ResourceId"] else {})
    )


def full_lines() -> list[Line]:
    """With commitments, a charge by the month, tags that differ within a charge, a free line, a line
    that is taken back, and names that hurt."""
    lines = _worked_lines()
    machine = next(line for line in lines if line["ServiceCategory"] == "Compute")
    vectors = next(line for line in lines if line["ServiceName"] == "Pinecone")
    bucket = next(line for line in lines if line["ServiceCategory"] == "Storage")
    mine = {"Tags": '{"tenant": "tenant-a"}'}
    alone = {"ResourceId": "i-0committed", "ResourceName": FORMULA}
    committed = {
        **mine, **alone, **COMMITMENT, "PricingCategory": "Committed", "SkuId": "sku-sp",
        "SkuPriceId": "price-sp", "ContractedUnitPrice": "1.5", "ListUnitPrice": "2",
        "PricingUnit": "Hours", "ConsumedUnit": "Hours",
    }  # fmt: skip
    found = [
        *lines,
        machine | committed | _amounts("0", "3", "2", "1.5", "2") | {
            "CommitmentDiscountStatus": "Used", "CommitmentDiscountQuantity": "3",
            "ConsumedQuantity": "2",
        },
        machine | committed | _amounts("0", "1.5", "2", "1.5", "1") | {
            "CommitmentDiscountStatus": "Unused", "CommitmentDiscountQuantity": "1.5",
            "ConsumedQuantity": "", "ConsumedUnit": "", "Tags": "{}",
        },
        machine | committed | _amounts("139.5", "0", "1.5", "1.5", "93") | {
            "ChargeCategory": "Purchase", "ChargeFrequency": "Recurring", "ListUnitPrice": "1.5",
            "CommitmentDiscountQuantity": "139.5", "ConsumedQuantity": "", "ConsumedUnit": "",
            "ChargeDescription": "savings plan, October", "Tags": "{}", "ResourceId": "savings-plan-1",
            "SkuPriceId": "price-sp-buy", **_month(),
        },
        # a month: cut into days, its price to be kept in every part
        vectors | _amounts("899.99", "899.99", "899.99", "899.99", "1") | {
            "ResourceId": "index-plan", "ResourceName": "plan", "PricingUnit": "Months",
            "ConsumedQuantity": "", "ConsumedUnit": "", "ChargeFrequency": "Recurring", "ListUnitPrice": "899.99",
            "ContractedUnitPrice": "899.99", "SkuId": "sku-plan", "SkuPriceId": "price-plan",
            "ChargeDescription": "subscription", **_month(),
        },
        # one charge, two tag sets: two tenants
        *[bucket | _amounts(cost, cost, "0.01", "0.01", quantity) | {
            "ResourceId": "bucket-shared", "ResourceName": "shared", "PricingUnit": "Gigabytes",
            "ConsumedUnit": "Gigabytes", "ConsumedQuantity": quantity, "ListUnitPrice": "0.01",
            "ContractedUnitPrice": "0.01", "Tags": f'{{"tenant": "{tenant}"}}',
        } for cost, quantity, tenant in (("0.7", "70", "tenant-a"), ("0.1", "10", ODD_TENANT))],
        # free, taken back
        bucket | _amounts("0", "0", "0", "0", "5") | {
            "ResourceId": "bucket-free", "ResourceName": "free", "ConsumedQuantity": "5",
            "ListUnitPrice": "0", "ContractedUnitPrice": "0",
        },
        bucket | _amounts("-0.02", "-0.02", "0.01", "0.01", "-2") | {
            "ResourceId": "bucket-back", "ResourceName": "back", "ConsumedQuantity": "-2",
            "ListUnitPrice": "0.01", "ContractedUnitPrice": "0.01",
        },
    ]  # fmt: skip
    return [_in_pricing_currency(line) for line in found]


def _in_pricing_currency(line: Line) -> Line:
    has_sku = bool(line["SkuId"])
    return line | {
        "SkuMeter": line["SkuMeter"] or ("Usage" if has_sku else ""),
        "SkuPriceDetails": "{}" if has_sku else "",
        "PricingCurrency": "USD",
        "PricingCurrencyContractedUnitPrice": line["ContractedUnitPrice"],
        "PricingCurrencyEffectiveCost": line["EffectiveCost"],
        "PricingCurrencyListUnitPrice": line["ListUnitPrice"],
    }


def _amounts(billed: str, effective: str, listed: str, contracted: str, quantity: str) -> Line:
    """Costs of a quantity at a list and a contracted price."""
    from decimal import Decimal

    many = Decimal(quantity)
    return {
        "BilledCost": billed, "EffectiveCost": effective, "PricingQuantity": quantity,
        "ListCost": f"{Decimal(listed) * many:f}", "ContractedCost": f"{Decimal(contracted) * many:f}",
    }  # fmt: skip


def _month() -> Line:
    return {
        "ChargePeriodStart": "2026-10-01T00:00:00Z", "ChargePeriodEnd": "2026-11-01T00:00:00Z",
    }  # fmt: skip


def recorded(folder: Path, lines: list[Line], *, held: bool = False) -> House:
    """The worked day's deployment with another bill, landed and recorded. ``held``: October is closed,
    and the policy holds closed periods."""
    shutil.copytree(WORKED_DAY, folder)
    if held:
        _hold(folder)
    house = House(load_deployment(folder / "attribution.yaml"))
    bill(house, lines)
    return house


def bill(house: House, lines: list[Line]) -> None:
    """Deliver a bill, land it and record the day."""
    path = house.deployment.path.parent / "billing" / "focus.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    record_day(house, DAY)


def _hold(folder: Path) -> None:
    policy = folder / "policies" / "policy-1.yaml"
    said = policy.read_text(encoding="utf-8")
    assert "closed_period: restate" in said
    policy.write_text(
        said.replace("closed_period: restate", "closed_period: hold"), encoding="utf-8"
    )
    file = folder / "attribution.yaml"
    text = file.read_text(encoding="utf-8").rstrip()
    file.write_text(f"{text}\n  closes:\n    - {{name: closes, uri: ./closes}}\n", encoding="utf-8")
    record = {
        "issuer": "Amazon Web Services", "account": None, "period": "2026-10-01",
        "closed_at": "2026-11-05T00:00:00+00:00", "status": "closed", "closed_by": "finops",
    }  # fmt: skip
    (folder / "closes").mkdir()
    (folder / "closes" / "october.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
