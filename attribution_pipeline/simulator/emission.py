"""From what happened to what reached us: a chunk's spans, the faults, the tallies, the objects.

Belongs here: which spans a chunk has, and that each is counted whether it arrives or not. Does not:
the draws (``traffic``), span text (``emitters``), documents (``objects``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attribution_pipeline.simulator import emitters
from attribution_pipeline.simulator.cluster import Clusters
from attribution_pipeline.simulator.company import WHO_COUNT
from attribution_pipeline.simulator.faults import HOUR_MS, LOST_HOUR_OF_DAY, arrives
from attribution_pipeline.simulator.objects import SpanBatch, SpanWriter
from attribution_pipeline.simulator.tally import DayTally
from attribution_pipeline.simulator.traffic import Chunk


@dataclass(frozen=True)
class Streams:
    """Random numbers of one chunk: ids, upload delays, and what the faults hit."""

    ids: np.random.Generator
    delays: np.random.Generator
    luck: np.random.Generator


def emit(
    chunk: Chunk, today: DayTally, tomorrow: DayTally, clusters: Clusters, writer: SpanWriter, *,
    day_number: int, loses_an_hour: bool, streams: Streams,
) -> int:  # fmt: skip
    """Tally a chunk and write what of it arrives; how many spans its pods emitted."""
    hour = None
    if loses_an_hour:
        start = today.start_ms + LOST_HOUR_OF_DAY * HOUR_MS
        hour = (start, start + HOUR_MS)
    server = np.flatnonzero(chunk.has_server_span)
    ends = (chunk.call_end, chunk.served_end[server], chunk.root_end, chunk.tool_end)
    pods = (chunk.call_pod, chunk.serving_pod[server], chunk.root_pod,
            chunk.root_pod[chunk.tool_root])  # fmt: skip
    kept = [
        arrives(
            writer.faults, streams.luck, end, pod, lost_hour=hour, silent_pod=clusters.silent_pod
        )
        for end, pod in zip(ends, pods, strict=True)
    ]
    _tally(chunk, today, tomorrow, server, kept)
    texts, scopes = _texts(chunk, server, streams.ids)
    keep = np.concatenate(kept)
    batch = SpanBatch(
        [text for text, wanted in zip(texts, keep.tolist(), strict=True) if wanted],
        np.concatenate(ends)[keep], np.concatenate(pods)[keep], scopes[keep],
    )  # fmt: skip
    writer.write(batch, day_number, streams.delays, streams.luck)
    return sum(map(len, ends))


def _tally(
    chunk: Chunk, today: DayTally, tomorrow: DayTally, server: np.ndarray, kept: list[np.ndarray]
) -> None:
    server_seen = np.zeros(len(chunk.call_end), dtype=bool)
    server_seen[server] = kept[1]
    for tally in (today, tomorrow):
        tally.add_calls(chunk, kept[0], server_seen)
    for who in (
        np.where(chunk.identity_lost, WHO_COUNT, chunk.call_who), chunk.call_who[server],
        chunk.root_who, chunk.root_who[chunk.tool_root],
    ):  # fmt: skip
        today.add_spans(who)


def _texts(
    chunk: Chunk, server: np.ndarray, rng: np.random.Generator
) -> tuple[list[str], np.ndarray]:
    """Every span of a chunk: calls, server spans, roots, tools; and their scopes."""
    roots, calls, tools = len(chunk.root_who), len(chunk.call_model), len(chunk.tool_root)
    root_traces, root_ids = emitters.trace_ids(rng, roots), emitters.span_ids(rng, roots)
    call_ids = emitters.span_ids(rng, calls)
    lost = chunk.identity_lost.tolist()
    orphans = emitters.trace_ids(rng, int(chunk.identity_lost.sum()))
    traces = [orphans.pop() if gone else root_traces[r]
              for gone, r in zip(lost, chunk.call_root.tolist(), strict=True)]  # fmt: skip
    parents = ["" if gone else root_ids[r]
               for gone, r in zip(lost, chunk.call_root.tolist(), strict=True)]  # fmt: skip
    usage = emitters.call_usage(chunk)
    texts = emitters.client_spans(chunk, traces, parents, call_ids, usage)
    texts += emitters.server_spans(
        chunk, server.tolist(), traces, emitters.span_ids(rng, len(server)), call_ids, usage
    )
    texts += emitters.root_spans(chunk, root_traces, root_ids)
    texts += emitters.tool_spans(chunk, root_traces, root_ids, emitters.span_ids(rng, tools))
    scopes = np.concatenate([
        np.array(emitters.SCOPE_OF_MODEL)[chunk.call_model],
        np.full(len(server), emitters.SERVER_SCOPE),
        np.full(roots + tools, emitters.APP_SCOPE),
    ])  # fmt: skip
    return texts, scopes
