"""Requests that are tried again: by another worker, behind a queue, in a trace of their own.

Belongs here: which requests are tried again, and what of it happens. Does not: what the first
attempt was (``traffic``). The vendor bills both attempts. The worker belongs to nobody in
particular and still says the name of whatever it did last; the envelope and a span link say whose
the work is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attribution_pipeline.simulator.cluster import Clusters
from attribution_pipeline.simulator.company import (
    INTERNAL,
    RETRY_WORKLOAD,
    TENANTS,
    WORKFLOWS,
    WORKLOAD,
)
from attribution_pipeline.simulator.envelopes import Carried, signer_of_pod
from attribution_pipeline.simulator.traffic import DAY_MS, Chunk

RETRIED_SHARE = 0.20
"""Of the requests that carry an envelope."""
SHORTEST_WAIT_MS, LONGEST_WAIT_MS = 30_000, 900_000
_WORKER_SAYS = next(
    n for n, workflow in enumerate(WORKFLOWS) if workflow.workload == RETRY_WORKLOAD
)


@dataclass(frozen=True)
class Retries:
    """The second attempts as a chunk of their own. ``of``: the call that each root tries again."""

    chunk: Chunk
    of: np.ndarray


def chosen(chunk: Chunk, clusters: Clusters, rng: np.random.Generator) -> np.ndarray:
    """Which roots are tried again."""
    signed = signer_of_pod(clusters)[chunk.root_pod] == 0
    picked: np.ndarray = signed & (rng.random(len(chunk.root_who)) < RETRIED_SHARE)
    return picked


def retry(
    chunk: Chunk, picked: np.ndarray, clusters: Clusters, rng: np.random.Generator, *,
    day_end_ms: int, last_day: bool,
) -> Retries:  # fmt: skip
    """The last call of every picked root once more. On the last day nothing runs past midnight."""
    last = np.full(len(chunk.root_who), -1)
    last[chunk.call_root] = np.arange(len(chunk.call_root))
    of = last[picked & (last >= 0)]
    wait = rng.integers(SHORTEST_WAIT_MS, LONGEST_WAIT_MS, len(of))
    moved = wait + chunk.call_end[of] - chunk.call_start[of]
    fits = chunk.call_end[of] + moved + 20 < day_end_ms + (0 if last_day else DAY_MS)
    of, moved = of[fits], moved[fits]
    workers = np.array(clusters.callers[WORKLOAD[RETRY_WORKLOAD]])
    served = chunk.has_server_span[of]
    roots, none = np.arange(len(of)), np.zeros(0, dtype=np.int64)
    begun, ended = chunk.call_start[of] + moved, chunk.call_end[of] + moved
    again = Chunk(
        chunk.call_who[of], workers[rng.integers(0, len(workers), len(of))], begun - 15, ended + 20,
        roots, chunk.call_model[of], begun, ended,
        np.where(served, chunk.served_start[of] + moved, 0),
        np.where(served, chunk.served_end[of] + moved, 0),
        chunk.serving_pod[of], chunk.buckets[of], np.zeros(len(of), dtype=bool),
        chunk.unmetered[of], none, none, none,
    )  # fmt: skip
    return Retries(again, of)


def carry_on(
    retries: Retries, first: Carried, chunk: Chunk, traces: list[str], call_ids: list[str],
    rng: np.random.Generator,
) -> Carried:  # fmt: skip
    """What the second attempts carry: the first's envelope, a link to it, and a stranger's name.

    Every other one says nothing on the call's own span: its consumer span has it all.
    """
    roots = chunk.call_root[retries.of].tolist()
    true_tenant = chunk.call_who[retries.of] // len(WORKFLOWS)
    stranger = (true_tenant + rng.integers(1, INTERNAL, len(roots))) % len(TENANTS)
    links = [
        f'"links":[{{"traceId":"{traces[call]}","spanId":"{call_ids[call]}"}}],'
        for call in retries.of.tolist()
    ]
    return Carried(
        stranger * len(WORKFLOWS) + _WORKER_SAYS, [first.envelopes[root] for root in roots], links,
        first.unverified[roots], np.arange(len(roots)) % 2 == 1,
    )  # fmt: skip
