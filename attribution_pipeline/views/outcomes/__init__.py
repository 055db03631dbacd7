"""Outcomes joined to the operations that they came of, and what those cost.

Belongs here: the view, from landed outcomes and published tables. Does not: reading files
(``sources.outcomes``), which days (callers say), layout (``output``).

An outcome moves no money. It is found by the operation id or the trace that an application reports;
what no operation answers to is counted as unmatched and stays in every denominator.
"""

from __future__ import annotations

from attribution_pipeline.views.outcomes.joined import LOOKBACK_DAYS, Found, open_outcomes
from attribution_pipeline.views.outcomes.table import BY, COLUMNS, outcome_rows, per_useful

__all__ = [
    "BY", "COLUMNS", "LOOKBACK_DAYS", "Found", "open_outcomes", "outcome_rows", "per_useful",
]  # fmt: skip
