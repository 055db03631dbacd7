"""One page of a vendor's cost or usage report into charge lines.

Belongs here: what every line of these vendors says, positions, one batch a page. Does not: the
columns of a result (``openai``, ``anthropic``), amounts and checks (``focus.lines``), which lines
stand (``attribution``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from types import ModuleType
from typing import BinaryIO

import pyarrow as pa

from attribution_pipeline.model.evidence import CHARGE_LINES
from attribution_pipeline.model.months import next_month
from attribution_pipeline.sources.batch import Batch, Rejected
from attribution_pipeline.sources.focus import columns
from attribution_pipeline.sources.focus.lines import to_lines
from attribution_pipeline.sources.objects import SourceObject
from attribution_pipeline.sources.rejection import RecordRejected
from attribution_pipeline.sources.vendor_costs import anthropic, openai, pages

TABLE = "billing"

VENDORS: dict[str, ModuleType] = {"openai": openai, "anthropic": anthropic}

Row = dict[str, str | None]


def read(
    data: bytes | BinaryIO, obj: SourceObject, object_id: str, *, format: str, account: str
) -> Iterator[Batch]:
    """One batch of ``billing``: a line for each cost, and for each metered quantity one of no cost.

    A result's position counts over all buckets of its page, and all its lines have it. Amounts are
    the JSON's digits, rounded half-even to the quantum once; Anthropic's are cents. ``account``: the
    organization, which no page names. Raises ObjectRefused where the page is none.
    """
    vendor = VENDORS[format]
    page = pages.document(data, obj.uri)
    common = _common(vendor, account)
    rows: list[Row] = []
    positions: list[int] = []
    rejected: list[Rejected] = []
    for position, bucket, result in pages.results(page, obj.uri):
        try:
            found = list(vendor.rows(result))
        except RecordRejected as no:
            rejected.append(Rejected(position, no.reason, no.detail))
            continue
        times = _times(bucket.start, bucket.end)
        rows += [{**common, **times, **row} for row in found]
        positions += [position] * len(found)
    yield _batch(rows, positions, rejected, obj, object_id)


def _common(vendor: ModuleType, account: str) -> Row:
    return {
        "BilledCost": "0",
        "EffectiveCost": "0",
        "BillingAccountId": account,
        # of quantities, which have no cost: both vendors bill in it. A cost says its own, and one that
        # says none is rejected: neither vendor documents what a cost without currency would be in
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "InvoiceIssuerName": vendor.ISSUER,
        "ProviderName": vendor.ISSUER,
        "PublisherName": vendor.ISSUER,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": vendor.SERVICE,
        "ServiceProviderName": vendor.ISSUER,
        "ServiceSubcategory": "Generative AI",
    }


def _times(start: date, end: date) -> Row:
    month = start.replace(day=1)
    return {
        "BillingPeriodStart": _instant(month),
        "BillingPeriodEnd": _instant(next_month(month)),
        "ChargePeriodStart": _instant(start),
        "ChargePeriodEnd": _instant(end),
    }


def _instant(day: date) -> str:
    return f"{day}T00:00:00Z"


def _batch(
    rows: list[Row],
    positions: list[int],
    rejected: list[Rejected],
    obj: SourceObject,
    object_id: str,
) -> Batch:
    if not rows:
        return Batch(TABLE, CHARGE_LINES.empty_table(), rejected)
    names = list(dict.fromkeys(name for row in rows for name in row))
    raw = [pa.array([row.get(name) for row in rows], pa.string()) for name in names]
    lines = to_lines(raw, columns.match(names, obj.uri), obj, object_id, 1)
    # positions of rows were counted from 1; they stand for the results that the rows are of
    numbered = lines.rows.column("position").to_pylist()
    at = CHARGE_LINES.get_field_index("position")
    table = lines.rows.set_column(
        at, CHARGE_LINES.field(at), pa.array([positions[n - 1] for n in numbered], pa.int64())
    )
    moved = [replace(one, position=positions[one.position - 1]) for one in lines.rejected]
    return Batch(
        TABLE,
        table,
        sorted([*rejected, *moved], key=lambda one: one.position),
        lines.rounding_moved,
    )
