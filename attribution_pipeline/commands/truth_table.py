"""The tables of ``attribution truth``: what people read on a terminal and in ``docs/truth.md``.

Belongs here: rows, columns, their texts, filling a page between its markers. Does not: the figures
(``truth_play``), what the columns mean (the page says it).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attribution_pipeline.commands.truth_play import Run
    from attribution_pipeline.proof.accuracy import Accuracy

LEDGER = "ledger"
_CENTS, _SHARE = Decimal("0.01"), Decimal("0.0001")
_HEAD = (
    "faults", "by", "goals", "tie-out", "metered", "wrong day", "allocated", "estimated", "bound",
    "on cause",
)  # fmt: skip
_LEFT = 3
"""Columns of words; the others are figures."""

MARKERS = ("alone", "pairs", "peers", "reasons")
"""Tables of a page, each between ``<!-- truth:NAME -->`` and ``<!-- /truth:NAME -->``."""


def table(runs: Sequence[Run]) -> list[str]:
    """One line a run, the worse of both costs, with its peers below; then the reasons."""
    lines = ["", "Wrong-tenant cost by confidence, in USD, beside what the evidence allows", ""]
    lines += _aligned([_HEAD, *_accuracy_rows(runs)], _LEFT)
    lines += ["", "Unallocated effective cost by reason, beside what truth expects", ""]
    lines += _aligned([_REASONS_HEAD, *_reason_rows(runs)], 2)
    missed = sum(bool(run.accuracy.failures) for run in runs)
    lines += ["", f"{len(runs) - missed} of {len(runs)} runs meet every goal, "
              f"{sum(run.cpu_seconds for run in runs):.0f} s of CPU"]  # fmt: skip
    return lines


def fill_page(page: Path, runs: Sequence[Run]) -> None:
    """Put the tables between the page's markers. A table without rows leaves what stands there.
    Raises Refusal where a marker is missing."""
    from attribution_pipeline.model.errors import Refusal

    alone = [run for run in runs if len(run.faults) != 2]
    pairs = [run for run in runs if len(run.faults) == 2]
    found = {
        "alone": _markdown([_HEAD[:1] + _HEAD[2:], *_without_by(alone)], 2) if alone else [],
        "pairs": _markdown([_HEAD[:1] + _HEAD[2:], *_without_by(pairs)], 2) if pairs else [],
        "peers": _markdown([_HEAD, *_accuracy_rows(alone)], _LEFT)
        if any(run.peers for run in alone) else [],
        "reasons": _markdown([_REASONS_HEAD, *_reason_rows(alone)], 2) if alone else [],
    }  # fmt: skip
    captions = {name: _caption(pairs if name == "pairs" else alone) for name in MARKERS}
    text = page.read_text()
    for name in MARKERS:
        opens, closes = f"<!-- truth:{name} -->", f"<!-- /truth:{name} -->"
        before, opened, rest = text.partition(opens)
        _, closed, after = rest.partition(closes)
        if not (opened and closed):
            raise Refusal(
                f"has no {opens} ... {closes}", where=str(page), remedy="put the markers back"
            )
        if found[name]:
            lines = [opens, captions[name], "", *found[name], closes]
            text = before + "\n".join(lines) + after
    page.write_text(text)


def _caption(runs: Sequence[Run]) -> str:
    """What was played, and what it took."""
    sizes = {(run.size.days, run.size.spans_per_day, run.size.seed) for run in runs}
    played = "; ".join(f"{d} days of {n:,} spans, seed {s}" for d, n, s in sorted(sizes))
    met = sum(not run.accuracy.failures for run in runs)
    seconds = sum(run.cpu_seconds for run in runs)
    return f"{played}. {met} of {len(runs)} meet every goal. {seconds:,.0f} s of CPU."


def _accuracy_rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    rows = []
    for run in runs:
        rows.append(_row(run.name, LEDGER, run.accuracy))
        for name, found in run.peers.items():
            if isinstance(found, str):
                rows.append((run.name, name, found, *[""] * (len(_HEAD) - _LEFT)))
            else:
                rows.append(_row(run.name, name, found))
    return rows


def _without_by(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    rows = [_row(run.name, LEDGER, run.accuracy) for run in runs]
    return [(row[0], *row[2:]) for row in rows]


def _row(name: str, by: str, found: Accuracy) -> tuple[str, ...]:
    figures = (found.tie_out, found.wrong_tenant("metered"), found.wrong_day,
               found.wrong_tenant("allocated"), found.wrong_tenant("estimated"), found.bound)  # fmt: skip
    # cut, not rounded: what is not whole never shows as whole
    share = (found.share_on_cause * 100).quantize(_SHARE, rounding=ROUND_DOWN)
    return (name, by, "missed" if found.failures else "met", *map(_usd, figures), f"{share} %")


def _usd(amount: Decimal) -> str:
    """Whole digits where they matter: zero is zero, and what is below a cent shows."""
    if amount == 0:
        return "0"
    return f"{amount:,.2f}" if amount >= _CENTS else f"{amount.normalize():.1E}"


_REASONS_HEAD = ("faults", "reason", "ledger", "expected", "apart")


def _reason_rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    return [
        (run.name, row.reason, *(_usd(amount) for amount in (row.said, row.expected, row.apart)))
        for run in runs
        for row in run.accuracy.by_cost["effective_cost"].reasons
    ]


def _markdown(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    head, *body = rows
    rule = ["---" if place < left else "---:" for place in range(len(head))]
    return ["| " + " | ".join(row) + " |" for row in (head, rule, *body)]


def _aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            value.ljust(width) if place < left else value.rjust(width)
            for place, (value, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
