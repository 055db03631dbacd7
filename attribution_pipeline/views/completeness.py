"""Completeness as people read it: coverage and null rates by route slice, beside the totals.

Belongs here: layout, for the UI and for reports. Does not: the sums (``proof.completeness``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from attribution_pipeline.proof.completeness import FIELDS, Completeness, SliceCompleteness
from attribution_pipeline.proof.ratio import NO_EVIDENCE, Ratio, percent, plain
from attribution_pipeline.proof.routes import NO_MODEL
from attribution_pipeline.views.text_table import text_table

BY = {"cost": "cost", "records": "count", "tokens": "tokens"}
"""Measure of the sums -> the word for it."""

MOST_SLICES = 50
"""Slices of a table in the UI, dearest first: the event log keeps each of them for ever."""

TOGETHER = "\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}"
"""Between two shares of a cell: the table is wide, and a browser would break the line there."""


def records(found: Completeness) -> list[dict[str, Any]]:
    """One record a slice and field, totals last: parts and wholes as text, shares cut to 12 digits.

    The grain for programs; every number that the other layouts show is in it.
    """
    return [
        {
            **one.route.as_dict(),
            "field": field,
            **{
                f"{name}_by_{BY[measure]}": value
                for measure in BY
                for name, value in _numbers(one.share(field, measure)).items()
            },
        }
        for one in (*found.slices, *found.totals)
        for field in FIELDS
    ]


def markdown(found: Completeness) -> str:
    """Coverage and null rates by cost and by count, a slice a row, the ledger's totals last."""
    if not found.slices:
        return f"`{NO_EVIDENCE}`: nothing is recorded that could be complete."
    parts = []
    for title, missing in (("Coverage", False), ("Null rate", True)):
        parts.append(
            f"**{title} in %, by cost ({found.metric}) / by count**\n\n" + _table(found, missing)
        )
    return "\n\n".join(parts)


def text(found: Completeness) -> str:
    """Coverage by cost on a terminal."""
    head = ["slice", found.metric, *FIELDS]
    rows = [
        [one.route.name, plain(one.total.cost), *(percent(one.share(f).value) for f in FIELDS)]
        for one in (*found.slices, *found.totals)
    ]
    return text_table(head, rows, right=head[1:])


def _table(found: Completeness, missing: bool) -> str:
    slices = sorted(found.slices, key=lambda one: -abs(one.total.cost))
    head = ("provider", "model", "surface", "currency", "cost", "records", *FIELDS)
    rows = [_row(one, missing) for one in slices[:MOST_SLICES]]
    if len(slices) > MOST_SLICES:
        rows.append([f"and {len(slices) - MOST_SLICES:,} more", *[""] * (len(head) - 1)])
    rows += [[f"**{cell}**" if cell else "" for cell in _row(one, missing)] for one in found.totals]
    return markdown_table(head, rows)


def _row(one: SliceCompleteness, missing: bool) -> list[str]:
    def cell(field: str) -> str:
        both = (one.share(field, "cost"), one.share(field, "records"))
        shares = [percent(r.missing if missing else r.value).removesuffix(" %") for r in both]
        return TOGETHER.join(shares)

    route = one.route
    return [
        route.provider, route.model or NO_MODEL, route.surface, route.currency,
        f"{one.total.cost:,.2f}", f"{int(one.total.records):,}", *(cell(field) for field in FIELDS),
    ]  # fmt: skip


def _numbers(ratio: Ratio) -> dict[str, str | None]:
    def said(value: Decimal | None) -> str | None:
        return None if value is None else plain(value)

    return {
        "with": f"{ratio.part:f}",
        "of": f"{ratio.whole:f}",
        "coverage": said(ratio.value),
        "null_rate": said(ratio.missing),
    }


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; what a cell says cannot end it, nor start another."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(markdown_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def markdown_cell(text: str) -> str:
    """Text of the outside in a cell: one line, no markup of its own."""
    from attribution_pipeline.views.cells import terminal_cell

    shown = terminal_cell(text)
    return shown.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
