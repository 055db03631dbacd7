"""OpenAI: results of organization costs and of usage, in FOCUS columns.

Belongs here: what these two reports call things. Does not: pages (``pages``), lines (``reader``).

Costs: ``amount`` {value, currency}, a JSON float in dollars; ``line_item`` names model and kind
(``gpt-5.5-2026-04-23, cached input``) or something else (``web search tool calls``). Usage: tokens
by model; ``input_tokens`` includes ``input_cached_tokens``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attribution_pipeline.sources.rejection import RecordRejected
from attribution_pipeline.sources.vendor_costs.pages import count, exact, text

ISSUER = "OpenAI"
SERVICE = "OpenAI API"

COSTS = "organization.costs.result"
USAGE = ("organization.usage.completions.result", "organization.usage.embeddings.result")

Row = dict[str, str | None]

_COST_FIELDS = ("object", "amount", "line_item", "project_id", "project_name")


def rows(result: dict[str, Any]) -> Iterator[Row]:
    """Rows of one result. Raises RecordRejected."""
    said = result.get("object")
    if said == COSTS:
        yield _cost(result)
    elif said in USAGE:
        yield from _usage(result)
    else:
        raise RecordRejected("unknown_result", "is neither of organization costs nor of usage")


def _cost(result: dict[str, Any]) -> Row:
    amount = result.get("amount")
    if not isinstance(amount, dict):
        raise RecordRejected("missing_billed_cost", "a cost without amount")
    value = f"{exact(amount.get('value'), 'amount'):f}"
    item = text(result, "line_item")
    return {
        "BilledCost": value,
        "EffectiveCost": value,
        "BillingCurrency": text(amount, "currency"),
        "ChargeDescription": item,
        "SkuId": item,
        "SkuMeter": item,
        "SubAccountId": text(result, "project_id"),
        "SubAccountName": text(result, "project_name"),
        **{
            f"x_{key}": value if isinstance(value, str) else str(value)
            for key, value in sorted(result.items())
            if key not in _COST_FIELDS and value is not None
        },
    }


def _usage(result: dict[str, Any]) -> Iterator[Row]:
    model = text(result, "model")
    cached = count(result, "input_cached_tokens")
    uncached = count(result, "input_tokens") - cached
    if uncached < 0:
        raise RecordRejected("unreadable_input_tokens", "more cached than input tokens")
    kinds = {
        "input": uncached,
        "cached input": cached,
        "output": count(result, "output_tokens"),
        "audio input": count(result, "input_audio_tokens"),
        "audio output": count(result, "output_audio_tokens"),
    }
    for kind, tokens in kinds.items():
        if tokens:
            meter = f"{model or 'unknown'}, {kind}"
            yield {
                "ConsumedQuantity": str(tokens),
                "ConsumedUnit": "Tokens",
                "ChargeDescription": meter,
                "SkuId": meter,
                "SkuMeter": meter,
                "SubAccountId": text(result, "project_id"),
                "SubAccountName": text(result, "project_name"),
            }
