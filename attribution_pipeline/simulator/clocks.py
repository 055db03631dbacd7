"""Clocks that are wrong: what the spans of a node say of when, and a collector of when it uploaded.

Belongs here: whose clock is off and by how much. Does not: when things happened (``traffic``).

A clock belongs to a machine, so all pods of a node are off together. They are ahead, never behind:
a span then moves to the next day, which is still to come, and the last day only loses. A
collector's clock moves objects to another folder and no span.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from attribution_pipeline.simulator.cluster import Clusters
from attribution_pipeline.simulator.faults import CLOCK_SKEW
from attribution_pipeline.simulator.traffic import Chunk

MINUTE_MS = 60_000
AHEAD: tuple[tuple[int, int], ...] = ((3, 23), (1, 4))
"""Application node whose clock is ahead, by its place among them, and by how many minutes."""
COLLECTOR_BEHIND_MINUTES = 6
"""The GPU cluster's collector."""


def shown(chunk: Chunk, clusters: Clusters, faults: frozenset[str]) -> Chunk:
    """The chunk as its pods' clocks tell it; the chunk itself where they are right."""
    if CLOCK_SKEW not in faults:
        return chunk
    of_node = {clusters.app_nodes[rank]: minutes * MINUTE_MS for rank, minutes in AHEAD}
    shift = np.array([of_node.get(pod.node, 0) for pod in clusters.pods])
    root, call = shift[chunk.root_pod], shift[chunk.call_pod]
    tool = root[chunk.tool_root]
    return replace(
        chunk, root_start=chunk.root_start + root, root_end=chunk.root_end + root,
        call_start=chunk.call_start + call, call_end=chunk.call_end + call,
        tool_start=chunk.tool_start + tool, tool_end=chunk.tool_end + tool,
    )  # fmt: skip


def upload_shift_ms(faults: frozenset[str], *, is_gpu: bool) -> int:
    """By how much a collector's clock is off."""
    return -COLLECTOR_BEHIND_MINUTES * MINUTE_MS if CLOCK_SKEW in faults and is_gpu else 0
