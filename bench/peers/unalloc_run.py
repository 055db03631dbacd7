"""unalloc 0.3.2 on the company's evidence: `python bench/peers/unalloc_run.py PYTHON COMPANY OUT`.

PYTHON is the interpreter of the environment that unalloc is installed in. It takes OpenCost's
`/allocation` and LiteLLM's spend logs here. LiteLLM logs every call of every vendor, so the OpenAI
and Anthropic bills stay out, as its README asks: the same dollar would come in twice. What it has
no adapter for (the AWS and Azure bill, usage reports, tags, tax) it cannot attribute, and no row
says so: that cost is in its tie-out difference.

A spend log is made from the spans, in its favour: one record for each response id, at list price,
with the tags `cause:<tenant>/<workflow>`. It sums a group at a time, so a group is what the measures
call a charge: a day and a service, or a day and a node.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import evidence

from attribution_pipeline.simulator.charges import AZURE_SUBSCRIPTION
from attribution_pipeline.simulator.company import MODELS
from attribution_pipeline.simulator.token_charges import SERVICES

MILLION = Decimal(1_000_000)
EC2 = "Amazon Elastic Compute Cloud"
AZURE = (
    f"{AZURE_SUBSCRIPTION}/resourcegroups/ai/providers/microsoft.cognitiveservices/accounts/acme-ai"
)
PRICES = {(m.provider, m.name): {k: Decimal(p) for k, p in m.prices} for m in reversed(MODELS)}
"""LiteLLM's price map: list prices by provider and model; it knows one region's."""


def main(python: str, company: Path, out: Path) -> None:
    """Write what unalloc attributes as rows for the measures."""
    groups = [*_spend_logs(company), *_allocations(company)]
    report = Path(__file__).with_name("unalloc_report.py")
    done = subprocess.run(
        [python, str(report)], input=json.dumps(groups), capture_output=True, text=True, check=True
    )
    rows = []
    for found in json.loads(done.stdout):
        day, service, resource, component, confidence = found["group"]
        for key, amount in found["buckets"]:
            tenant, _, workflow = (key or "").partition("/")
            dollars = Decimal(amount).quantize(Decimal("1e-12"))
            rows.append(
                evidence.row(date.fromisoformat(day), service, resource, tenant or None,
                             workflow or None, component, dollars, dollars, confidence)
            )  # fmt: skip
    evidence.write(rows, out)


def _spend_logs(company: Path) -> list[dict[str, Any]]:
    logs: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for span in evidence.spans(company):
        said = span["said"]
        provider, model = said.get("gen_ai.provider.name"), said.get("gen_ai.response.model")
        prices = PRICES.get((provider, model))
        if span["kind"] != 3 or not prices or "gen_ai.usage.input_tokens" not in said:
            continue
        request = said.get("gen_ai.response.id", span["id"])
        started = datetime.fromtimestamp(span["seconds"], UTC).isoformat()
        cause = f"cause:{span['tenant']}/{span['workflow']}" if span["tenant"] else None
        logs[str(span["day"]), provider].setdefault(request, {
            "request_id": request, "model": f"{provider}/{model}", "spend": str(_spend(said, prices)),
            "startTime": started, "endTime": started, "request_tags": [cause] if cause else [],
        })  # fmt: skip
    return [
        {
            "source": "litellm", "dimension": "cause", "payload": {"data": list(records.values())},
            "group": [day, SERVICES[provider], AZURE if "azure" in provider else None, "direct",
                      "metered"],
        }
        for (day, provider), records in sorted(logs.items())
    ]  # fmt: skip


def _spend(said: dict[str, str], prices: dict[str, Decimal]) -> Decimal:
    def count(name: str) -> int:
        return int(said.get(name, 0))

    read = count("gen_ai.usage.cache_read.input_tokens")
    hour = count("anthropic.usage.cache_creation.ephemeral_1h_input_tokens")
    written = count("gen_ai.usage.cache_write.input_tokens") or count(
        "gen_ai.usage.cache_creation.input_tokens"
    )
    fresh = count("gen_ai.usage.input_tokens") - read - written
    base = prices["uncached_input"]
    write = prices.get("cache_write", prices.get("cache_write_5m", base))
    return (
        fresh * base + read * prices.get("cache_read", base) + (written - hour) * write
        + hour * prices.get("cache_write_1h", write)
        + count("gen_ai.usage.output_tokens") * prices.get("output", base)
    ) / MILLION  # fmt: skip


def _allocations(company: Path) -> list[dict[str, Any]]:
    names = {}
    for _, asset in evidence.opencost(company, "assets"):
        names[asset["properties"]["name"]] = evidence.resource_of(asset["properties"]["providerID"])
    found: dict[tuple[str, str, str], dict[str, Any]] = defaultdict(dict)
    for day, row in evidence.opencost(company, "allocation"):
        component = "idle" if "__idle__" in row["name"] else "workload"
        found[str(day), names[row["properties"]["node"]], component][row["name"]] = row
    return [
        {
            "source": "opencost", "dimension": "tenant", "payload": {"data": [rows]},
            "group": [day, EC2, resource, component, "allocated"],
        }
        for (day, resource, component), rows in sorted(found.items())
    ]  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
