"""A refusal as Dagster shows it: its one line, where people look, and no retry.

Belongs here: that translation. Does not: what is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from attribution_pipeline.model.errors import Refusal


@contextmanager
def shown_as_failures() -> Iterator[None]:
    """Turn a Refusal into a run failure whose description is the refusal's line."""
    try:
        yield
    except Refusal as refusal:
        raise dg.Failure(description=refusal.line(), allow_retries=False) from refusal
