"""Columns of FOCUS CostAndUsage by version, and ours beside them.

Belongs here: names, types, which version has a column, and whether it may be left out where nobody
fills it. Does not: values (``rows``).
Source: FOCUS_Spec tag v1.2; the datasets of 1.3 and 1.4 as of their ratification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VERSIONS = ("1.2", "1.3", "1.4")

Kind = Literal["text", "instant", "number"]

SPLIT = (
    "AllocatedMethodDetails", "AllocatedMethodId", "AllocatedResourceId", "AllocatedResourceName",
    "AllocatedTags",
)  # fmt: skip
"""Split cost allocation, from 1.3 on. In a 1.2 file the same five are custom columns."""

ALWAYS = (
    "AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
    "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceId", "InvoiceIssuerName",
    "ListCost", "PricingQuantity", "PricingUnit", "ServiceCategory", "ServiceName",
)  # fmt: skip
"""Mandatory in each of the versions, or recommended and nullable."""

SINCE_ALWAYS = {
    "1.2": ("ProviderName", "PublisherName"),
    "1.3": ("ProviderName", "PublisherName", "HostProviderName", "ServiceProviderName", *SPLIT),
    "1.4": ("HostProviderName", "ServiceProviderName", *SPLIT),
}
"""Mandatory in that version besides, and there in every file of ours."""

WHERE_FILLED = (
    "BillingAccountType", "CapacityReservationId", "CapacityReservationStatus",
    "ChargeFrequency", "CommitmentDiscountCategory", "CommitmentDiscountId",
    "CommitmentDiscountName", "CommitmentDiscountQuantity", "CommitmentDiscountStatus",
    "CommitmentDiscountType", "CommitmentDiscountUnit", "ConsumedQuantity", "ConsumedUnit",
    "ContractedUnitPrice", "ListUnitPrice", "PricingCategory", "PricingCurrency",
    "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice", "RegionId", "RegionName", "ResourceId", "ResourceName",
    "ResourceType", "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId",
    "SubAccountId", "SubAccountName", "SubAccountType", "Tags",
)  # fmt: skip
"""Conditional, or recommended and not nullable: a provider without the thing sends no such column, and
neither does a dataset made of its bill. Left out where no row of the export has a value."""

SINCE_WHERE_FILLED = {
    "1.2": (),
    "1.3": ("ContractApplied",),
    "1.4": ("CommitmentProgramEligibilityDetails", "ContractApplied", "InvoiceDetailId"),
}

INSTANTS = ("BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart")

COSTS = (
    "BilledCost",
    "EffectiveCost",
    "ListCost",
    "ContractedCost",
    "PricingCurrencyEffectiveCost",
)
QUANTITIES = ("PricingQuantity", "ConsumedQuantity", "CommitmentDiscountQuantity")
SUMMABLE = (*COSTS, *QUANTITIES)
"""Metrics that are divided. Unit prices and every dimension are the origin's."""

UNIT_PRICES = (
    "ContractedUnitPrice", "ListUnitPrice", "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyListUnitPrice",
)  # fmt: skip

OF_ROW = {
    "x_Agent": "agent",
    "x_AttributionId": "attribution_id",
    "x_Basis": "basis",
    "x_Component": "component",
    "x_Confidence": "confidence",
    "x_ConsumerId": "consumer_id",
    "x_CostCenter": "cost_center",
    "x_Driver": "driver",
    "x_DriverQuantity": "driver_quantity",
    "x_DriverTotal": "driver_total",
    "x_DriverUnit": "driver_unit",
    "x_Environment": "environment",
    "x_Feature": "feature",
    "x_Kernel": "kernel",
    "x_Leg": "leg",
    "x_Method": "method",
    "x_Model": "model",
    "x_OperationName": "operation_name",
    "x_PolicyDigest": "policy_digest",
    "x_PolicyId": "policy_id",
    "x_PolicyVersion": "policy_version",
    "x_Pool": "pool",
    "x_PrincipalId": "principal_id",
    "x_Project": "project",
    "x_PromptVersion": "prompt_version",
    "x_Revision": "revision",
    "x_Settlement": "settlement",
    "x_Surface": "surface",
    "x_Task": "task",
    "x_Team": "team",
    "x_TenantId": "tenant_id",
    "x_TokenKind": "token_kind",
    "x_UnallocatedReason": "unallocated_reason",
    "x_WorkflowId": "workflow_id",
}
"""Ours, of the ledger's row: column to the ledger's."""

OF_LINE = {
    "x_ChargeId": "charge_id",
    "x_NativeChargeId": "native_id",
    "x_NativeColumns": "x_columns",
    "x_NativePrincipalId": "PrincipalId",
    "x_OriginId": "origin_id",
    "x_SourceObject": "object_id",
    "x_SourcePosition": "position",
} | {f"x_Provider{name}": name for name in SPLIT}
"""Ours, of the bill's line. ``x_Provider...``: how the provider itself had split the charge."""

OF_EXPORT = ("x_ChargeDate", "x_Dataset", "x_ManifestId", "x_SplitOriginCost", "x_SplitOriginId")
"""Ours, of the export. Split origins are named as focus-data-toolkit checks them."""

DATASET = "derived:attribution-ledger"
"""What every row says of itself in ``x_Dataset``: never to be added to the export it is made of."""

NUMBERS = frozenset((*SUMMABLE, *UNIT_PRICES, "x_DriverQuantity", "x_DriverTotal",
                     "x_PolicyVersion", "x_Revision", "x_SourcePosition", "x_SplitOriginCost"))  # fmt: skip

SCALES = {
    "ListCost": 24, "ContractedCost": 24, **dict.fromkeys(UNIT_PRICES, 18),
    "x_DriverQuantity": 0, "x_DriverTotal": 0, "x_PolicyVersion": 0, "x_Revision": 0,
    "x_SourcePosition": 0,
}  # fmt: skip
"""Digits after the point that a Parquet column has at least; 12, a quantum's, where not named. FOCUS
fixes none. List and contracted cost are products: 12 of a price and 12 of a quantity."""


@dataclass(frozen=True)
class Column:
    """A column of a file: its name there, where its values come from, what they are."""

    name: str
    staged: str
    kind: Kind
    left_out_where_empty: bool = False


def columns_of(version: str) -> list[Column]:
    """FOCUS columns of a version by name, then custom ones by name (FOCUS 1.4, DatasetCompleteness)."""
    fixed = {*ALWAYS, *SINCE_ALWAYS[version]}
    optional = {*WHERE_FILLED, *SINCE_WHERE_FILLED[version]}
    focus = [_column(name, name, name in optional) for name in sorted(fixed | optional)]
    custom = {name: name for name in (*OF_ROW, *OF_LINE, *OF_EXPORT)}
    if version == "1.2":
        custom |= {f"x_{name}": name for name in SPLIT}
    return [*focus, *(_column(name, custom[name], False) for name in sorted(custom))]


def staged_names() -> list[str]:
    """Every column that any version may have."""
    found = {column.staged for version in VERSIONS for column in columns_of(version)}
    return sorted(found)


def kind_of(staged: str) -> Kind:
    """What a column's values are."""
    if staged in INSTANTS:
        return "instant"
    return "number" if staged in NUMBERS else "text"


def _column(name: str, staged: str, optional: bool) -> Column:
    return Column(name, staged, kind_of(staged), optional)
