"""What asking an API may cost: every limit by its name.

Belongs here: the limits and their defaults. Does not: enforcing them (``transport``, ``paging``).
"""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class PullLimits:
    """Limits of one pull. The deployment file may set each, under ``limits`` of the pull."""

    connect_seconds: int = 10
    """Until a connection stands, TLS included."""
    silence_seconds: int = 300
    """Between two reads of an answer. OpenCost computes before it says anything: minutes for a day of
    a large cluster (facts/opencost.md, section 7)."""
    answer_seconds: int = 1_800
    """One answer from request to its last byte: a server that drips is let go of."""
    pull_seconds: int = 7_200
    """All requests of one pull, waiting included."""
    answer_bytes: int = 512 * MEBIBYTE
    """One answer: what the OpenCost reader takes, too."""
    pages: int = 1_000
    """Answers that one question may be split into."""
    attempts: int = 5
    """Requests for one answer, the first included."""
    retry_after_seconds: int = 900
    """The longest wait that a server may ask for; more, and the next run comes back."""


LIMITS = PullLimits()
