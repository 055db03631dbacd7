"""Which spans are one call: the engine against the oracle, on crowded random traces.

``TWIN_SEEDS``: how many sets of traces (default 3).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.model.evidence import SPANS
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline_tests.attribution.days import METERS
from attribution_pipeline_tests.attribution.spans import MIDNIGHT_NS, told
from attribution_pipeline_tests.oracle.operations import operations_of
from attribution_pipeline_tests.oracle.words import Evidence
from attribution_pipeline_tests.worlds.dice import Dice
from attribution_pipeline_tests.worlds.tellings import spans

SEEDS = int(os.environ.get("TWIN_SEEDS", "3"))
TRACES = 250
NOON_NS = MIDNIGHT_NS + 12 * 3600 * 10**9
ROUTE = ("provider", "model", "account", "region", "server_address")
RARE = 5
"""Spans that every reason of a twin has at least: else the traces have grown too tame."""


@pytest.mark.parametrize("seed", range(SEEDS))
def test_engine_and_oracle_join_the_same_spans(seed: int, tmp_path: Path) -> None:
    rows = [dict.fromkeys(SPANS.names) | row for row in spans(seed, TRACES, NOON_NS)]
    found = told(tmp_path, rows)
    engine = {
        (row["trace_id"], row["span_id"]): (
            row["merged"], (row["serving_pod"] or "").split("/")[-1],
            *(row[column] for column in ROUTE),
        )
        for row in found.operations
    }  # fmt: skip
    oracle = {
        (op.trace_id, op.span_id): (
            op.merged, (op.server and op.server.pod) or "",
            *(getattr(op, column) for column in ROUTE),
        )
        for op in operations_of(Evidence(spans=rows), parse_policy(METERS))
    }  # fmt: skip
    assert engine == oracle
    for reason in (
        "same_response", "same_usage_ancestor", "same_usage_sibling", "unmetered_twin", "not_a_call",
    ):  # fmt: skip
        assert found.plane.rows[f"merged.{reason}"] >= RARE, reason


def test_order_of_spans_files_and_threads_join_no_others(tmp_path: Path) -> None:
    rows = [dict.fromkeys(SPANS.names) | row for row in spans(0, TRACES, NOON_NS)]
    first = told(tmp_path / "one", rows)
    again = told(
        tmp_path / "two", Dice(1).sample(rows, k=len(rows)), files=3,
        compute=Compute(threads=2, memory_limit="1GB"),
    )  # fmt: skip
    assert again.plane.digest == first.plane.digest
    assert again.merged == first.merged
