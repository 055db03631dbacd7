"""The company's evidence as the peers read it: files of the deployment, no reader of the product.

Belongs here: bill rows, span rows, OpenCost rows and usage rows as plain Python, and the table that
`attribution truth` measures. Does not: any method (`by_hand`, `unalloc_run`).

Peers get the final state of everything: each late span, each restated bill, each correction.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.model.ledger import LEDGER  # names of columns; every method is a peer's

COSTS = ("BilledCost", "EffectiveCost")
TENANT = ("attribution.tenant_id", "attribution.tenant.id", "app.tenant")
WORKFLOW = ("attribution.workflow_id", "attribution.workflow.id")


def bill(company: Path) -> Iterator[dict[str, Any]]:
    """FOCUS rows of the newest deliveries, as text and floats; long charges a row for each day."""
    last = max(path.stem for path in (company / "truth" / "costs").glob("*.parquet"))
    for row in _bill_rows(company):
        start, end = (
            date.fromisoformat(str(row[f"ChargePeriod{side}"])[:10]) for side in ("Start", "End")
        )
        days = max(1, (end - start).days)
        costs = {cost: float(row[cost]) / days for cost in COSTS}
        tags = row.get("Tags") or []
        row["Tags"] = json.loads(tags) if isinstance(tags, str) else dict(tags)
        for number in range(days):
            day = start + timedelta(days=number)
            if str(day) <= last:
                yield {**row, **costs, "day": day}


def _bill_rows(company: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((company / "bill-aws").rglob("*.parquet")):
        yield from pq.read_table(path).to_pylist()
    newest: dict[str, tuple[str, Path]] = {}
    for path in (company / "bill-azure").rglob("manifest.json"):
        run = json.loads(path.read_text())["runInfo"]
        found = (run["submittedTime"], path)
        newest[run["startDate"]] = max(newest.get(run["startDate"], ("", path)), found)
    files = [path.with_name("part_0_0001.csv.gz") for _, path in sorted(newest.values())]
    for name in ("openai", "anthropic", "saas"):
        files += sorted((company / f"bill-{name}").glob("*.csv"))
    for path in files:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
        for row in csv.DictReader(text.splitlines()):
            yield {name: value or None for name, value in row.items()}


def spans(company: Path) -> Iterator[dict[str, Any]]:
    """One dict a span, the first of those that came twice: ids, kind, day, pod, attributes."""
    seen: set[tuple[str, str]] = set()
    for path in sorted((company / "spans").rglob("*traces*")):
        raw = path.read_bytes()
        document = orjson.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
        for resource in document["resourceSpans"]:
            about = _attributes(resource["resource"])
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    key = (span["traceId"], span["spanId"])
                    if key not in seen:
                        seen.add(key)
                        yield _span(span, about)


def _span(span: dict[str, Any], about: dict[str, str]) -> dict[str, Any]:
    said = _attributes(span)
    seconds = int(span["startTimeUnixNano"]) // 10**9
    return {
        "id": span["spanId"], "kind": span["kind"], "said": said,
        "day": date(1970, 1, 1) + timedelta(days=seconds // 86_400), "seconds": seconds,
        "namespace": about.get("k8s.namespace.name"), "controller": about.get("service.name"),
        "tenant": next((said[name] for name in TENANT if name in said), None),
        "workflow": next((said[name] for name in WORKFLOW if name in said), None),
    }  # fmt: skip


def _attributes(holder: dict[str, Any]) -> dict[str, str]:
    return {entry["key"]: next(iter(entry["value"].values())) for entry in holder["attributes"]}


def opencost(company: Path, kind: str) -> Iterator[tuple[date, dict[str, Any]]]:
    """(day, row) of each `/allocation` or `/assets` answer."""
    for path in sorted((company / "opencost").rglob(f"{kind}-*.json")):
        data = json.loads(path.read_text())["data"]
        for rows in data if isinstance(data, list) else [data]:
            for row in rows.values():
                yield date.fromisoformat(path.stem.removeprefix(f"{kind}-")), row


def resource_of(provider_id: str) -> str:
    """The instance id at the end of a provider id."""
    return provider_id.rpartition("/")[2]


def write(rows: list[dict[str, Any]], out: Path) -> None:
    """Rows named as the ledger's columns, whatever is not said null."""
    whole = [{name: row.get(name) for name in LEDGER.names} for row in rows]
    pq.write_table(pa.Table.from_pylist(whole, LEDGER), out)


def row(
    day: date, service: str, resource: str | None, tenant: str | None, workflow: str | None,
    component: str, billed: Decimal, effective: Decimal, confidence: str = "metered",
) -> dict[str, Any]:  # fmt: skip
    """One row for the measures. Without a tenant it is unallocated."""
    return {
        "charge_date": day, "service": service, "resource_id": resource, "tenant_id": tenant,
        "workflow_id": workflow, "component": component, "billing_currency": "USD",
        "confidence": confidence if tenant else "unallocated",
        "unallocated_reason": None if tenant else "identity_missing",
        "billed_cost": billed, "effective_cost": effective,
    }  # fmt: skip
