"""Reported counts to disjoint token buckets.

Belongs here: the arithmetic of one call's usage. Does not: attribute names (``aliases``), which
emitter counts how (``emitters``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from attribution_pipeline.sources.otlp.emitters import DISJOINT, Accounting

COUNT_MAX = 10**9
"""Tokens of one call. Context windows are some 10**7; beyond this a counter is broken, and one
such span would outweigh, or overflow, everything it is divided with."""

Buckets = tuple[int | None, ...]
UNKNOWN: Buckets = (None,) * 7


class Anomaly(Exception):
    """Counts that cannot be true. Its text is the word that lands in ``usage_anomaly``."""


def buckets(
    counts: Sequence[Any], accounting: Accounting, *, no_output: bool
) -> tuple[Buckets, bool, str | None]:
    """The seven buckets in the order of ``model.tokens.BUCKETS``, whether metered, the anomaly.

    ``counts`` in the order of ``aliases.COUNTS``, raw. A bucket that cannot be known is null. What
    a missing count means:

    - input and output both missing: a call without usage, unmetered. Never zero.
    - one of them missing: its buckets are null, the other's stand (an aborted stream knows its
      input and not what it was billed for output). An embedding has no output: zero.
    - cache and reasoning: emitters leave them out at zero, so zero where their total is known,
      unless the emitter is known never to report them.
    - cache writes without their time to live: ``cache_write_other``.
    """
    try:
        return _buckets([_count(count) for count in counts], accounting, no_output)
    except Anomaly as anomaly:
        return UNKNOWN, False, str(anomaly)


def _buckets(
    counts: Sequence[int | None], accounting: Accounting, no_output: bool
) -> tuple[Buckets, bool, str | None]:
    given, output, read, write, write_5m, write_1h, reasoning = counts
    if given is None and output is None:
        if read or write or write_5m or write_1h or reasoning:
            raise Anomaly("details_without_totals")
        return UNKNOWN, False, None

    write_by_ttl = (write_5m or 0) + (write_1h or 0)
    if write is None and (write_5m is not None or write_1h is not None):
        write = write_by_ttl
    if given is not None and accounting.cache_is_reported:
        read, write = read or 0, write or 0
    if (write or 0) < write_by_ttl:
        raise Anomaly("cache_write_ttl_exceeds_cache_write")
    uncached = given
    if given is not None and accounting.input_includes_cached:
        uncached = given - (read or 0) - (write or 0)
        if uncached < 0:
            raise Anomaly("cache_exceeds_input")

    if output is None and no_output:
        output = 0
    visible = output
    if output is not None:
        reasoning = reasoning or 0
        if accounting.output_includes_reasoning:
            visible = output - reasoning
            if visible < 0:
                raise Anomaly("reasoning_exceeds_output")
    known_write = write is not None
    return (
        (
            uncached,
            read,
            (write_5m or 0) if known_write else None,
            (write_1h or 0) if known_write else None,
            write - write_by_ttl if write is not None else None,
            visible,
            reasoning,
        ),
        True,
        None,
    )


def _count(value: Any) -> int | None:
    """A count as any encoding gives it: int, decimal text (int64 in JSON), whole double."""
    if value is None or type(value) is int:
        count = value
    elif isinstance(value, str) and value.removeprefix("-").isdecimal():
        count = int(value)
    elif isinstance(value, float) and value.is_integer():
        count = int(value)  # some SDKs know one number type only
    else:
        raise Anomaly("unreadable_count")
    if count is not None:
        if count < 0:
            raise Anomaly("negative_count")
        if count > COUNT_MAX:
            raise Anomaly("count_out_of_range")
    return count


def langfuse_counts(details: str) -> tuple[list[Any], Accounting]:
    """Counts of ``langfuse.observation.usage_details``, a JSON object of disjoint buckets.

    Langfuse sums the keys it finds, so ``input`` is what was not cached and ``output`` what was
    not reasoning. Raises Anomaly when it is no such object.
    """
    try:
        usage = orjson.loads(details)
    except orjson.JSONDecodeError as error:
        raise Anomaly("unreadable_usage_details") from error
    if not isinstance(usage, dict):
        raise Anomaly("unreadable_usage_details")

    def first(*names: str) -> Any:
        return next((usage[name] for name in names if usage.get(name) is not None), None)

    return [
        first("input", "input_tokens"),
        first("output", "output_tokens"),
        first("input_cached_tokens", "input_cache_read", "cache_read_input_tokens"),
        first("input_cache_creation", "cache_creation_input_tokens"),
        first("input_cache_creation_5m"),
        first("input_cache_creation_1h"),
        first("output_reasoning_tokens", "output_reasoning"),
    ], DISJOINT
