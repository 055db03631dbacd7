"""What of the machine late work takes.

Belongs here: how many threads. Does not: a whole day's limits (``day.Compute``).
"""

from __future__ import annotations

from dataclasses import replace

from attribution_pipeline.attribution.day import Compute

SPANS_A_THREAD = 3_000_000
"""Late work is some hundred short passes over few rows, and a thread that waits to help with them
costs more than it does: a twelfth of a day of a million spans (measured). Only to read the spans and
operations that came before does a second one pay, where they are many."""


def late_compute(compute: Compute, spans: int) -> Compute:
    """The limits of late work on a day of so many spans, or operations."""
    return replace(compute, threads=min(compute.threads, 1 + spans // SPANS_A_THREAD))
