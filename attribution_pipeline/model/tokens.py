"""Token buckets: disjoint counts of one call, and the kinds that a meter may name.

Belongs here: bucket names, the kinds that sum them. Does not: which span attribute feeds which
bucket (``sources/otlp``).
"""

from __future__ import annotations

BUCKETS: tuple[str, ...] = (
    "uncached_input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "cache_write_other",
    "visible_output",
    "reasoning",
)
"""Disjoint: their sum is every token of the call, once."""

INPUT_BUCKETS = BUCKETS[:5]

KINDS: dict[str, tuple[str, ...]] = {
    **{bucket: (bucket,) for bucket in BUCKETS},
    "input": INPUT_BUCKETS,
    "cache_write": ("cache_write_5m", "cache_write_1h", "cache_write_other"),
    "output": ("visible_output", "reasoning"),
    "total": BUCKETS,
}
"""What ``token_kind`` of a meter may be: a bucket or a sum of buckets."""
