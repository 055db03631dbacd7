"""From what happened to what reached us: a chunk's spans, the faults, the tallies, the objects.

Belongs here: which spans a chunk has, and that each is counted whether it arrives or not. Does not:
the draws (``traffic``), span text (``emitters``, ``instrumentation``), what spans say of who
(``envelopes``), documents (``objects``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attribution_pipeline.simulator import clocks, emitters, instrumentation
from attribution_pipeline.simulator.cluster import Clusters
from attribution_pipeline.simulator.company import WHO_COUNT
from attribution_pipeline.simulator.envelopes import (
    Carried,
    carry,
    envelopes_of_calls,
    links_of_calls,
    words_of_calls,
)
from attribution_pipeline.simulator.faults import (
    DOUBLE_INSTRUMENTATION,
    HOUR_MS,
    LOST_HOUR_OF_DAY,
    arrives,
)
from attribution_pipeline.simulator.instrumentation import Second
from attribution_pipeline.simulator.objects import SpanBatch, SpanWriter
from attribution_pipeline.simulator.tally import KNOWN, NAMELESS, UNVERIFIED, DayTally, Seen
from attribution_pipeline.simulator.traffic import Chunk


@dataclass(frozen=True)
class Streams:
    """Random numbers of one chunk. One fault's never shift another's."""

    ids: np.random.Generator
    delays: np.random.Generator
    luck: np.random.Generator
    """What is withheld and repeated."""
    identity: np.random.Generator
    """Envelopes and their forgeries."""
    second: np.random.Generator
    """Second spans, and which of them arrive."""


@dataclass(frozen=True)
class Ids:
    """Ids of a chunk's spans. ``traces`` and ``parents`` by call."""

    root_traces: list[str]
    roots: list[str]
    calls: list[str]
    traces: list[str]
    parents: list[str]
    server: list[str]
    tools: list[str]


@dataclass
class Emitter:
    """Writes chunks of one day. ``loses_an_hour``: the fault ``lost_hour`` strikes today."""

    clusters: Clusters
    writer: SpanWriter
    day_number: int
    today: DayTally
    tomorrow: DayTally
    loses_an_hour: bool

    def ids(self, chunk: Chunk, rng: np.random.Generator) -> Ids:
        """New ids for every span of a chunk. A call whose context got lost is a trace of its own."""
        roots, lost = len(chunk.root_who), chunk.identity_lost.tolist()
        root_traces, root_ids = emitters.trace_ids(rng, roots), emitters.span_ids(rng, roots)
        call_ids = emitters.span_ids(rng, len(chunk.call_model))
        orphans = emitters.trace_ids(rng, sum(lost))
        of = chunk.call_root.tolist()
        traces = [
            orphans.pop() if gone else root_traces[r] for gone, r in zip(lost, of, strict=True)
        ]
        parents = ["" if gone else root_ids[r] for gone, r in zip(lost, of, strict=True)]
        server = emitters.span_ids(rng, int(chunk.has_server_span.sum()))
        tools = emitters.span_ids(rng, len(chunk.tool_root))
        return Ids(root_traces, root_ids, call_ids, traces, parents, server, tools)

    def emit(
        self, chunk: Chunk, ids: Ids, streams: Streams, *,
        carried: Carried | None = None, spared: np.ndarray | None = None,
    ) -> tuple[int, Carried]:  # fmt: skip
        """Tally a chunk and write what of it arrives: how many spans its pods emitted, and what
        they carried. ``carried``: what they carry where it is not for ``envelopes`` to say;
        ``spared``: see ``envelopes.carry``."""
        faults = self.writer.faults
        server = np.flatnonzero(chunk.has_server_span)
        ends = (chunk.call_end, chunk.served_end[server], chunk.root_end, chunk.tool_end)
        pods = (chunk.call_pod, chunk.serving_pod[server], chunk.root_pod,
                chunk.root_pod[chunk.tool_root])  # fmt: skip
        kept = [self._arrives(streams.luck, end, pod) for end, pod in zip(ends, pods, strict=True)]
        found = instrumentation.none(chunk)
        sums: Sequence[str] = [""] * len(chunk.root_who)
        if DOUBLE_INSTRUMENTATION in faults:
            found = instrumentation.second(chunk, streams.second)
            sums = instrumentation.sums(chunk, streams.second)
        second_end, second_pod = chunk.call_end[found.call], chunk.call_pod[found.call]
        second_pod = np.where(found.by_gateway, self.writer.gateway, second_pod)
        kept_second = self._arrives(streams.second, second_end, second_pod)
        shown = clocks.shown(chunk, self.clusters, faults)
        if carried is None:
            # the clock that starts a span is the one that issues its envelope
            nothing = np.zeros(len(chunk.root_who), dtype=bool)
            carried = carry(
                shown, self.clusters, faults, streams.identity,
                whole=_whole(chunk, kept[2], kept[0]), spared=nothing if spared is None else spared,
            )  # fmt: skip
        self._tally(chunk, _seen(chunk, shown, carried, server, kept, found, kept_second), server)
        texts, scopes = _texts(shown, carried, ids, server, found, sums)
        keep = np.concatenate([*kept, kept_second])
        batch = SpanBatch(
            [text for text, wanted in zip(texts, keep.tolist(), strict=True) if wanted],
            np.concatenate([*ends, second_end])[keep], np.concatenate([*pods, second_pod])[keep],
            scopes[keep],
        )  # fmt: skip
        self.writer.write(batch, self.day_number, streams.delays, streams.luck)
        return len(keep), carried

    def _arrives(self, luck: np.random.Generator, end: np.ndarray, pod: np.ndarray) -> np.ndarray:
        hour = None
        if self.loses_an_hour:
            start = self.today.start_ms + LOST_HOUR_OF_DAY * HOUR_MS
            hour = (start, start + HOUR_MS)
        return arrives(
            self.writer.faults, luck, end, pod, lost_hour=hour, silent_pod=self.clusters.silent_pod
        )

    def _tally(self, chunk: Chunk, seen: Seen, server: np.ndarray) -> None:
        for tally in (self.today, self.tomorrow):
            tally.add_calls(chunk, seen)
        # the vendor of observability counts a span once, whoever reports it twice
        for who in (
            np.where(chunk.identity_lost, WHO_COUNT, chunk.call_who), chunk.call_who[server],
            chunk.root_who, chunk.root_who[chunk.tool_root],
        ):  # fmt: skip
            self.today.add_spans(who)


def _whole(chunk: Chunk, root_kept: np.ndarray, call_kept: np.ndarray) -> np.ndarray:
    """Roots of which the root span and every call's span arrive."""
    whole = root_kept.copy()
    whole[chunk.call_root[~call_kept]] = False
    return whole


def _seen(
    chunk: Chunk, shown: Chunk, carried: Carried, server: np.ndarray, kept: list[np.ndarray],
    found: Second, kept_second: np.ndarray,
) -> Seen:  # fmt: skip
    """What arrived of each call, and what it tells."""
    calls, client = len(chunk.call_model), kept[0]
    server_seen = np.zeros(calls, dtype=bool)
    server_seen[server] = kept[1]
    own, gateway = np.zeros(calls, dtype=bool), np.zeros(calls, dtype=bool)
    own[found.call[kept_second & ~found.by_gateway]] = True
    gateway[found.call[kept_second & found.by_gateway]] = True
    root = chunk.call_root
    # a silent call is known by its root's span alone, and only while no span between them is lost
    climbs = kept[2][root] & instrumentation.reaches_root(found, client, kept_second)
    says = ~chunk.identity_lost & (~carried.silent[root] | climbs)
    has_envelope = np.array([bool(text) for text in carried.envelopes], dtype=bool)[root]
    passed_on = gateway & has_envelope & ~carried.silent[root]
    told = ((client | own) & says) | passed_on
    identity = np.where(told, np.where(carried.unverified[root], UNVERIFIED, KNOWN), NAMELESS)
    return Seen(
        tokens=client | own | gateway, lifetimes=client, caller=client | own, server=server_seen,
        identity=identity, start=shown.call_start, end=shown.call_end,
    )  # fmt: skip


def _texts(
    shown: Chunk, carried: Carried, ids: Ids, server: np.ndarray, found: Second, sums: Sequence[str]
) -> tuple[list[str], np.ndarray]:
    """Every span of a chunk: calls, server spans, roots, tools, second spans; and their scopes."""
    usage = emitters.call_usage(shown)
    words = words_of_calls(carried, shown.call_root, shown.identity_lost)
    call_links = links_of_calls(carried)
    texts = emitters.client_spans(
        shown, ids.traces, instrumentation.wrap(found, ids.parents), ids.calls, usage, words,
        call_links,
    )  # fmt: skip
    texts += emitters.server_spans(shown, server.tolist(), ids.traces, ids.server, ids.calls, usage)
    texts += emitters.root_spans(
        shown, ids.root_traces, ids.roots, carried.words(), carried.links, sums
    )
    texts += emitters.tool_spans(shown, ids.root_traces, ids.roots, ids.tools)
    scopes = [
        np.array(emitters.SCOPE_OF_MODEL)[shown.call_model],
        np.full(len(server), emitters.SERVER_SCOPE),
        np.full(len(ids.roots) + len(ids.tools), emitters.APP_SCOPE),
    ]
    if len(found.call):
        envelopes = envelopes_of_calls(carried, shown.call_root, shown.identity_lost)
        texts += instrumentation.texts(
            shown, found, ids.traces, ids.parents, ids.calls, words, envelopes, call_links
        )
        scopes.append(instrumentation.scopes(shown, found))
    return texts, np.concatenate(scopes)
