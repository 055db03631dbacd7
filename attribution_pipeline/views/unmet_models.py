"""Models that the bill and the calls name apart, as a line for people.

Belongs here: wording. Does not: finding them (``attribution.unmet_models``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attribution_pipeline.views.cells import terminal_cell

if TYPE_CHECKING:
    from attribution_pipeline.attribution.unmet_models import Unmet

MOST_NAMED = 5
"""Models of one side in a line that is read at a glance."""


def line(unmet: Unmet) -> str:
    """Both lists, and what to write where they mean the same."""
    return (
        f"{terminal_cell(unmet.provider)}: charges of {_listed(unmet.billed)} meet no call, and calls of "
        f"{_listed(unmet.called)} meet no charge. Where the bill only spells a model otherwise, give it a "
        "meter of its own with `model: NAME` as calls name it"
    )


def _listed(models: Sequence[str]) -> str:
    named = ", ".join(map(terminal_cell, models[:MOST_NAMED]))
    more = len(models) - MOST_NAMED
    return f"{named} and {more:,} more" if more > 0 else named
