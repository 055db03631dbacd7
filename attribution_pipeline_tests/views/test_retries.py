"""Retries cost what they cost, under the identity of what was retried."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.views.retries import COLUMNS, retry_costs
from attribution_pipeline_tests.attribution.days import METERS, day, token_line
from attribution_pipeline_tests.attribution.named import (
    KEYS,
    MUST_SIGN,
    link,
    model_call,
    span,
    token,
)


def test_every_billed_attempt_counts_and_none_is_its_executors(tmp_path: Path):
    signed = token("acme")
    spans = [
        model_call(1, 1, envelope=signed, service_name="gateway"),
        # a queue delivers it again, and another team's worker executes it
        span("process", 2, links=link("first", 1), envelope=signed),
        model_call(2, 2, "process", envelope=signed, attempt=2, tenant_id="executor"),
        model_call(3, 3, tenant_id="bolt"),
        model_call(4, 3, tenant_id="bolt", attempt=2),
        model_call(5, 3, tenant_id="bolt", attempt=3),
        model_call(6, 4, attempt=2),
    ]
    bill = [token_line(1, "6.00", "m-uncached", 600)]
    found = day(tmp_path, METERS + MUST_SIGN, lines=bill, spans=spans, keys=KEYS)
    tables = (
        pa.concat_tables(pq.read_table(path) for path in found.outcome.files[table])
        for table in ("ledger", "operation_costs", "operations")
    )
    shown = retry_costs(*tables)
    assert tuple(shown.column_names) == COLUMNS
    rows = [tuple(row.values()) for row in shown.to_pylist()]
    one, two, three = (Decimal(f"{n}.000000000000") for n in (1, 2, 3))
    assert rows == [
        ("acme", "search", "USD", 1, 2, one, one, two, two),
        ("bolt", None, "USD", 2, 3, two, two, three, three),
        (None, None, "USD", 1, 1, one, one, one, one),
    ]
    assert found.cost(tenant_id="executor") == 0
