"""Small days for engine tests: evidence written in a few words, reconciled, read back as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.attribution import KERNEL
from attribution_pipeline.attribution.billing import billing_plane
from attribution_pipeline.attribution.cluster import cluster_plane
from attribution_pipeline.attribution.day import (
    Compute,
    Landed,
    Outcome,
    Plane,
    Previous,
    SourceFacts,
)
from attribution_pipeline.attribution.operations import operation_plane
from attribution_pipeline.attribution.reconcile import reconcile
from attribution_pipeline.attribution.reports import usage_plane
from attribution_pipeline.envelope import KeyRing
from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline.model.policy import parse_policy

DAY = date(2026, 10, 5)
MIDNIGHT = datetime(2026, 10, 5, tzinfo=UTC)
RECORDED = datetime(2026, 10, 6, 3, tzinfo=UTC)

Row = dict[str, Any]


def line(position: int, cost: str, **columns: Any) -> Row:
    """A FOCUS row of the day: one account, one sku a position unless said otherwise."""
    return {
        "source": "bill", "object_id": "b", "position": position, "delivery": "d",
        "delivery_order": "d", "BilledCost": Decimal(cost), "EffectiveCost": Decimal(cost),
        "BillingPeriodStart": datetime(2026, 10, 1, tzinfo=UTC),
        "BillingPeriodEnd": datetime(2026, 11, 1, tzinfo=UTC),
        "ChargePeriodStart": MIDNIGHT, "ChargePeriodEnd": MIDNIGHT + timedelta(days=1),
        "BillingAccountId": "acct", "BillingCurrency": "USD", "ChargeCategory": "Usage",
        "InvoiceIssuerName": "Vendor", "ProviderName": "Vendor", "ServiceName": "Vendor AI",
        "SkuId": f"sku-{position}", "ServiceCategory": "AI and Machine Learning",
    } | columns  # fmt: skip


def token_line(position: int, cost: str, meter: str, tokens: int | str, **columns: Any) -> Row:
    """A metered FOCUS row: ``meter`` is ``model-kind``, quantity in tokens."""
    said = {"SkuMeter": meter, "ConsumedQuantity": str(tokens), "ConsumedUnit": "Tokens"}
    return line(position, cost, **(said | columns))


def call(number: int, tenant: str | None, *, seconds: int = 10, **columns: Any) -> Row:
    """A client span of a billed call that starts ``number`` seconds past one o'clock."""
    start = int(MIDNIGHT.timestamp()) + 3600 + number
    return {
        "source": "spans", "object_id": "s", "position": number, "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}", "kind": 3, "start_unix_nano": start * 10**9,
        "end_unix_nano": (start + seconds) * 10**9, "provider": "vendor", "model": "m",
        "operation_name": "chat", "response_id": f"r-{number}", "is_call": True, "metered": True,
        "tenant_id": tenant, "cluster": "c",
    } | columns  # fmt: skip


def node(name: str, *, cpu: int = 0, gpu: int = 0, ram: int = 0, **columns: Any) -> Row:
    """An OpenCost node asset; costs in 1e-5. The bill knows it as ``i-<name>``."""
    return {
        "source": "oc", "object_id": "as", "position": 1, "window_start": MIDNIGHT,
        "window_end": MIDNIGHT + timedelta(days=1), "cluster": "c", "asset_type": "Node",
        "name": name, "provider_id": f"aws:///zone/i-{name}", "instance_type": "m5",
        "cpu_cost": cpu, "gpu_cost": gpu, "ram_cost": ram, "total_cost": cpu + gpu + ram,
    } | columns  # fmt: skip


def pod(name: str, on: str, *, cpu: int = 0, gpu: int = 0, ram: int = 0, **columns: Any) -> Row:
    """One container of a pod on a node; costs in 1e-5."""
    return {
        "source": "oc", "object_id": "al", "position": 1, "window_start": MIDNIGHT,
        "window_end": MIDNIGHT + timedelta(days=1), "cluster": "c", "node": on,
        "namespace": "apps", "pod": name, "container": "main", "controller": name,
        "row_kind": "workload", "cpu_cost": cpu, "gpu_cost": gpu, "ram_cost": ram,
    } | columns  # fmt: skip


@dataclass
class Day:
    """A reconciled day with its rows at hand."""

    outcome: Outcome
    planes: Mapping[str, Plane]
    ledger: list[Row]
    operation_costs: list[Row]
    revisions: list[Row]
    variances: list[Row]
    previous: Previous
    """This state, as the next one takes it."""

    def cost(self, column: str = "billed_cost", **where: Any) -> Decimal:
        """The sum of a cost over rows that match ``where``."""
        matching = [r for r in self.ledger if all(r[key] == value for key, value in where.items())]
        return sum((row[column] for row in matching), Decimal(0))


def day(
    folder: Path,
    policy: str,
    *,
    lines: Sequence[Row] = (),
    spans: Sequence[Row] = (),
    allocations: Sequence[Row] = (),
    assets: Sequence[Row] = (),
    usage: Sequence[Row] = (),
    files_per_table: int = 1,
    threads: int = 2,
    on: date = DAY,
    first_day: date = DAY,
    after: Day | None = None,
    settled: bool = False,
    recorded_at: datetime = RECORDED,
    forced: bool = False,
    keys: KeyRing | None = None,
) -> Day:
    """The day of this evidence under this policy, as ``attribution run`` would have it; where it
    comes ``after`` another state, as that one's next. ``settled``: every charge is closed."""
    folder.mkdir(exist_ok=True)
    landed = _land(
        folder,
        {
            "billing": lines, "spans": spans, "opencost_allocations": allocations,
            "opencost_assets": assets, "usage": usage,
        },
        files_per_table,
    )  # fmt: skip
    compute = Compute(threads, "2GB")
    rule = parse_policy(policy)
    planes = {
        "billing": billing_plane(
            landed, SourceFacts({"bill": "append"}), on, first_day=first_day, out=folder,
            compute=compute,
        ),
        "cluster": cluster_plane(landed, on, out=folder, compute=compute),
        "operations": operation_plane(
            landed, on, rule, out=folder, compute=compute, keys=keys
        ),
        "usage": usage_plane(landed, on, out=folder, compute=compute),
    }  # fmt: skip
    planes["closes"] = _closes(folder, planes["billing"], settled)
    outcome = reconcile(
        planes, rule, on, policy_digest=rule.digest, recorded_at=recorded_at, out=folder,
        compute=compute, previous=after.previous if after else None, forced=forced, run_id="run",
    )  # fmt: skip
    return Day(
        outcome,
        planes,
        *(_read(outcome, table) for table in
          ("ledger", "operation_costs", "ledger_revisions", "variances")),
        previous=Previous(
            files=outcome.files,
            settled=planes["closes"].files["settled"],
            inputs={name: plane.digest for name, plane in planes.items()},
            policy_digest=rule.digest,
            kernel=KERNEL,
        ),
    )  # fmt: skip


def _read(outcome: Outcome, table: str) -> list[Row]:
    return [row for path in outcome.files.get(table, ()) for row in pq.read_table(path).to_pylist()]


def _closes(folder: Path, billing: Plane, settled: bool) -> Plane:
    """Every charge of the day, closed or open."""
    charges = pq.read_table(
        billing.files["charges"],
        columns=["charge_id", "InvoiceIssuerName", "BillingAccountId", "billing_period"],
    ).rename_columns(["charge_id", "issuer", "account", "billing_period"])
    rows = charges.group_by(charges.column_names).aggregate([])
    rows = rows.append_column("is_settled", pa.repeat(pa.scalar(settled), rows.num_rows))
    path = folder / "settled.parquet"
    pq.write_table(rows, path)
    return Plane("closes", {"settled": [str(path)]}, str(settled), {"settled": rows.num_rows})


def _land(folder: Path, tables: Mapping[str, Sequence[Row]], parts: int) -> Landed:
    files: dict[str, list[str]] = {}
    stands: dict[str, dict[str, list[str]]] = {}
    for table, rows in tables.items():
        schema = pa.schema([pa.field("source", pa.string()), *SCHEMAS[table]])
        for part in range(parts if rows else 0):
            path = folder / f"{table}-{part}.parquet"
            pq.write_table(pa.Table.from_pylist(list(rows[part::parts]), schema=schema), path)
            files.setdefault(table, []).append(str(path))
        for row in rows:
            ids = stands.setdefault(table, {}).setdefault(row["source"], [])
            if row["object_id"] not in ids:
                ids.append(row["object_id"])
    return Landed(files, stands)


METERS = """
policy: test
version: 1
effective_from: 2026-01-01
meters:
  - {match: {SkuMeter: "*-uncached"}, provider: vendor, token_kind: uncached_input,
     model: {from: SkuMeter, pattern: "^(?P<model>.+)-uncached$"}, tokens_per_unit: {Tokens: 1, 1000000 Tokens: 1000000}}
  - {match: {SkuMeter: "*-read"}, provider: vendor, token_kind: cache_read,
     model: {from: SkuMeter, pattern: "^(?P<model>.+)-read$"}, tokens_per_unit: {Tokens: 1, 1000000 Tokens: 1000000}}
  - {match: {SkuMeter: "*-write"}, provider: vendor, token_kind: cache_write,
     model: {from: SkuMeter, pattern: "^(?P<model>.+)-write$"}, tokens_per_unit: {Tokens: 1, 1000000 Tokens: 1000000}}
  - {match: {SkuMeter: "*-output"}, provider: vendor, token_kind: output,
     model: {from: SkuMeter, pattern: "^(?P<model>.+)-output$"}, tokens_per_unit: {Tokens: 1, 1000000 Tokens: 1000000}}
"""
"""Meters by ``SkuMeter = <model>-<kind>``."""

NODES = """
policy: test
version: 1
effective_from: 2026-01-01
nodes: [{from: provider_id, pattern: "(?P<id>i-[a-z0-9]+)$"}]
pools:
  - name: nodes
    match: {ServiceCategory: Compute}
    split: opencost
    driver: active_time
    idle: %s
"""
"""Nodes by OpenCost; fill in ``idle``."""
