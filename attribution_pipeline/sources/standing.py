"""What stands although its file is gone, and what landed and does not stand: told, never an alert.

Belongs here: both, for sources of which the newest content of each path stands. Does not: which rows
stand for a day (``lake.landed``, ``attribution``), landing (``landing_run``).

Sources are cleaned up after a while, and nothing is lost by that: what was landed stands. Who deletes a
file to take it back must hear that this is not how (docs/decisions/0005).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.awaiting import named_first
from attribution_pipeline.sources.evidence_store import BilledPeriod, EvidenceStore, Record
from attribution_pipeline.sources.focus.deliveries import natural
from attribution_pipeline.sources.objects import Listing

if TYPE_CHECKING:
    from attribution_pipeline.sources.landing import Source
    from attribution_pipeline.sources.report import SourceReport

EVERY_OBJECT_STANDS = ("spans", "closes")
"""Kinds whose files rotate away by design, as ``lake.landed.records`` names them."""

WITHDRAW = (
    "if it was only cleaned up, nothing is to be done; to withdraw it, put the right content under its "
    "path (of a CSV the header alone bills nothing)"
)
WITHDRAW_DELIVERY = f"{WITHDRAW}, or the whole bill into a subfolder with a later name"
RENAME = "to let it stand, deliver it into a subfolder whose name sorts later"

_Key = tuple[str, str]
"""Account and billing period."""


def tell(source: Source, listing: Listing, landed: EvidenceStore, report: SourceReport) -> None:
    """Both, after a landing: lines of the report, and how to go on for a note."""
    if source.kind in EVERY_OBJECT_STANDS:
        return
    missing = gone(source, listing, landed)
    remedy = WITHDRAW
    if source.kind == "billing" and source.delivery != "append":
        remedy = WITHDRAW_DELIVERY
        overtaken = _may_be_overtaken(source, landed, report)
        if not missing and not overtaken:
            return
        try:
            periods = landed.billed_periods(source.name)
        except Refusal as no:  # a damaged file stops the days that need it, and no landing
            report.note(f"what stands was not looked at: {no.line()}", "")
            return
        newest = _newest(periods)
        standing = {one.object_id for one in periods if newest[one.key].order == one.order}
        missing = [record for record in missing if record.object_id in standing]
        for line in _overtaken(periods, newest, report.deliveries):
            report.note(line, RENAME)
    if missing:
        many = len(missing)
        said = "1 file is" if many == 1 else f"{many:,} files are"
        verb = "counts" if many == 1 else "count"
        names = named_first([record.path for record in missing])
        report.note(f"{said} gone from the source and still {verb}: {names}", remedy)


def gone(source: Source, listing: Listing, landed: EvidenceStore) -> list[Record]:
    """The newest readable record of each path that is listed no more, where it gave rows and no listed
    path holds the same content."""
    there = {obj.path for obj in listing.objects}
    with_rows: set[str] = set()
    newest: dict[str, Record] = {}
    for record in landed.objects(source.kind, source.name):
        if not record.refused:
            newest[record.path] = record
            if sum(record.rows.values()):
                with_rows.add(record.object_id)
    still = {record.object_id for path, record in newest.items() if path in there}
    return [
        record
        for path, record in sorted(newest.items())
        if path not in there and record.object_id in with_rows and record.object_id not in still
    ]


def _may_be_overtaken(source: Source, landed: EvidenceStore, report: SourceReport) -> bool:
    """Whether an earlier landing knows a delivery newer than one of these: told without any rows."""
    if not report.deliveries:
        return False
    oldest = min(report.deliveries.values())
    return any(
        record.delivery_order > oldest and record.delivery not in report.deliveries
        for record in landed.objects(source.kind, source.name)
    )


def _newest(periods: Iterable[BilledPeriod]) -> dict[_Key, BilledPeriod]:
    newest: dict[_Key, BilledPeriod] = {}
    for one in periods:
        if one.key not in newest or newest[one.key].order < one.order:
            newest[one.key] = one
    return newest


def _overtaken(
    periods: Sequence[BilledPeriod], newest: dict[_Key, BilledPeriod], arrived: dict[str, str]
) -> list[str]:
    """A line for each delivery of this landing that an older landing's delivery supersedes."""
    keys: dict[str, set[_Key]] = {}
    by: dict[str, dict[_Key, BilledPeriod]] = {}
    for one in periods:
        if one.delivery not in arrived:
            continue
        keys.setdefault(one.delivery, set()).add(one.key)
        stands = newest[one.key]
        if stands.order > one.order and stands.delivery not in arrived:
            by.setdefault(one.delivery, {})[one.key] = stands
    lines = []
    for delivery, found in sorted(by.items()):
        part = "" if len(found) == len(keys[delivery]) else "in part "
        others = sorted({_called(one) for one in found.values()})
        lines.append(f"{_place(delivery)} is {part}superseded on arrival by {named_first(others)}")
    return lines


def _called(one: BilledPeriod) -> str:
    by_name = one.order == natural("" if one.delivery == "." else one.delivery)
    return f"{_place(one.delivery)} ({'later name' if by_name else 'newer'})"


def _place(delivery: str) -> str:
    return "the source's own folder" if delivery == "." else delivery
