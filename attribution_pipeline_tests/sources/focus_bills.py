"""Small made-up FOCUS bills: what the reader's tests are written in."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.model.evidence import CHARGE_LINES
from attribution_pipeline.sources.batch import Rejected
from attribution_pipeline.sources.focus import read
from attribution_pipeline.sources.objects import SourceObject

BILL = SourceObject(
    source="bill",
    uri="/bills/focus.csv",
    path="focus.csv",
    size=0,
    fingerprint="0-0",
    delivery="run-1",
    delivery_order="00000000000000000001",
)
OBJECT_ID = "ab" * 32

ROW: dict[str, Any] = {
    "BilledCost": "1.50",
    "BillingAccountId": "000123456789",
    "BillingCurrency": "USD",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargePeriodEnd": "2026-10-06T00:00:00Z",
    "ChargePeriodStart": "2026-10-05T00:00:00Z",
    "EffectiveCost": "1.25",
    "InvoiceIssuerName": "Amazon Web Services",
    "ServiceName": "Amazon Bedrock",
}
"""The least that a bill must say."""


@dataclass(frozen=True)
class Landed:
    """Everything that came out of one file."""

    table: pa.Table
    rejected: list[Rejected]
    rounding_moved: Decimal

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.table.to_pylist()

    @property
    def row(self) -> dict[str, Any]:
        (only,) = self.rows
        return only

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(one.position, one.reason) for one in self.rejected]


def row(**changes: Any) -> dict[str, Any]:
    """The least row, with these columns changed or added."""
    return {**ROW, **changes}


def csv_bytes(*rows: dict[str, Any], bom: bool = False) -> bytes:
    """The rows as CSV; the first row's columns are the header's, further ones follow."""
    header = list(dict.fromkeys(name for one in rows for name in one))
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig" if bom else "utf-8")


def parquet_bytes(table: pa.Table | dict[str, pa.Array], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(table), sink, **options)
    return sink.getvalue()


def parquet_rows(*rows: dict[str, Any], **typed: pa.Array) -> bytes:
    """The rows as text columns, some of them replaced by arrays of another type."""
    columns = {name: pa.array([one[name] for one in rows], pa.string()) for name in rows[0]}
    return parquet_bytes({**columns, **typed})


def land(data: bytes, obj: SourceObject = BILL) -> Landed:
    """Read a whole file, requiring the schema of every batch."""
    batches = list(read(data, obj, OBJECT_ID))
    assert batches
    for batch in batches:
        assert batch.table == "billing"
        assert batch.rows.schema == CHARGE_LINES
    return Landed(
        pa.concat_tables(batch.rows for batch in batches),
        [one for batch in batches for one in batch.rejected],
        sum((batch.rounding_moved for batch in batches), Decimal(0)),
    )


def land_row(**changes: Any) -> dict[str, Any]:
    """The one line that the least row with these changes becomes."""
    landed = land(csv_bytes(row(**changes)))
    assert not landed.rejected
    return landed.row
