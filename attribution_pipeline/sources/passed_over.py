"""Files of a billing source that no later delivery makes readable: which a person must hear of.

Belongs here: what looks like data by its name, and what to do about it. Does not: which files are
passed over (``focus.deliveries``, ``vendor_costs.deliveries``), who is told (``report``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attribution_pipeline.sources.awaiting import NOT_BILLING_DATA, HeldObject
from attribution_pipeline.sources.focus.deliveries import PASSED_OVER, Held
from attribution_pipeline.sources.objects import SourceObject

if TYPE_CHECKING:
    from attribution_pipeline.sources.report import SourceReport

_LIKE_DATA = re.compile(r"\.(?:csv|json|parquet)(?:\.(?:gz|zst))?$", re.IGNORECASE)

_MANIFEST = re.compile(r"manifest[^/]*$", re.IGNORECASE)
"""In a name: such a file speaks of data, and is none."""

CONSOLE_CSV = "a console CSV of this vendor is not read"
SAVE_PAGES = "save API pages, or use `attribution pull`; then take it out of the source's folder"
NO_BILL = "deliver it as CSV or Parquet; if it is no bill, take it out of the source's folder"


def looks_like_data(held: Held) -> bool:
    """Whether somebody may have meant a file to be read. What a vendor's manifest leaves out is left
    over from an older run, and nobody's mistake."""
    named = _LIKE_DATA.search(held.path) and not _MANIFEST.search(held.path)
    return held.reason == NOT_BILLING_DATA and bool(named)


def tell(
    report: SourceReport, held: Held, obj: SourceObject, *, is_vendors_api: bool = False
) -> None:
    """Name a file that is not read now: as awaited, or as passed over for good."""
    detail, remedy = held.detail, held.remedy
    like_data = looks_like_data(held)
    if like_data:
        remedy = remedy or (SAVE_PAGES if is_vendors_api else NO_BILL)
        if is_vendors_api and ".csv" in obj.path.lower():
            detail = CONSOLE_CSV
    one = HeldObject.of(obj, held.reason, detail, remedy=remedy, delivery=held.delivery)
    if held.reason in PASSED_OVER and not like_data:
        report.pass_over(one)
    else:
        report.hold(one)
