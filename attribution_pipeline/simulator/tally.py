"""What a day's traffic amounts to: tokens by meter, active time by pod, spans by who; exact counts.

Belongs here: sums that do not grow with traffic, of what happened and of what reached us. Does not:
prices (``charges``), rows of truth (``truth``).

Every sum is split by *status*, what became of the evidence:

- KNOWN: every carrier of the cause reached us;
- NAMELESS: the work was seen, its identity was not;
- UNSEEN: nothing that would put the work on this meter or pod reached us;
- UNVERIFIED: the work was seen, in a service that must sign, without an envelope that holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from attribution_pipeline.simulator.company import MODELS, SERVING_BY_ADDRESS, SKUS, WHO_COUNT
from attribution_pipeline.simulator.traffic import DAY_MS, Chunk

KNOWN, NAMELESS, UNSEEN, UNVERIFIED = 0, 1, 2, 3
STATUSES = 4
HOURS = 24

LIFETIME_KINDS = ("cache_write_5m", "cache_write_1h")
"""Token kinds that only the vendor's own SDK tells apart."""


@dataclass(frozen=True)
class Seen:
    """What reached us of a chunk's calls, and what it tells; arrays by call."""

    tokens: np.ndarray
    """A span that counts tokens."""
    lifetimes: np.ndarray
    """The span that tells cache writes apart by their lifetime."""
    caller: np.ndarray
    """A span from the caller's pod."""
    server: np.ndarray
    """The span of the server, where there is one."""
    identity: np.ndarray
    """KNOWN, NAMELESS or UNVERIFIED: what of what was seen says who."""
    start: np.ndarray
    end: np.ndarray
    """When the caller's clock says that it was."""


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
    astray: np.ndarray = field(init=False)
    """sku: tokens that a wrong clock takes to another day, or brings here."""
    astray_calls: np.ndarray = field(init=False)
    """sku: calls that are on this day by either clock, where any is astray."""

    def __post_init__(self) -> None:
        self.tokens = np.zeros((len(SKUS), WHO_COUNT, STATUSES), dtype=np.int64)
        self.hourly = np.zeros((len(SKUS), HOURS), dtype=np.int64)
        self.calls = np.zeros(len(MODELS), dtype=np.int64)
        self.ms = np.zeros((self.pods, WHO_COUNT, STATUSES), dtype=np.int64)
        self.evidence_ms = np.zeros(self.pods, dtype=np.int64)
        self.moved_ms = np.zeros(self.pods, dtype=np.int64)
        self.pod_calls = np.zeros(self.pods, dtype=np.int64)
        self.spans = np.zeros(WHO_COUNT + 1, dtype=np.int64)
        self.astray = np.zeros(len(SKUS), dtype=np.int64)
        self.astray_calls = np.zeros(len(SKUS), dtype=np.int64)

    def add_calls(self, chunk: Chunk, seen: Seen) -> None:
        """Calls of a chunk: tokens of those that end on this day, time of all that touch it."""
        here = self._is_here(chunk.call_end)
        self._add_tokens(chunk, here, seen)
        self.calls += np.bincount(chunk.call_model[here], minlength=len(MODELS))
        self._add_time(chunk, seen)

    def _is_here(self, end: np.ndarray) -> np.ndarray:
        here: np.ndarray = (end >= self.start_ms) & (end < self.start_ms + DAY_MS)
        return here

    def _add_tokens(self, chunk: Chunk, here: np.ndarray, seen: Seen) -> None:
        who, hour = chunk.call_who, (chunk.call_end - self.start_ms) // (DAY_MS // HOURS)
        told = np.where(seen.tokens & ~chunk.unmetered, seen.identity, UNSEEN)
        by_lifetime = np.where(seen.lifetimes, told, UNSEEN)
        shown_here = here if seen.end is chunk.call_end else self._is_here(seen.end)
        strays = bool((here != shown_here).any())
        for number, sku in enumerate(SKUS):
            of_model = chunk.call_model == sku.model
            rows = np.flatnonzero(here & of_model)
            if len(rows):
                status = by_lifetime if sku.token_kind in LIFETIME_KINDS else told
                tokens = chunk.buckets[np.ix_(rows, np.array(sku.buckets))].sum(axis=1)
                np.add.at(self.tokens[number], (who[rows], status[rows]), tokens)
                np.add.at(self.hourly[number], hour[rows], tokens)
            if strays:
                moved = np.flatnonzero((here != shown_here) & of_model)
                self.astray[number] += chunk.buckets[np.ix_(moved, np.array(sku.buckets))].sum()
            self.astray_calls[number] += np.count_nonzero((here | shown_here) & of_model)

    def _add_time(self, chunk: Chunk, seen: Seen) -> None:
        served, who = chunk.has_server_span, chunk.call_who
        called_ms = self._clip(chunk.call_start, chunk.call_end)
        served_ms = self._clip(chunk.served_start, chunk.served_end)
        told_ms = called_ms if seen.end is chunk.call_end else self._clip(seen.start, seen.end)
        # the server says when it worked, on its caller's pod too
        active = np.where(served, served_ms, called_ms)

        shown = np.where(seen.caller, np.where(served & seen.server, served_ms, told_ms), 0)
        status = np.where(seen.caller, seen.identity, UNSEEN)
        self._add_to_pods(chunk.call_pod, who, status, active, shown)

        by_address = np.array([m.serving == SERVING_BY_ADDRESS for m in MODELS])[chunk.call_model]
        at_work = np.where(by_address, seen.tokens, seen.server)
        at_server = chunk.serving_pod >= 0
        self._add_to_pods(
            chunk.serving_pod[at_server], who[at_server],
            np.where(at_work, seen.identity, UNSEEN)[at_server], active[at_server],
            np.where(at_work, np.where(served, served_ms, told_ms), 0)[at_server],
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
