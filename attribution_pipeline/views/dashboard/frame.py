"""What stands around every page: where one is, other months, how fresh, links out.

Belongs here: the frame's words and links. Does not: a page's own figures.
"""

from __future__ import annotations

from typing import Any

from attribution_pipeline.views.dashboard import asked
from attribution_pipeline.views.dashboard.place import Place
from attribution_pipeline.views.dashboard.view import METRICS, Page, View, crumbs, dagster_link

NAV = (
    ("", (("overview", "Overview"), ("spend", "Spend"))),
    ("Views", (
        ("business", "Business"), ("product", "Product"), ("workflow", "Workflow"),
        ("model", "Model"), ("platform", "Platform"), ("governance", "Governance"),
    )),
    ("Act on", (
        ("explain", "Why it moved"), ("backlog", "Backlog"), ("budgets", "Budgets"),
        ("quality", "Data quality"), ("policy", "Policy"),
    )),
)  # fmt: skip
"""Pages by group, in reading order."""

BELOW = {"call": "spend", "charge": "spend", "outcome": "spend"}
"""Pages that are reached along the path: which entry is lit."""

NARROWED = ("spend", *BELOW)
"""Pages that are of what the reader narrowed his place to; the others are of everything."""

KEPT_BY_EXPORTS = (
    "call", "charge", "outcome", "from", "to", "against", "until", "by", "tenant", "q",
)  # fmt: skip
"""What a page is of beside its place, so a table of it too."""

OF_A_MONTH = {"explain": ("from", "to", "against", "until")}
"""Of these what is left behind with the month: other months have other periods to compare."""


def framed(view: View, page: Page) -> dict[str, Any]:
    """The context of ``base.html``."""
    place, books = view.place, view.books
    bare = Place(place.month, place.day, place.currency)
    months = books.months()
    states = [head for day in view.days if (head := books.head(day)) is not None]
    newest = max(states, key=lambda state: state.published_at, default=None)
    day = place.day or (view.days[-1] if view.days else None)
    return {
        "title": page.title,
        "here": BELOW.get(view.page, view.page),
        "page_name": view.page,
        "asked_for": view.query.get("q", "") if view.page == "find" else "",
        "place": place,
        "nav": [
            (group, [(name, title, (place if name in NARROWED else bare).url(name))
                     for name, title in entries])
            for group, entries in NAV
        ],
        "crumbs": crumbs(place, _tips(view, page)) if place.month else [],
        "months": [(f"{month:%B %Y}", f"{month:%Y-%m}", month == place.month) for month in months],
        "older": _month_link(view, months, 1),
        "newer": _month_link(view, months, -1),
        "carried": carried(view),
        "carried_to_month": carried(view, to_month=True),
        "currency": place.currency or "",
        "currencies": asked.currencies(books, place.on(None)) if place.month else [],
        "metric": METRICS[view.metric],
        "recorded_days": len(view.days),
        "period_days": (place.last - place.first).days + 1 if place.month else 0,
        "newest": newest.published_at if newest is not None else None,
        "policies": _policies(states),
        "dagster": dagster_link(view.dagster, day) if day else None,
        "dagster_day": day,
        "computed": books.computed(view.days),
        "export": lambda sheet, format_: _export_link(view, sheet, format_),
    }  # fmt: skip


def _policies(states: list[Any]) -> str:
    """``acme-chargeback 3``, or several."""
    return ", ".join(sorted({f"{one.policy} {one.policy_version}" for one in states}))


def _tips(view: View, page: Page) -> list[tuple[str, str, str]]:
    """The call, and below it its charge or its outcome."""
    call = view.query.get("call", "")
    back = page.more.get("back") or view.place.url("call", call=call)
    found = [("call", call, back)] if call else []
    if view.page in ("charge", "outcome"):
        found.append((view.page, view.query.get(view.page, "")[:12], ""))
    return found if view.page in BELOW else []


def _month_link(view: View, months: list[Any], step: int) -> str | None:
    if view.place.month not in months:
        return None
    at = months.index(view.place.month) + step
    page = BELOW.get(view.page, view.page)
    if not 0 <= at < len(months):
        return None
    return view.place.in_month(months[at]).url(page, **carried(view, to_month=True))


def carried(view: View, *, to_month: bool = False) -> dict[str, str]:
    """What the page is of beside its place and stays with another currency, or with another month.
    Nothing of what stands below the path: its links lead up to it."""
    left = OF_A_MONTH.get(view.page, ()) if to_month else ()
    kept = _beside(view) if view.page not in BELOW else {}
    return {name: value for name, value in kept.items() if name not in left}


def _beside(view: View) -> dict[str, str]:
    return {name: value for name, value in view.query.items() if name in KEPT_BY_EXPORTS}


def _export_link(view: View, sheet: str, format_: str) -> str:
    return view.place.url(f"{view.page}/{sheet}.{format_}", **_beside(view))
