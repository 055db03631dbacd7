"""Charges of model vendors: exact tokens times price, by the line that each vendor writes.

Belongs here: meter names, units and lines by vendor; causes from the day's token tally; the one
correction. Does not: what the company spends beside tokens (``node_charges``, ``other_charges``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np

from attribution_pipeline.simulator.charges import (
    AWS_AI,
    AZURE_ACCOUNT,
    AZURE_REGION,
    AZURE_SUBSCRIPTION,
    Charge,
    Line,
    aws,
    day_line,
    focus_columns,
    key_of,
)
from attribution_pipeline.simulator.company import MODELS, SKUS, TENANTS, WORKFLOWS, Sku
from attribution_pipeline.simulator.tally import (
    HOURS,
    KNOWN,
    NAMELESS,
    UNSEEN,
    UNVERIFIED,
    DayTally,
)
from attribution_pipeline.simulator.truth import Cause

AI = "AI and Machine Learning"

METERS: dict[str, dict[str, str]] = {
    "aws.bedrock": {
        "uncached_input": "{}-input-tokens", "cache_read": "{}-cache-read-tokens",
        "cache_write": "{}-cache-write-tokens", "output": "{}-output-tokens",
    },
    "azure.ai.openai": {
        "uncached_input": "{} Inp glbl Tokens", "cache_read": "{} cchd Inp glbl Tokens",
        "output": "{} Outp glbl Tokens",
    },
    "openai": {
        "uncached_input": "{}, input", "cache_read": "{}, cached input",
        "cache_write": "{}, cache write", "output": "{}, output",
    },
    "anthropic": {
        "uncached_input": "{} uncached_input_tokens", "cache_read": "{} cache_read_input_tokens",
        "cache_write_5m": "{} cache_creation.ephemeral_5m_input_tokens",
        "cache_write_1h": "{} cache_creation.ephemeral_1h_input_tokens",
        "output": "{} output_tokens",
    },
}  # fmt: skip
"""Provider -> token kind -> SkuMeter of a model."""

UNITS: dict[str, tuple[str, int]] = {
    "aws.bedrock": ("1000 Tokens", 1000),
    "azure.ai.openai": ("1K", 1000),
    "openai": ("Tokens", 1),
    "anthropic": ("1M Tokens", 1_000_000),
}
EXPORTS = {
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "openai": "openai",
    "anthropic": "anthropic",
}

SERVICES = {
    "aws.bedrock": "Amazon Bedrock", "azure.ai.openai": "Azure OpenAI",
    "openai": "OpenAI API", "anthropic": "Claude API",
}  # fmt: skip

CORRECTED_SKU = 0
CORRECTION_PER_TOKEN = -60_000
"""Quanta per token: the vendor found that it had billed USD 0.06 per million too much."""

LATER_PER_TOKEN = {
    "aws.bedrock": -40_000, "azure.ai.openai": 30_000, "openai": -50_000, "anthropic": 70_000,
}  # fmt: skip
"""Provider -> quanta per token by which the fault ``corrections`` moves the price of one meter."""


def token_charges(day: date, tally: DayTally, prices_times: int = 1) -> Iterator[Charge]:
    """One charge for each meter that counted anything."""
    for number, listed in enumerate(SKUS):
        sku = replace(
            listed,
            billed=listed.billed * prices_times,
            effective=listed.effective * prices_times,
        )
        total = int(tally.tokens[number].sum())
        if total == 0:
            continue
        focus = _columns(sku)
        if total * sku.billed >= 2**63:
            raise AssertionError(f"{focus['SkuMeter']}: a day beyond 64-bit quanta")
        yield Charge(
            EXPORTS[MODELS[sku.model].provider], focus, {}, _lines(day, number, sku, tally, total),
            key_of(focus, day, MODELS[sku.model].name, sku.token_kind),
            _causes(tally.tokens[number], sku.billed, sku.effective),
            (_bound(tally, number, sku.billed), _bound(tally, number, sku.effective)),
        )  # fmt: skip


def correction(day: date, tally: DayTally, billing_period: date) -> Iterator[Charge]:
    """A lower price of a past day, billed in a later period. Causes: whoever used the tokens."""
    yield from _corrected(day, tally, billing_period, CORRECTED_SKU, CORRECTION_PER_TOKEN)


def later_corrections(day: date, tally: DayTally, billing_period: date) -> Iterator[Charge]:
    """What the fault ``corrections`` adds: each vendor moves one price, some of them up."""
    for number, per_token in _later_corrected():
        yield from _corrected(day, tally, billing_period, number, per_token)


def _later_corrected() -> list[tuple[int, int]]:
    """(sku, quanta per token): the last meter of each vendor."""
    last = {MODELS[sku.model].provider: number for number, sku in enumerate(SKUS)}
    return [(last[provider], amount) for provider, amount in LATER_PER_TOKEN.items()]


def _corrected(
    day: date, tally: DayTally, billing_period: date, number: int, per_token: int
) -> Iterator[Charge]:
    sku = SKUS[number]
    total = int(tally.tokens[number].sum())
    if total == 0:
        return
    focus = _columns(sku) | {"ChargeClass": "Correction", "ConsumedUnit": "", "PricingUnit": ""}
    focus["ChargeDescription"] += ", price corrected"
    amount, bound = total * per_token, _bound(tally, number, per_token)
    yield Charge(
        EXPORTS[MODELS[sku.model].provider], focus, {}, [day_line(day, amount, amount)],
        key_of(focus, day, MODELS[sku.model].name, sku.token_kind),
        _causes(tally.tokens[number], per_token, per_token), (bound, bound),
        billing_period=billing_period,
    )  # fmt: skip


def _bound(tally: DayTally, number: int, price: int) -> Fraction:
    """Quanta of a meter's charge that wrong clocks take to another day, or bring here.

    Nothing else moves a quantum of a meter. Where more is seen than was billed, every part is
    truncated: a quantum for each call.
    """
    if not tally.astray[number]:
        return Fraction(0)
    return Fraction(int(tally.astray[number]) * abs(price) + int(tally.astray_calls[number]) + 1)


def _causes(tokens: np.ndarray, billed: int, effective: int) -> list[Cause]:
    """who x status of one meter as causes: tokens times price, exact."""
    reasons = {
        KNOWN: None, NAMELESS: "identity_missing", UNSEEN: "telemetry_gap",
        UNVERIFIED: "identity_unverified",
    }  # fmt: skip
    found = []
    for who, status in zip(*np.nonzero(tokens), strict=True):
        count = int(tokens[who, status])
        tenant, workflow = divmod(int(who), len(WORKFLOWS))
        found.append(
            Cause(
                TENANTS[tenant], WORKFLOWS[workflow].name, "call", status == KNOWN,
                reasons[int(status)], count * billed, count * effective,
            )
        )  # fmt: skip
    return found


def _lines(day: date, number: int, sku: Sku, tally: DayTally, total: int) -> list[Line]:
    provider = MODELS[sku.model].provider
    per_unit = UNITS[provider][1]
    if provider != "aws.bedrock":
        return [day_line(day, total * sku.billed, total * sku.effective, Decimal(total) / per_unit)]
    midnight = datetime(day.year, day.month, day.day)
    lines = []
    for hour in range(HOURS):
        count = int(tally.hourly[number, hour])
        if count:
            start = midnight + timedelta(hours=hour)
            lines.append(
                Line(start, start + timedelta(hours=1), count * sku.billed,
                     count * sku.effective, Decimal(count) / per_unit)
            )  # fmt: skip
    return lines


def _columns(sku: Sku) -> dict[str, str]:
    model = MODELS[sku.model]
    meter = METERS[model.provider][sku.token_kind].format(model.name)
    unit, sku_id = UNITS[model.provider][0], f"{model.provider}.{model.name}.{sku.token_kind}"
    service, text = SERVICES[model.provider], f"{model.name} {sku.token_kind}"
    if model.provider == "aws.bedrock":
        return aws(service, "Usage", AI, text, sub=AWS_AI, sku=sku_id, meter=meter, unit=unit,
                   region=model.region)  # fmt: skip
    if model.provider == "azure.ai.openai":
        return focus_columns(
            issuer="Microsoft", provider="Microsoft", account=(AZURE_ACCOUNT, "Acme AI"),
            sub_account=(AZURE_SUBSCRIPTION, "ai-prod"), category="Usage", service=service,
            service_category=AI, description=text, region=AZURE_REGION,
            resource=f"{AZURE_SUBSCRIPTION}/resourcegroups/ai/providers/microsoft.cognitiveservices/accounts/acme-ai",
            sku=sku_id, meter=meter, unit=unit, more={"x_SkuMeterId": f"meter-{sku_id}"},
        )  # fmt: skip
    vendor = {"openai": "OpenAI", "anthropic": "Anthropic"}[model.provider]
    project = {"openai": ("proj_prod", "prod"), "anthropic": ("wrkspc_prod", "prod")}[
        model.provider
    ]
    return focus_columns(
        issuer=vendor, provider=vendor, account=(f"org-acme-{model.provider}", "Acme AI"),
        sub_account=project, category="Usage", service=service, service_category=AI,
        description=text, sku=sku_id, meter=meter, unit=unit,
    )  # fmt: skip
