"""Amadeus' cloud-cost-allocation 2.3.4 on the company's evidence: PYTHON COMPANY OUT, as ``unalloc_run``.

It divides costs of a service over its consumers by numeric keys, in floats. It reads FOCUS by tags and
full days alone (Bedrock's hourly lines stop it) and no telemetry, so in its favour its inputs are made
for it here: a service is a meter of a model vendor's bill, or a node, and its keys are what the spans
say: tokens of that kind by tenant and workflow, once for each response id; seconds of calls on the node.
What has no keys (idle, tax, seats) is left to its service: no row says whose it is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import evidence

SCALE = Decimal("1e-12")


def main(python: str, company: Path, out: Path) -> None:
    """Write what it allocates as rows for the measures."""
    days = _days(company)
    report = Path(__file__).with_name("cost_allocation_report.py")
    done = subprocess.run(
        [python, str(report)], input=json.dumps(days), stdout=subprocess.PIPE, text=True, check=True
    )
    rows = []
    for day, found in zip(days, json.loads(done.stdout), strict=True):
        for name, who, *amounts in found["parts"]:
            tenant, _, workflow = who.partition("/")
            service, _ = name.split("|")
            billed, effective = (Decimal(amount).quantize(SCALE) for amount in amounts)
            rows.append(
                evidence.row(date.fromisoformat(day["day"]), day["named"][service], None, tenant or None,
                             workflow or None, "direct", billed, effective, "allocated")
            )  # fmt: skip
    evidence.write(rows, out)


def _days(company: Path) -> list[dict[str, Any]]:
    """By day: costs of services, and their keys."""
    costs: dict[Any, dict[str, list[float]]] = defaultdict(dict)
    named: dict[str, str] = {}
    for line in evidence.bill(company):
        meter = line.get("SkuMeter") or ""
        if not meter or not line.get("ConsumedUnit"):
            continue
        name = line["ServiceName"].lower()
        named[name] = line["ServiceName"]
        summed = costs[line["day"]].setdefault(f"{name}|{meter.lower()}", [0.0, 0.0])
        for place, cost in enumerate(evidence.COSTS):
            summed[place] += line[cost]
    keys: dict[Any, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    seen = set()
    for span in evidence.spans(company):
        said = span["said"]
        request = said.get("gen_ai.response.id", span["id"])
        if span["kind"] != 3 or "gen_ai.usage.input_tokens" not in said or request in seen:
            continue
        seen.add(request)
        model = said.get("gen_ai.response.model", "").lower()
        for service in costs[span["day"]]:
            if model and model in service:
                side = "output" if "utp" in service else "input"
                who = f"{span['tenant'] or ''}/{span['workflow'] or ''}"
                keys[span["day"]][service, who] += int(said.get(f"gen_ai.usage.{side}_tokens", 0))
    return [
        {
            "day": str(day), "named": named,
            "costs": [[service, *amounts] for service, amounts in of_day.items()],
            "keys": [[service, who, key] for (service, who), key in keys[day].items() if key],
        }
        for day, of_day in sorted(costs.items())
    ]  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
