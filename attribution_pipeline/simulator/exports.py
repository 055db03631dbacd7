"""The company's bills as vendors deliver them.

Belongs here: layouts, manifests, column types and number formats. Does not: what is charged
(``charges``).

- AWS Data Exports: Parquet by billing period, money as *double*, tags as a map, a manifest written
  last. Every amount is checked to survive the double.
- Azure Cost Management: CSV with ``x_`` columns by run, a manifest with blobs; an older run that
  the newer one supersedes, and a newer one that is still being written (no manifest).
- OpenAI, Anthropic: one decimal CSV per billing period. The rest: one CSV a day, additive.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import uuid
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.model.money import from_float, to_decimal
from attribution_pipeline.simulator.charges import Charge, Line
from attribution_pipeline.simulator.drafts import Arrivals, draft
from attribution_pipeline.simulator.faults import CORRECTIONS, RESTATED_BILLS

SOURCES: dict[str, str] = {
    "aws": "replace", "azure": "replace", "openai": "replace", "anthropic": "replace",
    "saas": "append",
}  # fmt: skip
"""Billing source -> delivery, as attribution.yaml says it. Folders are ``bill-<source>``."""

AWS_EXPORT, AZURE_EXPORT = "focus-daily", "focuscost-daily"
AWS_CHUNK_ROWS = 2000

_MONEY = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
_DOUBLES = (*_MONEY, "ConsumedQuantity", "PricingQuantity")
_INSTANTS = ("BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart")
_TEXTS = (
    "AvailabilityZone", "BillingAccountId", "BillingAccountName", "BillingCurrency",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountStatus",
    "CommitmentDiscountType", "ConsumedUnit", "InvoiceIssuerName", "PricingCategory",
    "PricingUnit", "ProviderName", "PublisherName", "RegionId", "ResourceId", "ResourceType",
    "ServiceCategory", "ServiceName", "SkuId", "SkuMeter", "SkuPriceId", "SubAccountId",
    "SubAccountName",
)  # fmt: skip

Row = dict[str, str]


def rows_of(charge: Charge) -> list[tuple[date, Row]]:
    """(billing period, FOCUS row as text) of every line. Text is exact decimal, or empty."""
    return [_row(charge, line) for line in charge.lines]


def _row(charge: Charge, line: Line) -> tuple[date, Row]:
    period = charge.billing_period or line.start.date().replace(day=1)
    row = dict.fromkeys((*_TEXTS, *_DOUBLES, *_INSTANTS), "") | charge.focus
    row["BillingPeriodStart"] = f"{period}T00:00:00Z"
    row["BillingPeriodEnd"] = f"{next_month(period)}T00:00:00Z"
    row["ChargePeriodStart"] = f"{line.start:%Y-%m-%dT%H:%M:%SZ}"
    row["ChargePeriodEnd"] = f"{line.end:%Y-%m-%dT%H:%M:%SZ}"
    row["BilledCost"] = row["ListCost"] = row["ContractedCost"] = _text(to_decimal(line.billed))
    row["EffectiveCost"] = _text(to_decimal(line.effective))
    if line.quantity is not None:
        row["PricingQuantity"] = _text(line.quantity)
        row["ConsumedQuantity"] = row["PricingQuantity"]
    row["Tags"] = json.dumps(charge.tags)
    return period, row


def next_month(period: date) -> date:
    """First day of the month after ``period``."""
    return (period.replace(day=28) + timedelta(days=4)).replace(day=1)


def _text(value: Decimal) -> str:
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


class Exports:
    """Collects rows by source and billing period and writes every delivery at the end."""

    def __init__(self, directory: Path, arrivals: Arrivals) -> None:
        self.directory = directory
        self.arrivals = arrivals
        self._rows: dict[str, dict[date, list[Row]]] = {name: defaultdict(list) for name in SOURCES}
        self._corrected: set[date] = set()
        self.rows = 0

    def add(self, day: date, charges: list[Charge]) -> None:
        """Charges of one day. The additive source is written at once."""
        appended: list[Row] = []
        for charge in charges:
            for period, row in rows_of(charge):
                self.rows += 1
                if SOURCES[charge.export] == "append":
                    appended.append(row)
                else:
                    self._rows[charge.export][period].append(row)
                    if charge.billing_period is not None:
                        self._corrected.add(period)
        if appended:
            path = self._folder("saas") / f"{day}.csv"
            _write_csv(path, appended)
            if RESTATED_BILLS in self.arrivals.faults:
                before = csv_text(draft(appended)).encode()
                self.arrivals.later(RESTATED_BILLS, path, before)

    def write(self, last_day: date) -> None:
        for period, rows in sorted(self._rows["aws"].items()):
            self._write_aws(period, rows)
        for period, rows in sorted(self._rows["azure"].items()):
            self._write_azure(period, rows, last_day)
        for name in ("openai", "anthropic"):
            for period, rows in sorted(self._rows[name].items()):
                path = self._folder(name) / f"{name}-{period:%Y-%m}.csv"
                _write_csv(path, rows)
                self._came(period, path, csv_text(self._draft(period, rows)).encode())

    def _folder(self, source: str) -> Path:
        return self.directory / f"bill-{source}"

    def _draft(self, period: date, rows: list[Row]) -> list[Row]:
        """The rows as they were told before; none where this period is not restated."""
        restated = RESTATED_BILLS in self.arrivals.faults and period not in self._corrected
        return draft(rows) if restated else []

    def _came(self, period: date, path: Path, before: bytes | None) -> None:
        """Note when a file of a period came, where a fault makes it late."""
        faults = self.arrivals.faults
        if period in self._corrected:
            # a period of corrections alone: it begins after the days that it corrects
            if CORRECTIONS in faults:
                self.arrivals.later(CORRECTIONS, path)
        elif RESTATED_BILLS in faults:
            self.arrivals.later(RESTATED_BILLS, path, before)

    def _write_aws(self, period: date, rows: list[Row]) -> None:
        before = self._aws_delivery(period, self._draft(period, rows), "draft")
        for path, content in self._aws_delivery(period, rows, "final").items():
            _write(path, content)
            self._came(period, path, before.get(path))

    def _aws_delivery(self, period: date, rows: list[Row], state: str) -> dict[Path, bytes]:
        """Files of one delivery, the manifest last."""
        root, part = self._folder("aws") / AWS_EXPORT, f"BILLING_PERIOD={period:%Y-%m}"
        names, files = [], {}
        for number, first in enumerate(range(0, len(rows), AWS_CHUNK_ROWS), start=1):
            name = f"{AWS_EXPORT}-{number:05d}.snappy.parquet"
            out = io.BytesIO()
            pq.write_table(
                _aws_table(rows[first : first + AWS_CHUNK_ROWS]), out, compression="snappy"
            )
            files[root / "data" / part / name] = out.getvalue()
            names.append(f"s3://acme-billing/bill-aws/{AWS_EXPORT}/data/{part}/{name}")
        manifest = {
            "exportArn": f"arn:aws:bcm-data-exports:us-east-1:111122223333:export/{AWS_EXPORT}",
            "executionId": str(uuid.uuid5(uuid.NAMESPACE_URL, part + state)),
            "billingPeriod": {"start": f"{period}T00:00:00Z", "end": f"{next_month(period)}T00:00:00Z"},
            "contentType": "Parquet", "compression": "Parquet", "dataFiles": names,
        }  # fmt: skip
        path = root / "metadata" / part / f"{AWS_EXPORT}-Manifest.json"
        return {**files, path: json.dumps(manifest, indent=1).encode()}

    def _write_azure(self, period: date, rows: list[Row], last_day: date) -> None:
        span = f"{period:%Y%m%d}-{next_month(period) - timedelta(days=1):%Y%m%d}"
        root = self._folder("azure") / "costs" / AZURE_EXPORT / span
        runs = {day: [row for row in rows if row["ChargePeriodStart"][:10] <= str(day)]
                for day in (last_day - timedelta(days=1), last_day)}  # fmt: skip
        if before := self._draft(period, rows):
            _write_azure_run(root, period, last_day, before, "0505")
        for day, found in runs.items():
            if found:
                for path in _write_azure_run(root, period, day, found):
                    self._came(period, path, None)
        # a third run is on its way: part of a file, no manifest yet
        text = csv_text(rows).encode()
        writing = root / f"{last_day + timedelta(days=1):%Y%m%d}0605" / _run_id(last_day, "writing")
        _write(writing / "part_0_0001.csv", text[: len(text) * 2 // 3])
        self._came(period, writing / "part_0_0001.csv", None)


def _run_id(day: date, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{day}{what}"))


def _write_azure_run(
    root: Path, period: date, day: date, rows: list[Row], at: str = "0605"
) -> list[Path]:
    """The run that was submitted ``at`` (hour and minute) on the next morning; its files."""
    run_id = _run_id(day, "run" if at == "0605" else at)
    folder = root / f"{day:%Y%m%d}{at}" / run_id
    content = gzip.compress(csv_text(rows).encode(), mtime=0)
    name = "part_0_0001.csv.gz"
    _write(folder / name, content)
    blob = folder.relative_to(root.parents[2]) / name
    manifest = {
        "manifestVersion": "2024-04-01", "byteCount": len(content), "blobCount": 1,
        "dataRowCount": len(rows),
        "exportConfig": {"exportName": AZURE_EXPORT, "type": "FocusCost", "dataVersion": "1.0"},
        "deliveryConfig": {"partitionData": True, "dataOverwriteBehavior": "CreateNewReport",
                           "fileFormat": "Csv", "compressionMode": "gzip"},
        "runInfo": {
            "executionType": "Scheduled", "submittedTime": f"{day + timedelta(days=1)}T{at[:2]}:{at[2:]}:00Z",
            "runId": run_id, "startDate": f"{period}T00:00:00",
            "endDate": f"{next_month(period) - timedelta(days=1)}T00:00:00",
        },
        "blobs": [{"blobName": blob.as_posix(), "byteCount": len(content), "dataRowCount": len(rows)}],
    }  # fmt: skip
    _write(folder / "manifest.json", json.dumps(manifest, indent=1).encode())
    return [folder / name, folder / "manifest.json"]


def _aws_table(rows: list[Row]) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for name in sorted((*_TEXTS, *_DOUBLES, *_INSTANTS)):
        values = [row[name] or None for row in rows]
        if name in _DOUBLES:
            columns[name] = pa.array([exact_double(value) for value in values], pa.float64())
        elif name in _INSTANTS:
            instants = [datetime.strptime(v, "%Y-%m-%dT%H:%M:%SZ") for v in values if v]
            columns[name] = pa.array(instants, pa.timestamp("ms"))
        else:
            columns[name] = pa.array(values, pa.string())
    tags = [list(json.loads(row["Tags"]).items()) for row in rows]
    columns["Tags"] = pa.array(tags, pa.map_(pa.string(), pa.string()))
    return pa.table(columns)


def exact_double(text: str | None) -> float | None:
    """A double whose shortest form is ``text``: else truth and bill would part."""
    if text is None:
        return None
    value = float(text)
    if from_float(value) != Decimal(text):
        raise AssertionError(f"{text} does not survive a double")
    return value


def csv_text(rows: list[Row]) -> str:
    names = sorted(
        {name for row in rows for name in row}, key=lambda name: (name.startswith("x_"), name)
    )
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _write_csv(path: Path, rows: list[Row]) -> None:
    _write(path, csv_text(rows).encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
