"""A day of one meter, whose calls a test chooses: bill, spans, controls, policy.

Belongs here: writing such a deployment. Does not: what a score or a triage says of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attribution_pipeline.envelope import Claims, issue
from attribution_pipeline.envelope.keygen import add_to_file, new_key
from attribution_pipeline_tests.proof.replays import History

BILLED_TOKENS = 1_000_000
MODEL = "anthropic.claude-sonnet"
ROUTE = f"Amazon Web Services / {MODEL} / model_inference, USD"

HEADER = (
    "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,ChargeCategory,"
    "ChargeClass,ChargePeriodEnd,ChargePeriodStart,ConsumedQuantity,ConsumedUnit,EffectiveCost,"
    "InvoiceIssuerName,PricingQuantity,PricingUnit,ProviderName,ServiceCategory,ServiceName,SkuId,"
    "SkuMeter,SkuPriceId"
)
LINE = (
    "10.00,1111,USD,2026-11-01T00:00:00Z,2026-10-01T00:00:00Z,Usage,,2026-10-06T00:00:00Z,"
    f"2026-10-05T00:00:00Z,{BILLED_TOKENS // 1000},1000 Tokens,10.00,Amazon Web Services,"
    f"{BILLED_TOKENS // 1000},1000 Tokens,Amazon Web Services,AI and Machine Learning,"
    f"Amazon Bedrock,sku-1,{MODEL}-input-tokens,price-1"
)

POLICY = """\
policy: meter-day
version: 1
effective_from: 2026-10-01
meters:
  - match: {{ServiceName: "Amazon Bedrock", SkuMeter: "*-input-tokens"}}
    provider: aws.bedrock
    model: {{from: SkuMeter, pattern: "^(?P<model>.+)-input-tokens$"}}
    token_kind: uncached_input
    tokens_per_unit: {{1000 Tokens: 1000}}
{more}"""

DEPLOYMENT = """\
storage: ./lake
first_day: 2026-10-05
policies: ./policies
{more}sources:
  billing: [{{name: bill, uri: ./billing}}]
  spans: [{{name: traces, uri: ./spans}}]
  controls: [{{name: controls, uri: ./controls}}]
  closes: [{{name: closes, uri: ./closes}}]
"""

STAMPED = {
    "tenant_id": "acme",
    "originator_id": "user-7",
    "workflow_id": "search",
    "operation_id": "op-1",
    "principal_id": "svc-search",
    "consumer_id": "acme-sales",
}


@dataclass(frozen=True)
class Call:
    """One billed call; ``who``: names of ``attribution.<name>``."""

    number: int
    tokens: int
    who: Mapping[str, str] = field(default_factory=lambda: dict(STAMPED))
    trace: int = 0
    """0: a trace of its own."""
    attempt: int | None = None
    links: Sequence[tuple[int, int]] = ()
    envelope: str | None = None
    service: str = "app"

    def as_span(self) -> dict[str, Any]:
        """As OTLP JSON."""
        start = int(datetime(2026, 10, 5, 10, tzinfo=UTC).timestamp()) + self.number
        said: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "aws.bedrock",
            "gen_ai.response.model": MODEL,
            "gen_ai.response.id": f"msg-{self.number}",
            "gen_ai.usage.input_tokens": self.tokens,
            "gen_ai.usage.output_tokens": 0,
            **{f"attribution.{name}": value for name, value in self.who.items()},
        }
        if self.attempt is not None:
            said["attribution.attempt"] = self.attempt
        if self.envelope is not None:
            said["attribution.envelope"] = self.envelope
        return {
            "traceId": trace_id(self.trace or self.number),
            "spanId": span_id(self.number),
            "parentSpanId": "00000000000000ff",
            "name": "chat",
            "kind": 3,
            "startTimeUnixNano": str(start * 10**9),
            "endTimeUnixNano": str((start + 1) * 10**9),
            "attributes": [_attribute(name, value) for name, value in said.items()],
            "links": [
                {"traceId": trace_id(trace), "spanId": span_id(span)} for trace, span in self.links
            ],
        }


def trace_id(number: int) -> str:
    """The id of a trace."""
    return f"{number:032x}"


def span_id(number: int) -> str:
    """The id of a call's span."""
    return f"{number:016x}"


def _attribute(name: str, value: Any) -> dict[str, Any]:
    kind = {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
    return {"key": name, "value": kind}


KEYED = "keys: ./keys.yaml\n"
"""Of a deployment whose key file ``signed_token`` wrote."""


def signed_token(folder: Path) -> str:
    """An envelope of acme's, signed with a key that is new in ``keys.yaml`` of ``folder``."""
    key = new_key("gw-1", "hmac-sha256")
    add_to_file(folder / "keys.yaml", key)
    at = int(datetime(2026, 10, 5, 9, 59, tzinfo=UTC).timestamp())
    return issue(
        Claims(
            tenant_id="acme", originator_id="user-7", workflow_id="search", operation_id="op-1",
            issuance_id="iss-1", issued_at=at, expires_at=at + 3600, audience="prod",
        ),
        key,
    )  # fmt: skip


GOOD_LIST = [
    {"kind": "hard_block", "rule": "no-drop", "operation": "drop_table", "reversible": False,
     "mode": "enforce"},
]  # fmt: skip


def shadow_hits(days: int) -> list[dict[str, Any]]:
    """One hit a day, the last on the charge day."""
    noon = datetime(2026, 10, 5, 12, tzinfo=UTC)
    return [
        {"kind": "shadow_hit", "time": (noon - timedelta(days=n)).isoformat(), "rule": "no-send",
         "would_block": n % 2 == 0}
        for n in range(days)
    ]  # fmt: skip


def override(seconds: int | None, by: str | None = "lee", hour: int = 9) -> dict[str, Any]:
    """One override that took so long; None: it was not granted."""
    asked = datetime(2026, 10, 5, hour, tzinfo=UTC)
    granted = None if seconds is None else (asked + timedelta(seconds=seconds)).isoformat()
    return {"kind": "override", "requested_at": asked.isoformat(), "granted_at": granted,
            "rule": "no-drop", "by": by}  # fmt: skip


GOOD_CONTROLS = [*GOOD_LIST, *shadow_hits(7), override(60)]


def meter_day(
    folder: Path,
    calls: Sequence[Call],
    *,
    controls: Sequence[Mapping[str, Any]] = GOOD_CONTROLS,
    policy: str = "",
    deployment: str = "",
    closed: bool = True,
) -> History:
    """The deployment, its day recorded, and settled where ``closed``."""
    texts = {
        "attribution.yaml": DEPLOYMENT.format(more=deployment),
        "policies/policy-1.yaml": POLICY.format(more=policy),
        "billing/focus.csv": f"{HEADER}\n{LINE}\n",
        "spans/traces.jsonl": _spans(calls),
        "controls/controls.jsonl": "".join(json.dumps(one) + "\n" for one in controls),
    }
    if closed:
        record = {"issuer": "Amazon Web Services", "account": None, "period": "2026-10",
                  "status": "closed", "closed_at": "2026-11-02T00:00:00Z"}  # fmt: skip
        texts["closes/october.jsonl"] = json.dumps(record) + "\n"
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text:
            path.write_text(text, encoding="utf-8")
    history = History(folder, datetime(2026, 11, 10, tzinfo=UTC))
    history.record()
    return history


def _spans(calls: Sequence[Call]) -> str:
    services: dict[str, list[dict[str, Any]]] = {}
    for call in calls:
        services.setdefault(call.service, []).append(call.as_span())
    return "".join(
        json.dumps(
            {
                "resourceSpans": [
                    {
                        "resource": {"attributes": [_attribute("service.name", service)]},
                        "scopeSpans": [{"scope": {"name": "app"}, "spans": spans}],
                    }
                ]
            }
        )
        + "\n"
        for service, spans in services.items()
    )


def chain(first: int, tokens: int, *rebound: Mapping[str, str]) -> list[Call]:
    """A call and its retries in one trace; each retry says ``STAMPED`` and what is given."""
    return [
        Call(first + n, tokens, {**STAMPED, **more}, trace=first, attempt=n + 1)
        for n, more in enumerate(({}, *rebound))
    ]
