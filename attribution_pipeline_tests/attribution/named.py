"""Who the engine says caused a few calls: spans and keys in, one row a call out.

Belongs here: spans with parents, links and envelopes in a few words; the plane of their day. Does
not: statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.attribution.day import Compute, Landed, Plane
from attribution_pipeline.attribution.operations import operation_plane
from attribution_pipeline.envelope import Claims, Key, KeyRing, issue
from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline_tests.attribution.days import DAY, METERS, MIDNIGHT, Row, call

NS = 10**9
NOON = int(MIDNIGHT.timestamp()) + 12 * 3600
GATEWAY = "gw-2026-10"
SECRET = bytes(range(32))
SPAN_FILE = pa.schema([pa.field("source", pa.string()), *SCHEMAS["spans"]])
MUST_SIGN = 'issuers: [{services: ["gateway"], keys: ["gw-*"], tenants: ["acme", "bolt"]}]\n'
"""Policy: the service ``gateway`` signs, for two tenants."""


def key(key_id: str = GATEWAY, secret: bytes = SECRET, **said: Any) -> Key:
    return Key(key_id=key_id, algorithm="hmac-sha256", secret=secret, **said)


KEYS = KeyRing([key()])


def claims(tenant: str = "acme", issuance: str = "issuance-1", **said: Any) -> Claims:
    """Claims issued at one o'clock, good for an hour: calls of ``days.call`` start past one."""
    issued_at = int(MIDNIGHT.timestamp()) + 3600
    return Claims(**{
        "tenant_id": tenant, "originator_id": "alice", "workflow_id": "search",
        "operation_id": "operation-1", "issuance_id": issuance, "issued_at": issued_at,
        "expires_at": issued_at + 3600, "audience": "here", **said,
    })  # fmt: skip


def token(tenant: str = "acme", issuance: str = "issuance-1", **said: Any) -> str:
    return issue(claims(tenant, issuance, **said), key())


def trace(number: int) -> str:
    return f"{number:032x}"


def span(name: str, of: int, under: str | None = None, **columns: Any) -> Row:
    """A span that is no call: ``name`` is its id in trace ``of``, ``under`` its parent's."""
    row = call(1, None) | {
        "trace_id": trace(of), "span_id": span_id(name), "parent_span_id": under and span_id(under),
        "is_call": False, "metered": False, "response_id": None, "kind": 1, "provider": None,
        "model": None, "operation_name": None,
    }  # fmt: skip
    return row | columns


def model_call(number: int, of: int, under: str | None = None, **columns: Any) -> Row:
    """A metered call in trace ``of``, nameless unless it says who."""
    row = call(number, None, uncached_input=100)
    return row | {"trace_id": trace(of), "parent_span_id": under and span_id(under)} | columns


def span_id(name: str) -> str:
    return name.encode().hex()[:16].rjust(16, "0")


def link(name: str, of: int) -> str:
    """A span link to ``name`` in trace ``of``, as spans hold it."""
    return f"{trace(of)}:{span_id(name)}"


def plane_of(
    folder: Path, spans: Sequence[Row], policy: str = "", keys: KeyRing | None = KEYS
) -> Plane:
    folder.mkdir(exist_ok=True)
    path = folder / "spans.parquet"
    pq.write_table(pa.Table.from_pylist(list(spans), schema=SPAN_FILE), path)
    return operation_plane(
        Landed({"spans": [str(path)]}, {}), DAY, parse_policy(METERS + policy), out=folder,
        compute=Compute(1, "1GB"), keys=keys,
    )  # fmt: skip


def named(
    folder: Path, spans: Sequence[Row], policy: str = "", keys: KeyRing | None = KEYS
) -> dict[str, Mapping[str, Any]]:
    """The plane's rows by the response id of the call."""
    files = plane_of(folder, spans, policy, keys).files["operations"]
    return {row["response_id"]: row for row in pq.read_table(files[0]).to_pylist()}


def who(row: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Tenant, the rung that said so, the verdict."""
    return row["tenant_id"], row["identity_source"], row["verdict"]
