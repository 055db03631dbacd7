"""What a day's traffic amounts to: tokens by meter, active time by pod, spans by who; exact counts.

Belongs here: sums that do not grow with traffic, of what happened and of what reached us. Does not:
prices (``charges``), rows of truth (``truth``).

Every sum is split by *status*, what became of the evidence:

- KNOWN: every carrier of the cause reached us;
- NAMELESS: the work was seen, its identity was not;
- UNSEEN: nothing that would put the work on this meter or pod reached us.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from attribution_pipeline.simulator.company import MODELS, SERVING_BY_ADDRESS, SKUS, WHO_COUNT
from attribution_pipeline.simulator.traffic import DAY_MS, Chunk

KNOWN, NAMELESS, UNSEEN = 0, 1, 2
STATUSES = 3
HOURS = 24


@dataclass
class DayTally:
    """Sums of one day. ``ms``: pod x who x status of true active time."""

    start_ms: int
    pods: int
    tokens: np.ndarray = field(init=False)
    """sku x who x status."""
    hourly: np.ndarray = field(init=False)
    """sku x hour."""
    calls: np.ndarray = field(init=False)
    """Calls that end on the day, by model."""
    ms: np.ndarray = field(init=False)
    evidence_ms: np.ndarray = field(init=False)
    """pod: active time that our spans show."""
    moved_ms: np.ndarray = field(init=False)
    """pod: sum over calls of |true - shown|."""
    pod_calls: np.ndarray = field(init=False)
    spans: np.ndarray = field(init=False)
    """who (one more for nobody): spans that the pods emitted."""

    def __post_init__(self) -> None:
        self.tokens = np.zeros((len(SKUS), WHO_COUNT, STATUSES), dtype=np.int64)
        self.hourly = np.zeros((len(SKUS), HOURS), dtype=np.int64)
        self.calls = np.zeros(len(MODELS), dtype=np.int64)
        self.ms = np.zeros((self.pods, WHO_COUNT, STATUSES), dtype=np.int64)
        self.evidence_ms = np.zeros(self.pods, dtype=np.int64)
        self.moved_ms = np.zeros(self.pods, dtype=np.int64)
        self.pod_calls = np.zeros(self.pods, dtype=np.int64)
        self.spans = np.zeros(WHO_COUNT + 1, dtype=np.int64)

    def add_calls(self, chunk: Chunk, client_seen: np.ndarray, server_seen: np.ndarray) -> None:
        """Calls of a chunk: tokens of those that end on this day, time of all that touch it."""
        end = chunk.call_end
        here = (end >= self.start_ms) & (end < self.start_ms + DAY_MS)
        metered = client_seen & ~chunk.unmetered
        status = np.where(metered, np.where(chunk.identity_lost, NAMELESS, KNOWN), UNSEEN)
        self._add_tokens(chunk, here, status)
        self.calls += np.bincount(chunk.call_model[here], minlength=len(MODELS))
        self._add_time(chunk, client_seen, server_seen)

    def _add_tokens(self, chunk: Chunk, here: np.ndarray, status: np.ndarray) -> None:
        who, hour = chunk.call_who, (chunk.call_end - self.start_ms) // (DAY_MS // HOURS)
        for number, sku in enumerate(SKUS):
            rows = np.flatnonzero(here & (chunk.call_model == sku.model))
            if len(rows):
                tokens = chunk.buckets[np.ix_(rows, np.array(sku.buckets))].sum(axis=1)
                np.add.at(self.tokens[number], (who[rows], status[rows]), tokens)
                np.add.at(self.hourly[number], hour[rows], tokens)

    def _add_time(self, chunk: Chunk, client_seen: np.ndarray, server_seen: np.ndarray) -> None:
        served, who = chunk.has_server_span, chunk.call_who
        called_ms = self._clip(chunk.call_start, chunk.call_end)
        served_ms = self._clip(chunk.served_start, chunk.served_end)
        # the server says when it worked, on its caller's pod too
        active = np.where(served, served_ms, called_ms)
        named = client_seen & ~chunk.identity_lost
        known = np.where(named, KNOWN, NAMELESS)

        shown = np.where(client_seen, np.where(served & server_seen, served_ms, called_ms), 0)
        status = np.where(client_seen, known, UNSEEN)
        self._add_to_pods(chunk.call_pod, who, status, active, shown)

        by_address = np.array([m.serving == SERVING_BY_ADDRESS for m in MODELS])[chunk.call_model]
        seen = np.where(by_address, client_seen, server_seen)
        at_server = chunk.serving_pod >= 0
        self._add_to_pods(
            chunk.serving_pod[at_server], who[at_server],
            np.where(seen, known, UNSEEN)[at_server], active[at_server],
            np.where(seen, active, 0)[at_server],
        )  # fmt: skip

    def _clip(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        last = self.start_ms + DAY_MS
        clipped: np.ndarray = np.minimum(end, last) - np.maximum(start, self.start_ms)
        clipped[clipped < 0] = 0
        return clipped

    def _add_to_pods(
        self, pod: np.ndarray, who: np.ndarray, status: np.ndarray, active: np.ndarray,
        shown: np.ndarray,
    ) -> None:  # fmt: skip
        touches = (active > 0) | (shown > 0)
        pod, who, status = pod[touches], who[touches], status[touches]
        active, shown = active[touches], shown[touches]
        np.add.at(self.ms, (pod, who, status), active)
        np.add.at(self.evidence_ms, pod, shown)
        np.add.at(self.moved_ms, pod, np.abs(active - shown))
        self.pod_calls += np.bincount(pod, minlength=self.pods)

    def add_spans(self, who: np.ndarray) -> None:
        """Spans that pods emitted, by who; ``WHO_COUNT`` for nobody."""
        self.spans += np.bincount(who, minlength=WHO_COUNT + 1)
