"""Data quality: of how much of the cost is known who caused it, and what was delivered and not read.

Belongs here: the page. Does not: the sums (``proof.completeness``); they are read where a run kept them
and made here where it did not.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.proof.completeness import (
    FIELDS,
    Completeness,
    SliceCompleteness,
    added,
    completeness_of,
    from_document,
)
from attribution_pipeline.proof.relations import recorded_days
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline.views.dashboard.sheets import Column, sheet
from attribution_pipeline.views.dashboard.view import Page, View
from attribution_pipeline.views.rejected import with_accepted

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.proof.relations import RecordedDay

KEPT = "completeness"
"""Folder of the storage where runs keep a day's sums."""

MOST_MADE = 2
"""Days whose sums nobody kept that a page makes by itself, the newest: it reads their requests. Of how
many days nothing is known is told."""

GOOD, FAIR = Decimal("0.99"), Decimal("0.9")
"""From where on a share is coloured as good, as fair: for the eye. Thresholds that alert are the
policy's."""


DIGITS = Decimal("1e-12")


def page(view: View) -> Page:
    """Coverage by route slice, of the place's days."""
    found = _of_days(view)
    mine = [one for one in found.slices if one.route.currency == view.place.currency]
    mine.sort(key=lambda one: (-abs(one.total.cost), one.route.order))
    totals = [one for one in found.totals if one.route.currency == view.place.currency]
    data = _table(mine, view.metric)
    slices = sheet(
        "coverage", "By route, dearest first", data,
        [
            Column("provider"), Column("model"), Column("surface"),
            Column(view.metric, "cost", "money"), Column("records", "records", "count"),
            *(Column(f"{field}_known", field, "cover") for field in FIELDS),
        ],
        note="Share of the cost of which it is known. A gap that a policy spreads is still a gap.",
        empty="Nothing is recorded that could be complete.",
    )  # fmt: skip
    waiting = _waiting(view)
    more = {
        "waiting_not_known": waiting is None,
        "gauges": [gauge for one in totals for gauge in _gauges(one)],
        "missing": len(view.days) - len(found.days),
        "rejected": _rejected(view),
        "waiting": waiting,
        "unread": sum(one["count"] for one in waiting or [] if not one["read_before"]),
        "landing": _last_landing(view),
        "list_command": view.books.shell.line(
            "rejected", "--from", str(view.place.first), "--to", str(view.place.last)
        ),
    }
    return Page("quality.html", "Data quality", [slices], more)


def _gauges(one: SliceCompleteness) -> list[dict[str, Any]]:
    """Each field's share of a currency's cost, and what stands on both tenant and workflow."""
    shares = {field: _share(one, field) for field in FIELDS}
    shares["tenant and workflow, of metered cost"] = one.segmentation("cost").value
    return [{"name": name, "share": value, "word": _word(value)} for name, value in shares.items()]


def _word(share: Decimal | None) -> str:
    if share is None:
        return "unknown"
    return "good" if share >= GOOD else "fair" if share >= FAIR else "low"


def _of_days(view: View) -> Completeness:
    books = view.books
    found = {
        one.day: _kept(books, one, view.metric) for one in recorded_days(books.lake, view.days)
    }
    made = [day for day, one in found.items() if one is None][-MOST_MADE:]
    for one in recorded_days(books.lake, made):
        found[one.day] = _made(books, one, view.metric)
    known = {day: one for day, one in found.items() if one is not None}
    return added((one.slices for one in known.values()), known, view.metric)


def _kept(books: Books, recorded: RecordedDay, metric: str) -> Completeness | None:
    """As a run kept it beside the day's manifest. What is kept decides nothing: damaged is not kept."""
    from attribution_pipeline.lake.checked import said_by

    with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
        name = f"{KEPT}/{recorded.state.manifest_id}-{metric}.json"
        return from_document(said_by(books.lake.store.read(name))["sums"])
    return None


def _made(books: Books, recorded: RecordedDay, metric: str) -> Completeness:
    """From the day's rows of requests."""
    key = ("completeness", recorded.state.manifest_id, metric)
    return books.kept(key, lambda: completeness_of(books.lake, [recorded], metric, books.compute()))


def _share(one: SliceCompleteness, field: str) -> Decimal | None:
    return one.share(field, "cost").value


def _table(slices: list[SliceCompleteness], metric: str) -> pa.Table:
    import pyarrow as pa

    money, share = pa.decimal128(38, 12), pa.decimal128(38, 12)
    schema = pa.schema(
        [
            *(pa.field(name, pa.string()) for name in ("provider", "model", "surface", "billing_currency")),
            pa.field(metric, money), pa.field("records", pa.int64()),
            *(pa.field(f"{field}_known", share) for field in FIELDS),
        ]
    )  # fmt: skip
    rows: list[dict[str, Any]] = []
    for one in slices:
        shares = {f"{field}_known": _share(one, field) for field in FIELDS}
        rows.append(
            {
                "provider": one.route.provider, "model": one.route.model,
                "surface": one.route.surface, "billing_currency": one.route.currency,
                metric: one.total.cost, "records": int(one.total.records),
                **{
                    name: None if value is None else value.quantize(DIGITS)
                    for name, value in shares.items()
                },
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=schema)


def _last_landing(view: View) -> str | None:
    found = view.books.landed.last_landing()
    return f"{datetime.fromisoformat(found[1]):%Y-%m-%d %H:%M} UTC" if found else None


def _waiting(view: View) -> list[dict[str, Any]] | None:
    """What the last look at the sources left unread: of whichever day it is, nobody knows. None where it
    was not kept."""
    from attribution_pipeline.sources.attributes import READ_BEFORE
    from attribution_pipeline.sources.awaiting import from_document, size_said

    now = datetime.now(UTC)
    folder = view.books.deployment.policies_folder
    found = with_accepted(from_document(view.books.landed.waiting()), folder)
    if found is None:
        return None
    return [
        {
            "kind": one.kind, "source": one.source, "named": one.named, "reason": one.reason,
            "size": size_said(one.bytes), "count": one.objects, "detail": one.detail,
            "remedy": one.remedy, "overdue": one.is_overdue(now),
            "read_before": one.reason in READ_BEFORE,
            "written": f"{one.written_at:%Y-%m-%d %H:%M} UTC" if one.written_at else None,
        }
        for one in found
    ]  # fmt: skip


def _rejected(view: View) -> list[tuple[str, str, str, int]]:
    """Kind, source, reason, records: what was delivered and could not be read."""
    found = view.books.landed.rejected_counts(view.place.first, view.place.last)
    return [
        (kind, source, reason, number)
        for (kind, source), reasons in found.items()
        for reason, number in reasons.items()
    ]
