"""Meter slices that are billed without a quantity of tokens: costs came, the usage report did not.

Belongs here: which slices of a manifest's coverage they are, and the words for them. Does not: what a slice
is divided by then (``attribution.meters``), who asks (the check ``telemetry_coverage``, ``views.explain``).

Nothing says there how many tokens were billed, so all of the cost is on the calls that were seen: what a
missing call cost is paid by the others, and looks like a higher price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attribution_pipeline.views.cells import terminal_cell

REMEDY = (
    "Deliver the vendor's usage report beside its costs (OpenAI: organization/usage/completions; Anthropic: "
    "usage_report/messages), or a bill with ConsumedQuantity, and run the days again"
)

MOST_NAMED = 5
"""Models that are named; the rest is counted."""

Model = tuple[str, str]
"""Provider and model, as meters name them."""


def without_billed_tokens(coverage: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Slices of a recorded day's coverage that were seen, and of which nothing says what was billed. Where
    none was seen either, nothing is divided."""
    return [row for row in coverage if row["coverage"] is None and row["seen_tokens"]]


def models_of(slices: Iterable[Mapping[str, Any]]) -> list[Model]:
    """Their models, each once, in order."""
    return sorted({(row["provider"] or "", row["model"] or "") for row in slices})


def models_named(models: Iterable[Model]) -> str:
    """``openai gpt-4o, openai gpt-4.1 and 2 more``."""
    names = [terminal_cell(" ".join(one)) for one in sorted(models)]
    more = len(names) - MOST_NAMED
    shown = ", ".join(names[:MOST_NAMED])
    return f"{shown} and {more:,} more" if more > 0 else shown
