"""Bills that were delivered and could not be read, where nothing else bills the month.

Belongs here: which bills these are for a day, and the refusal to record it. Does not: why a reader refuses
a bill (``sources``), a month of which no bill was delivered yet (``day_changes.without_bill``).

A day of such a month would be recorded with an empty ledger and fix its policy version for good, though
the first bill that can be read is the first thing that the version is tried on.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.lake.landed.records import LandedFile, ObjectRecord
    from attribution_pipeline.orchestration.house import House

BILLING = "billing"
"""The list under ``sources``, and the landed table, of bills."""


def files_of_month(house: House, day: date) -> list[LandedFile]:
    """Landed files that may bill a day of the day's month."""
    from attribution_pipeline.model.months import next_month

    first = day.replace(day=1)
    return house.landed.files(BILLING, first, next_month(first) - timedelta(days=1))


def refused_bills(house: House, day: date) -> list[ObjectRecord]:
    """Objects of billing sources from which no row of the day's month has landed, that gave no row, only
    rejected records. One that was there before the day began bills another month, and is left out."""
    unread = [
        one
        for one in house.landed.rejected_objects()
        if one.kind == BILLING and not any(one.rows.values())
    ]
    if not unread:
        return []
    billed = {file.source for file in files_of_month(house, day)}
    before = house.landed.by(datetime.combine(day, time.min, UTC)).objects(BILLING)
    earlier = {(one.source, one.path, one.object_id) for one in before}
    return [
        one
        for one in unread
        if one.source not in billed and (one.source, one.path, one.object_id) not in earlier
    ]


def require_readable_bill(house: House, day: date) -> None:
    """Raises Refusal naming the bill, where bills of the month were refused and none has landed."""
    if files_of_month(house, day):
        return
    found = refused_bills(house, day)
    if not found:
        return
    said = _said(house, found[0])
    more = f" (so were {len(found) - 1:,} more bills)" if len(found) > 1 else ""
    raise Refusal(
        f"this bill was refused{more} and none of {day:%Y-%m} has landed, so {day} is not recorded: "
        f"{said}",
        where=found[0].uri,
        remedy="put it right under the same path, and run the day again: nothing was recorded, and the "
        "policy may still be edited",
    )


def bills_missing(house: House, day: date) -> list[str]:
    """A line for each source that bills nothing of the day's month because its bill was refused, while
    others do."""
    if not files_of_month(house, day):
        return []
    first: dict[str, ObjectRecord] = {}
    for one in refused_bills(house, day):
        first.setdefault(one.source, one)
    return [
        f"nothing that billing {source} bills is in {day}: no row of {day:%Y-%m} has landed from it, and "
        f"{one.uri} was refused: {_said(house, one)}; put it right under the same path, and run the day again"
        for source, one in first.items()
    ]


def _said(house: House, bill: ObjectRecord) -> str:
    """What the reader said of the bill as a whole, else of the first record of it."""
    from attribution_pipeline.lake.landed.rejected import rejected_rows

    rows: list[dict[str, Any]] = [
        row
        for row in rejected_rows(house.landed).to_pylist()
        if (row["kind"], row["source"], row["object_id"]) == (BILLING, bill.source, bill.object_id)
    ]
    first = rows[0]
    detail: str = (first["detail"] or first["reason"]).removeprefix(f"{bill.uri}: ")
    if first["position"] == 0:
        return detail
    return f"all of its {sum(bill.rejected.values()):,} records are rejected, first {detail}"
