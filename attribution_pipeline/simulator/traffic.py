"""What happens on a day, drawn by the chunk: requests, their model calls, who caused them, when.

Belongs here: the draws, vectorised, one chunk of a day at a time. Does not: how a span is written
(``emitters``, ``objects``), what it costs (``charges``), what does not reach us (``faults``).

A *root* is one request: a trace with one agent or http span, one to a few model calls and some tool
spans. Times are whole milliseconds, so that active time is exact. A call belongs to the day on
which it ends; only on the last day does nothing run past midnight, because nobody bills the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from attribution_pipeline.simulator.company import (
    DEDICATED,
    DEDICATED_WORKFLOWS,
    INTERNAL,
    MODELS,
    SERVER_SPAN_PROVIDER,
    SIGNERS,
    TENANTS,
    WORKFLOWS,
    WORKLOAD,
    WORKLOADS,
    ZIPF_EXPONENT,
)

if TYPE_CHECKING:
    from attribution_pipeline.simulator.cluster import Clusters

DAY_MS = 86_400_000
MINUTES = 1440

CHUNK_SPANS = 50_000
"""Spans drawn at once: what bounds memory, whatever the size of a day."""

ROOT_SHARE, CALL_SHARE = 0.20, 0.40
"""Of all spans. Server spans of self-hosted calls come on top, tool spans fill up."""

IDENTITY_LOST_SHARE = 0.003
"""Calls whose context got lost before the span began: a root trace of their own, no who."""
UNMETERED_SHARE = 0.002
"""Streamed calls whose usage the emitter never saw."""
MIN_CALL_MS, MAX_CALL_MS = 60, 170_000
MAX_INPUT_TOKENS = 190_000


TASTE_SEED = 20261005
"""What tenants like is part of the company: it does not change with the seed of its traffic."""


@dataclass
class Chunk:
    """Arrays of one chunk. Times in unix milliseconds; ``who`` and ``pod`` are numbers."""

    root_who: np.ndarray
    root_pod: np.ndarray
    root_start: np.ndarray
    root_end: np.ndarray
    call_root: np.ndarray
    call_model: np.ndarray
    call_start: np.ndarray
    call_end: np.ndarray
    served_start: np.ndarray  # of server spans, 0 where there is none
    served_end: np.ndarray
    serving_pod: np.ndarray  # -1 where the vendor serves
    buckets: np.ndarray  # calls x 7, in order of model.tokens.BUCKETS
    identity_lost: np.ndarray
    unmetered: np.ndarray
    tool_root: np.ndarray
    tool_start: np.ndarray
    tool_end: np.ndarray

    @property
    def call_who(self) -> np.ndarray:
        who: np.ndarray = self.root_who[self.call_root]
        return who

    @property
    def call_pod(self) -> np.ndarray:
        pod: np.ndarray = self.root_pod[self.call_root]
        return pod

    @property
    def has_server_span(self) -> np.ndarray:
        return self.served_end > 0


@dataclass(frozen=True)
class Habits:
    """Probabilities that do not change from day to day."""

    minute_total: np.ndarray  # cumulative intensity by minute
    workflow_by_minute: np.ndarray  # minutes x workflows, cumulative
    tenant_by_workflow: np.ndarray  # workflows x tenants, cumulative
    model_by_workflow: np.ndarray  # workflows x models, cumulative


@cache
def habits() -> Habits:
    """The company's habits: diurnal traffic, jobs at fixed hours, Zipf-shaped tenants."""
    minute = np.arange(MINUTES)
    diurnal = 0.25 + np.exp(-(((minute - 13.5 * 60) / 260.0) ** 2))
    diurnal = diurnal / diurnal.sum()
    intensity = np.zeros((MINUTES, len(WORKFLOWS)))
    for number, workflow in enumerate(WORKFLOWS):
        job = WORKLOADS[WORKLOAD[workflow.workload]].job
        if job is not None:
            # a margin, so that the last call of a job ends while its pod still runs
            inside = (minute >= job[0]) & (minute < job[1] - 20)
            shape = inside / inside.sum()
        elif workflow.hourly:
            shape = (minute % 60 < 5) / (minute % 60 < 5).sum()
        else:
            shape = diurnal
        intensity[:, number] = workflow.weight * shape
    zipf = 1.0 / np.arange(1, len(TENANTS) + 1) ** ZIPF_EXPONENT
    taste = np.random.Generator(np.random.PCG64(TASTE_SEED)).uniform(
        0.3, 2.0, (len(WORKFLOWS), len(TENANTS))
    )
    tenants = zipf * taste
    tenants[:, INTERNAL] = 0.01
    for number, workflow in enumerate(WORKFLOWS):
        if workflow.name == "eval-suite":
            tenants[number] = 0.02 * zipf
            tenants[number, INTERNAL] = 1
    mix = np.zeros((len(WORKFLOWS), len(MODELS)))
    for number, workflow in enumerate(WORKFLOWS):
        for model, share in workflow.mix:
            mix[number, model] += share
    return Habits(
        np.cumsum(intensity.sum(1)), _cumulative(intensity), _cumulative(tenants), _cumulative(mix)
    )


def _cumulative(weights: np.ndarray) -> np.ndarray:
    rows: np.ndarray = np.cumsum(weights, axis=1)
    shares: np.ndarray = rows / rows[:, -1:]
    return shares


def _pick(rng: np.random.Generator, cumulative: np.ndarray) -> np.ndarray:
    """One column for each row of cumulative probabilities."""
    column: np.ndarray = (cumulative < rng.random(len(cumulative))[:, None]).sum(axis=1)
    return column


def draw(
    rng: np.random.Generator,
    clusters: Clusters,
    *,
    day_start_ms: int,
    spans: int,
    part: tuple[int, int],
    last_day: bool,
) -> Chunk:
    """``spans`` spans of the ``part``-th slice (number, of how many) of a day's traffic."""
    known = habits()
    roots = max(1, round(spans * ROOT_SHARE))
    calls = max(roots, round(spans * CALL_SHARE)) if spans > 2 else max(0, spans - roots)
    at = (part[0] + np.sort(rng.random(roots))) / part[1] * known.minute_total[-1]
    minute = np.minimum(np.searchsorted(known.minute_total, at), MINUTES - 1)
    workflow = _pick(rng, known.workflow_by_minute[minute])
    tenant = _pick(rng, known.tenant_by_workflow[workflow])
    start = day_start_ms + minute * 60_000 + rng.integers(0, 60_000, roots)
    order = np.argsort(start, kind="stable")
    start, workflow, tenant = start[order], workflow[order], tenant[order]
    who = tenant * len(WORKFLOWS) + workflow
    pod = _caller_pods(rng, clusters, workflow, tenant)

    extra = rng.integers(0, roots, max(0, calls - roots))
    root = np.sort(np.concatenate([np.arange(min(roots, calls)), extra]))
    model = _pick(rng, known.model_by_workflow[workflow[root]])
    buckets = _tokens(rng, workflow[root], model)
    length = _length_ms(rng, model, buckets)
    first, last = _first_and_last(root, roots)
    ends = np.cumsum(length + 25)
    before = ends - (length + 25)
    call_start = start[root] + 15 + before - before[first[root]] if len(root) else root
    call_end = call_start + length
    root_end = start + 30
    has = last >= 0
    root_end[has] = call_end[last[has]] + 20
    if last_day:
        over = np.maximum(root_end - (day_start_ms + DAY_MS - 1), 0)
        start, root_end = start - over, root_end - over
        call_start, call_end = call_start - over[root], call_end - over[root]
    served = np.array([m.provider == SERVER_SPAN_PROVIDER for m in MODELS])[model]
    lead, tail = rng.integers(2, 14, len(root)), rng.integers(1, 9, len(root))
    tools = max(0, spans - roots - len(root) - int(served.sum()))
    tool_root = rng.integers(0, roots, tools)
    tool_start = start[tool_root] + (
        rng.random(tools) * (root_end - start)[tool_root] * 0.8
    ).astype(np.int64)
    tool_end = np.minimum(tool_start + rng.integers(3, 900, tools), root_end[tool_root])
    return Chunk(
        who, pod, start, root_end, root, model, call_start, call_end,
        np.where(served, call_start + lead, 0), np.where(served, call_end - tail, 0),
        _serving_pods(rng, clusters, model), buckets,
        _identity_lost(rng, clusters, pod[root]),
        (rng.random(len(root)) < UNMETERED_SHARE) & np.array([bool(m.prices) for m in MODELS])[model],
        tool_root, tool_start, tool_end,
    )  # fmt: skip


def _first_and_last(root: np.ndarray, roots: int) -> tuple[np.ndarray, np.ndarray]:
    """Of every root its first and last call, -1 for one without calls. ``root`` is sorted."""
    places = np.arange(len(root))
    first, last = np.full(roots, -1), np.full(roots, -1)
    last[root] = places
    first[root[::-1]] = places[::-1]
    return first, last


def _caller_pods(
    rng: np.random.Generator, clusters: Clusters, workflow: np.ndarray, tenant: np.ndarray
) -> np.ndarray:
    workload = np.array([WORKLOAD[w.workload] for w in WORKFLOWS])[workflow]
    pod = np.zeros(len(workflow), dtype=np.int64)
    luck = rng.random(len(workflow))
    for number, replicas in enumerate(clusters.callers):
        mask = workload == number
        # the first replicas take more: nobody balances perfectly
        pod[mask] = np.array(replicas)[(luck[mask] ** 1.2 * len(replicas)).astype(np.int64)]
    own = np.array([w.name in DEDICATED_WORKFLOWS for w in WORKFLOWS])[workflow]
    for name in DEDICATED:
        number = TENANTS.index(name)
        for (owner_workload, owner), pods in clusters.own.items():
            if owner == number:
                pod[own & (tenant == number) & (workload == owner_workload)] = pods[0]
    return pod


def _serving_pods(rng: np.random.Generator, clusters: Clusters, model: np.ndarray) -> np.ndarray:
    pod = np.full(len(model), -1, dtype=np.int64)
    luck = rng.random(len(model))
    for number, found in enumerate(MODELS):
        if found.serving:
            mask, replicas = model == number, np.array(clusters.servers[found.serving])
            pod[mask] = replicas[(luck[mask] * len(replicas)).astype(np.int64)]
    return pod


def _identity_lost(rng: np.random.Generator, clusters: Clusters, pod: np.ndarray) -> np.ndarray:
    """Never in a pod of one tenant: there its label could still answer. Nor in one that must sign:
    there a lost context is a stripped envelope, which is a fault."""
    may = np.array([found.tenant < 0 for found in clusters.pods]) & ~signs(clusters)
    lost: np.ndarray = (rng.random(len(pod)) < IDENTITY_LOST_SHARE) & may[pod]
    return lost


def signs(clusters: Clusters) -> np.ndarray:
    """Which pods must sign."""
    signing = {WORKLOAD[signer.workload] for signer in SIGNERS}
    return np.array([pod.workload in signing and pod.tenant < 0 for pod in clusters.pods])


def _tokens(rng: np.random.Generator, workflow: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Disjoint token buckets of each call."""
    count = len(model)
    median = np.array([w.input_tokens for w in WORKFLOWS], dtype=float)[workflow]
    asked = np.clip(median * rng.lognormal(0.0, 0.8, count), 20, MAX_INPUT_TOKENS).astype(np.int64)
    mean_out = np.array([w.output_tokens for w in WORKFLOWS], dtype=float)[workflow]
    answered = np.clip(mean_out * rng.lognormal(0.0, 0.6, count), 1, 32_000).astype(np.int64)
    cached = np.array([any(kind == "cache_read" for kind, _ in m.prices) for m in MODELS])[model]
    read = (asked * rng.beta(4, 2, count) * (rng.random(count) < 0.7) * cached).astype(np.int64)
    writes = np.array([m.cache_write for m in MODELS])[model]
    written = ((asked - read) * rng.beta(2, 4, count) * (rng.random(count) < 0.5)).astype(np.int64)
    written[writes == ""] = 0
    long_lived = (written * (rng.random(count) < 0.3) * rng.random(count)).astype(np.int64)
    split = writes == "split"
    thinks = np.array([m.reasoning for m in MODELS])[model]
    thought = (answered * rng.beta(3, 3, count) * thinks).astype(np.int64)
    answers = np.array([m.operation == "chat" for m in MODELS])[model]
    buckets = np.zeros((count, 7), dtype=np.int64)
    buckets[:, 0] = asked - read - written
    buckets[:, 1] = read
    buckets[:, 2] = np.where(split, written - long_lived, 0)
    buckets[:, 3] = np.where(split, long_lived, 0)
    buckets[:, 4] = np.where(split, 0, written)
    buckets[:, 5] = (answered - thought) * answers
    buckets[:, 6] = thought * answers
    return buckets


def _length_ms(rng: np.random.Generator, model: np.ndarray, buckets: np.ndarray) -> np.ndarray:
    speed = np.array([m.ms_per_token for m in MODELS])[model]
    waiting = 120 + buckets[:, :5].sum(axis=1) * 0.02
    length = (waiting + buckets[:, 5:].sum(axis=1) * speed) * rng.lognormal(0.0, 0.25, len(model))
    whole: np.ndarray = np.clip(length, MIN_CALL_MS, MAX_CALL_MS).astype(np.int64)
    return whole
