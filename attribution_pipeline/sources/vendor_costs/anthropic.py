"""Anthropic: results of the cost report and of the messages usage report, in FOCUS columns.

Belongs here: what these two reports call things. Does not: pages (``pages``), lines (``reader``).

Costs: ``amount`` is a decimal string in cents; ``model`` and ``token_type`` are there when the report
is grouped by description. Usage: tokens by model, the kinds apart, as costs name them.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context
from typing import Any

from attribution_pipeline.sources.rejection import RecordRejected
from attribution_pipeline.sources.vendor_costs.pages import count, exact, text

ISSUER = "Anthropic"
SERVICE = "Anthropic API"

CENTS_OF_A_DOLLAR = -2
"""As a power of ten."""

_EXACTLY = Context(prec=120)
"""Longer than any amount that is read."""

PRICED_BY = ("service_tier", "context_window", "inference_geo")
"""What a token's price depends on besides model and kind; ``SkuPriceId`` is made of them."""

Row = dict[str, str | None]


def rows(result: dict[str, Any]) -> Iterator[Row]:
    """Rows of one result. Raises RecordRejected."""
    if "amount" in result:
        yield _cost(result)
    elif "uncached_input_tokens" in result or "output_tokens" in result:
        yield from _usage(result)
    else:
        raise RecordRejected("unknown_result", "is neither of the cost nor of the usage report")


def _cost(result: dict[str, Any]) -> Row:
    written = result["amount"]
    value = f"{exact(written, 'amount').scaleb(CENTS_OF_A_DOLLAR, _EXACTLY):f}"
    kind = text(result, "token_type") or text(result, "cost_type")
    description = text(result, "description")
    model = text(result, "model")
    return {
        "BilledCost": value,
        "EffectiveCost": value,
        "BillingCurrency": text(result, "currency"),
        "ChargeDescription": description,
        **_sku(result, model, kind, description),
        "x_AmountInCents": str(written),
    }


def _usage(result: dict[str, Any]) -> Iterator[Row]:
    created = result.get("cache_creation")
    if created is not None and not isinstance(created, dict):
        raise RecordRejected("unreadable_cache_creation", "cache_creation is no object")
    created = created or {}
    tools = result.get("server_tool_use")
    tools = tools if isinstance(tools, dict) else {}
    model = text(result, "model")
    for kind, tokens in (
        ("uncached_input_tokens", count(result, "uncached_input_tokens")),
        ("cache_read_input_tokens", count(result, "cache_read_input_tokens")),
        *(
            (f"cache_creation.{name}", count(created, name))
            for name in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
        ),
        ("output_tokens", count(result, "output_tokens")),
    ):
        if tokens:
            yield _quantity(tokens, "Tokens", _sku(result, model, kind, None))
    searches = count(tools, "web_search_requests")
    if searches:
        yield _quantity(searches, "Requests", _sku(result, None, "web_search", None))


def _quantity(quantity: int, unit: str, sku: Row) -> Row:
    return {"ConsumedQuantity": str(quantity), "ConsumedUnit": unit, **sku}


def _sku(
    result: dict[str, Any], model: str | None, kind: str | None, description: str | None
) -> Row:
    meter = ", ".join(part for part in (model, kind) if part) or description
    said = [text(result, name) for name in PRICED_BY]
    return {
        "SkuId": meter,
        "SkuMeter": meter,
        "SkuPriceId": "/".join(part or "" for part in (meter, *said)) if any(said) else None,
        "SubAccountId": text(result, "workspace_id"),
    }
