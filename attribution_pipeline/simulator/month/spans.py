"""The month's calls as exporters send them: OTLP/JSON documents.

Belongs here: which spans a call has, their text, documents of any choice of them. Does not: which
document is sent when (``lateness``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from attribution_pipeline.simulator.cluster import Clusters
from attribution_pipeline.simulator.month import company
from attribution_pipeline.simulator.month.company import MODELS, TAG_ALIAS, TENANTS
from attribution_pipeline.simulator.month.happenings import Call, Month

SCOPES = {
    "client": ("opentelemetry.instrumentation.genai.openai", "1.3b0"),
    "gateway": ("gateway", "0.4.0"),
    "server": ("vllm.otlp", "0.11.0"),
}
KINDS = {"client": 3, "gateway": 3, "server": 2}
GATEWAY_LAG_MS = 3


@dataclass(frozen=True)
class Span:
    """One span of one call. ``emitter`` is a key of ``SCOPES``."""

    call: Call
    emitter: str
    pod: int
    start_ms: int
    end_ms: int

    @property
    def id(self) -> tuple[int, str]:
        return self.call.number, self.emitter


def spans(month: Month) -> list[Span]:
    """Every span that ever reaches us, in the order in which they ended."""
    found = []
    for call in month.calls:
        if call.is_lost:
            continue
        found.append(Span(call, "client", call.pod, call.start_ms, call.end_ms))
        if call.by_gateway:
            found.append(
                Span(call, "gateway", company.DNS_POD, call.start_ms + GATEWAY_LAG_MS,
                     call.end_ms - GATEWAY_LAG_MS)
            )  # fmt: skip
        if call.is_served_here:
            found.append(
                Span(call, "server", company.SERVER_POD, call.start_ms + GATEWAY_LAG_MS,
                     call.end_ms - GATEWAY_LAG_MS)
            )  # fmt: skip
    return sorted(found, key=lambda span: (span.end_ms, span.id))


def document(month: Month, chosen: Iterable[Span]) -> bytes:
    """One ExportTraceServiceRequest with these spans, in this order."""
    clusters = company.clusters()
    return orjson.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _resource(clusters, span.pod)},
                    "scopeSpans": [
                        {
                            "scope": dict(
                                zip(("name", "version"), SCOPES[span.emitter], strict=True)
                            ),
                            "spans": [_span(month, span)],
                        }
                    ],
                }
                for span in chosen
            ]
        }
    )


def _resource(clusters: Clusters, number: int) -> list[dict[str, Any]]:
    pod = clusters.pods[number]
    return _attributes(
        {
            "service.name": pod.controller,
            "k8s.cluster.name": company.CLUSTER,
            "k8s.namespace.name": pod.namespace,
            "k8s.pod.name": pod.name,
        }
    )


def _span(month: Month, span: Span) -> dict[str, Any]:
    call, model = span.call, MODELS[span.call.model]
    said: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model.provider,
        "gen_ai.request.model": model.name,
        "gen_ai.response.model": model.name,
        "gen_ai.response.id": f"msg-{month.seed}-{call.number}",
        "gen_ai.usage.input_tokens": call.tokens[0],
        "gen_ai.usage.output_tokens": call.tokens[1],
    }
    if span.emitter == "client" and call.tenant is not None:
        tenant = TENANTS[call.tenant]
        if call.workflow == "digest" and tenant == TAG_ALIAS[1]:
            tenant = TAG_ALIAS[0]
        said |= {"attribution.tenant_id": tenant, "attribution.workflow_id": call.workflow}
    return {
        "traceId": _hex(f"{month.seed}:trace:{call.number}", 32),
        "spanId": _hex(f"{month.seed}:{span.emitter}:{call.number}", 16),
        "parentSpanId": "",
        "name": f"chat {model.name}",
        "kind": KINDS[span.emitter],
        "startTimeUnixNano": f"{span.start_ms}000000",
        "endTimeUnixNano": f"{span.end_ms}000000",
        "attributes": _attributes(said),
        "status": {},
    }


def _attributes(said: dict[str, str] | dict[str, str | int]) -> list[dict[str, Any]]:
    # OTLP/JSON: ints are strings
    return [
        {"key": key, "value": {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v}}
        for key, v in said.items()
    ]


def _hex(what: str, digits: int) -> str:
    return sha256(what.encode()).hexdigest()[:digits]
