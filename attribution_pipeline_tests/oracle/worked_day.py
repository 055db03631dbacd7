"""The worked day's files as landed records, by code that no reader of the product shares.

Belongs here: just enough of FOCUS CSV, OpenCost JSON, OTLP JSON and the usage CSV for that one
case. Does not: any format's quirks.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline.model.ledger import WHO
from attribution_pipeline_tests.oracle.words import Evidence

DAY = date(2026, 10, 5)


def landed(table: str, source: str, position: int, **values: Any) -> dict[str, Any]:
    """A record of a landed schema: columns that are not given are null, unknown ones an error."""
    columns = SCHEMAS[table].names
    unknown = set(values) - set(columns)
    assert not unknown, f"{table} has no {sorted(unknown)}"
    record: dict[str, Any] = {"source": source, **dict.fromkeys(columns)}
    return record | {"object_id": f"object-of-{source}", "position": position} | values


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def evidence(folder: Path) -> Evidence:
    """Everything in the worked day's folder."""
    return Evidence(
        billing=_billing(folder / "billing" / "focus.csv"),
        spans=_spans(folder / "spans" / "traces.jsonl"),
        allocations=_allocations(folder / "opencost" / "allocation.json"),
        assets=_assets(folder / "opencost" / "assets.json"),
        usage=_usage(folder / "usage" / "usage.csv"),
        delivery={"bill": "replace"},
    )


def _billing(path: Path) -> list[dict[str, Any]]:
    lines = []
    with path.open(newline="", encoding="utf-8") as file:
        for position, row in enumerate(csv.DictReader(file), start=1):
            values: dict[str, Any] = {name: text or None for name, text in row.items()}
            for name in ("BilledCost", "EffectiveCost"):
                values[name] = Decimal(row[name])
            for name in values:
                if name.endswith(("PeriodStart", "PeriodEnd")):
                    values[name] = _instant(row[name])
            order = {"delivery": path.name, "delivery_order": path.name}
            lines.append(landed("billing", "bill", position, **values, **order))
    return lines


def _e5(value: float) -> int:
    return round(Decimal(repr(value)) * 100_000)


def _window(row: dict[str, Any]) -> dict[str, Any]:
    return {f"window_{edge}": _instant(row["window"][edge]) for edge in ("start", "end")}


def _allocations(path: Path) -> list[dict[str, Any]]:
    found = []
    (step,) = json.loads(path.read_text(encoding="utf-8"))["data"]
    for position, row in enumerate(step.values(), start=1):
        named = row["properties"]
        found.append(
            landed(
                "opencost_allocations", "prod", position,
                **_window(row),
                cluster=named["cluster"], node=named["node"], provider_id=named["providerID"],
                namespace=named.get("namespace"), pod=named.get("pod"),
                container=named.get("container"), controller=named.get("controller"),
                controller_kind=named.get("controllerKind"),
                row_kind="idle" if "__idle__" in row["name"] else "workload",
                started_at=_instant(row["start"]), ended_at=_instant(row["end"]),
                minutes=str(row["minutes"]),
                cpu_cost=_e5(row["cpuCost"]), gpu_cost=_e5(row["gpuCost"]),
                ram_cost=_e5(row["ramCost"]), pv_cost=0, lb_cost=0, network_cost=0,
                labels=json.dumps(named.get("labels", {})),
                namespace_labels=json.dumps(named.get("namespaceLabels", {})),
            )
        )  # fmt: skip
    return found


def _assets(path: Path) -> list[dict[str, Any]]:
    found = []
    assets = json.loads(path.read_text(encoding="utf-8"))["data"]
    for position, row in enumerate(assets.values(), start=1):
        named = row["properties"]
        found.append(
            landed(
                "opencost_assets", "prod", position,
                **_window(row),
                cluster=named["cluster"], asset_type=row["type"], name=named["name"],
                provider_id=named["providerID"], instance_type=row["nodeType"],
                minutes=str(row["minutes"]),
                cpu_cost=_e5(row["cpuCost"]), gpu_cost=_e5(row["gpuCost"]),
                ram_cost=_e5(row["ramCost"]), total_cost=_e5(row["totalCost"]),
            )
        )  # fmt: skip
    return found


def _spans(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for document in path.read_text(encoding="utf-8").splitlines():
        for resource in json.loads(document)["resourceSpans"]:
            where = _attributes(resource["resource"])
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    found.append(_span(span, scope["scope"], where, len(found) + 1))
    return found


def _attributes(owner: dict[str, Any]) -> dict[str, str]:
    return {item["key"]: next(iter(item["value"].values())) for item in owner["attributes"]}


def _span(
    span: dict[str, Any], scope: dict[str, str], where: dict[str, str], position: int
) -> dict[str, Any]:
    said = _attributes(span)
    cached = int(said.get("gen_ai.usage.cache_read.input_tokens", 0))
    return landed(
        "spans", "traces", position,
        trace_id=span["traceId"], span_id=span["spanId"],
        parent_span_id=span["parentSpanId"] or None, span_name=span["name"], kind=span["kind"],
        start_unix_nano=int(span["startTimeUnixNano"]), end_unix_nano=int(span["endTimeUnixNano"]),
        scope_name=scope["name"], scope_version=scope["version"],
        service_name=where["service.name"], cluster=where.get("k8s.cluster.name"),
        namespace=where.get("k8s.namespace.name"), pod=where.get("k8s.pod.name"),
        provider=said["gen_ai.provider.name"], operation_name=said["gen_ai.operation.name"],
        model=said["gen_ai.response.model"], response_id=said["gen_ai.response.id"],
        is_call=True, metered=True,
        uncached_input=int(said["gen_ai.usage.input_tokens"]) - cached, cache_read=cached,
        cache_write_5m=0, cache_write_1h=0, cache_write_other=0,
        visible_output=int(said["gen_ai.usage.output_tokens"]), reasoning=0,
        **{column: said.get(f"attribution.{column}") for column in WHO},
    )  # fmt: skip


def _usage(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            landed("usage", "usage", position, **(row | {"date": date.fromisoformat(row["date"])}))
            for position, row in enumerate(csv.DictReader(file), start=1)
        ]
