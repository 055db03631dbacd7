"""Whom a label and a bill may name: dedicated workloads' calls, and principals of charges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from attribution_pipeline_tests.attribution.days import (
    METERS,
    NODES,
    Day,
    Row,
    call,
    day,
    line,
    node,
    pod,
    token_line,
)
from attribution_pipeline_tests.attribution.named import KEYS, MUST_SIGN

ACMES = {"cluster": "c", "namespace": "tenant-acme", "pod": "app"}
SHARED = {"cluster": "c", "namespace": "shared", "pod": "app"}
PODS = [
    pod("app", "n", cpu=10, namespace="tenant-acme", labels='{"tenant": "acme"}'),
    pod("app", "n", cpu=10, namespace="shared", labels='{"tenant": "bolt"}'),
]
DEDICATED = 'join: {dedicated: [{namespace: "tenant-*"}]%s}\n'
TOKENS = {"uncached_input": 100}


def found(tmp_path: Path, spans: Sequence[Row], policy: str = DEDICATED % "", **said: Any) -> Day:
    bill = [token_line(1, "10.00", "m-uncached", 1000)]
    return day(
        tmp_path, METERS + policy, lines=bill, spans=spans, allocations=PODS, keys=KEYS, **said
    )


def published(there: Day) -> Mapping[str, tuple[Any, Any]]:
    """Tenant and rung by response id."""
    rows = pq.read_table(there.outcome.files["operations"][0]).to_pylist()
    return {row["response_id"]: (row["tenant_id"], row["identity_source"]) for row in rows}


def test_a_dedicated_workload_answers_for_its_calls_that_nobody_named(tmp_path: Path):
    spans = [
        call(1, None, workflow_id="search", **TOKENS, **ACMES),
        call(2, None, **TOKENS, **ACMES | {"cluster": None}),  # one cluster alone has that name
        call(3, "bolt", **TOKENS, **ACMES),
        call(4, None, **TOKENS, **SHARED),
    ]
    there = found(tmp_path, spans)
    assert published(there) == {
        "r-1": ("acme", "workload"), "r-2": ("acme", "workload"), "r-3": ("bolt", "attributes"),
        "r-4": (None, "unknown"),
    }  # fmt: skip
    assert there.cost(tenant_id="acme") == Decimal(2)
    # the tenant stands alone: nothing is one source's and another's
    assert {row["workflow_id"] for row in there.ledger if row["tenant_id"] == "acme"} == {None}


def test_the_executors_label_never_answers_for_who_is_not_believed(tmp_path: Path):
    spans = [
        call(1, "acme", service_name="gateway", **TOKENS, **ACMES),
        call(2, "acme", envelope="attr1.forged", **TOKENS, **ACMES),
    ]
    there = found(tmp_path, spans, DEDICATED % "" + MUST_SIGN)
    assert set(published(there).values()) == {(None, "envelope")}
    assert there.cost(unallocated_reason="identity_unverified") == Decimal(2)
    assert there.cost(tenant_id="acme") == 0


def test_the_label_answers_where_the_ladder_comes_to_it(tmp_path: Path):
    spans = [call(1, "bolt", **TOKENS, **ACMES), call(2, None, **TOKENS, **ACMES)]
    first = found(tmp_path / "1", spans, DEDICATED % ", identity: [workload, attributes]")
    assert published(first) == dict.fromkeys(("r-1", "r-2"), ("acme", "workload"))
    never = found(tmp_path / "2", spans, DEDICATED % ", identity: [attributes]")
    assert published(never) == {"r-1": ("bolt", "attributes"), "r-2": (None, "unknown")}


def test_a_workloads_row_says_which_label_named_its_tenant(tmp_path: Path):
    nodes = {
        "assets": [node("n", cpu=20)],
        "lines": [line(1, "10.00", ServiceCategory="Compute", ResourceId="i-n")],
    }
    policy = NODES % "{keep: visible}" + DEDICATED % ""
    there = day(tmp_path, policy, allocations=PODS, **nodes)
    (row,) = [row for row in there.ledger if row["basis"] == "workload"]
    assert (row["tenant_id"], row["driver"]) == ("acme", "pod_label")


def test_a_charge_that_is_not_divided_keeps_the_principal_of_the_bill(tmp_path: Path):
    lines = [
        line(1, "1.00", PrincipalId="role/app", Tags='{"tenant": "acme"}'),
        line(2, "2.00", PrincipalId="role/app"),
        # one charge, two principals
        line(3, "4.00", PrincipalId="role/batch"),
        line(3, "8.00", PrincipalId="role/app"),
        token_line(4, "16.00", "m-uncached", 200, PrincipalId="role/gateway"),
    ]
    spans = [call(1, "acme", principal_id="svc-app", **TOKENS)]
    there = day(tmp_path, METERS, lines=lines, spans=spans)
    rows = {
        (
            row["tenant_id"] or row["unallocated_reason"],
            row["principal_id"],
            int(row["billed_cost"]),
        )
        for row in there.ledger
    }
    assert rows == {
        ("acme", "role/app", 1), ("unmatched_charge", "role/app", 2),
        ("unmatched_charge", "role/batch", 4), ("unmatched_charge", "role/app", 8),
        # a call says itself who made it; what no call was seen for has nobody's
        ("acme", "svc-app", 8), ("telemetry_gap", None, 8),
    }  # fmt: skip
