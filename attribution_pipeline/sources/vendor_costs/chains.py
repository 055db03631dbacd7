"""Whether pages that somebody saved by hand are all pages of their reports.

Belongs here: what pages say of each other. Does not: pages with a receipt, which says it
(``deliveries``), reading a page (``pages``).

A page with ``has_more`` names the next one by a token that no page says of itself. What can be told: the
next page of the same report begins with the bucket in which this one ends, or the one after.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline.sources.vendor_costs import pages

REASON = "pages_missing"
REMEDY = (
    "save the page that its next_page names beside it, and so on to one with has_more false; or use "
    "`attribution pull`"
)


def unfinished(contents: Mapping[str, bytes]) -> list[str]:
    """Names of pages that say has_more and that no other page continues. By name; a page that can't be
    read is judged by its reader, and continues nothing."""
    found = {}
    for name, content in sorted(contents.items()):
        try:
            found[name] = pages.document(content, name)
        except ObjectRefused:
            continue
    return [
        name
        for name, page in found.items()
        if page.get("has_more") is True
        and not any(_continues(other, page) for key, other in found.items() if key != name)
    ]


def _continues(other: dict[str, Any], page: dict[str, Any]) -> bool:
    if not other["data"]:
        return other.get("has_more") is not True  # the last page may be an empty one
    if not page["data"]:
        return True
    reports = _report(page), _report(other)
    if None not in reports and reports[0] != reports[1]:
        return False
    begins = pages.begins(other["data"][0])
    return begins is not None and begins in (
        pages.ends(page["data"][-1]),
        # within one bucket one of the two is the last
        pages.begins(page["data"][-1]) if other.get("has_more") is not True else None,
    )


def _report(page: dict[str, Any]) -> str | None:
    """Which report a page is of, by its first result; None where it has none."""
    for bucket in page["data"]:
        results = bucket.get("results") if isinstance(bucket, dict) else None
        for result in results if isinstance(results, list) else ():
            if isinstance(result, dict):
                return str(result.get("object") or ("cost" if "amount" in result else "usage"))
    return None
