"""OTLP traces: OpenTelemetry spans out of every layout in which they reach a bucket or a disk.

Belongs here, one file each: which layout bytes have (``framing``), the three ways of walking spans
(``documents`` for JSON, ``protobuf``, ``parquet``), what an attribute is called by which emitter
(``aliases``), how its counts become disjoint buckets (``usage``, ``emitters``), and the row that
lands (``rows``). Does not: which spans are twins, or who pays (``attribution``).

Prompts, completions, tool arguments, events and status messages are dropped at the door, by
construction: only what ``aliases`` names, and what a policy asks for, is ever looked at.
"""

from attribution_pipeline.sources.otlp.reader import read

__all__ = ["read"]
