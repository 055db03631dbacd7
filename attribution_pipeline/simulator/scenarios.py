"""What moves one tenant's spend on a day, by name: causes to explain, off unless they are asked for.

Belongs here: the causes and what each makes of a day's traffic. Does not: what the evidence loses
(``faults``), why spend moved (``views.explain``, which has to find out).

A cause happens: the truth and the bill know of it. It draws from streams of its own, so that every
other day, and everything of every company without a scenario, stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.simulator.company import MODELS, TENANTS, WORKFLOWS
from attribution_pipeline.simulator.emitters import number
from attribution_pipeline.simulator.traffic import Chunk, draw

if TYPE_CHECKING:
    from attribution_pipeline.simulator.cluster import Clusters

MORE_REQUESTS = "more_requests"
LONGER_PROMPTS = "longer_prompts"
LOST_CACHE = "lost_cache"
RETRY_STORM = "retry_storm"
MODEL_SWITCH = "model_switch"
PRICE_CHANGE = "price_change"

CAUSES: dict[str, str] = {
    MORE_REQUESTS: "the tenant asks three times as much",
    LONGER_PROMPTS: "its prompts are four times as long",
    LOST_CACHE: "nothing of its prompts is cached any more",
    RETRY_STORM: "each of its calls is tried again twice, and billed each time",
    MODEL_SWITCH: "its chats with vendors go to the dearest model",
    PRICE_CHANGE: "every vendor's tokens cost three times as much",
}

REQUESTS_TIMES, PROMPT_TIMES, PRICE_TIMES = 3, 4, 3
RETRIES = 2
DEAREST = max(
    range(len(MODELS)),
    key=lambda place: max((float(p) for _, p in MODELS[place].prices), default=0),
)
"""Place in ``MODELS``. It tells cache writes apart by lifetime and hides no reasoning."""

FIRST_WAIT_MS, NEXT_WAIT_MS = 2_000, 6_000
"""How long after its end a call is tried again, and once more."""

_UNCACHED, _READ, _WRITE_5M, _WRITE_1H, _WRITE, _VISIBLE, _REASONING = range(7)
"""Places in ``model.tokens.BUCKETS``."""


@dataclass(frozen=True)
class Scenario:
    """``causes``: the number of a day, from 0, -> what moves ``tenant`` on it. ``steady``: every day
    has the traffic and the shared bill of the first, so that nothing else moves at all."""

    tenant: str
    causes: Mapping[int, str] = field(default_factory=dict)
    steady: bool = False

    def __post_init__(self) -> None:
        if self.tenant not in TENANTS:
            raise Refusal(f"`{self.tenant}` is no tenant", remedy=f"use one of: {TENANTS}")
        for cause in self.causes.values():
            if cause not in CAUSES:
                raise Refusal(
                    f"`{cause}` moves no spend", remedy=f"use one of: {', '.join(CAUSES)}"
                )

    def prices_times(self, day: int) -> int:
        """By how much every price is multiplied on a day."""
        return PRICE_TIMES if self.causes.get(day) == PRICE_CHANGE else 1

    def changed(self, day: int, chunk: Chunk) -> Chunk:
        """The chunk as the cause of its day has it; itself where there is none."""
        change = {
            LONGER_PROMPTS: _longer, LOST_CACHE: _uncached, MODEL_SWITCH: _switched,
        }.get(self.causes.get(day, ""))  # fmt: skip
        return chunk if change is None else change(chunk, self._calls(chunk))

    def more_requests(
        self, day: int, rng: np.random.Generator, clusters: Clusters, *,
        day_start_ms: int, spans: int, part: tuple[int, int], last_day: bool,
    ) -> Chunk | None:  # fmt: skip
        """Further requests of the tenant, as the company draws its own; None on other days."""
        if self.causes.get(day) != MORE_REQUESTS:
            return None
        drawn = draw(
            rng, clusters, day_start_ms=day_start_ms, spans=spans * (REQUESTS_TIMES - 1),
            part=part, last_day=last_day,
        )  # fmt: skip
        return of_roots(drawn, drawn.root_who // len(WORKFLOWS) == TENANTS.index(self.tenant))

    def retries(self, day: int, chunk: Chunk, *, before_ms: int) -> list[tuple[int, Chunk]]:
        """(attempt, calls that are tried again), each a request of its own; none on other days.
        A call whose last attempt would end at ``before_ms`` or later is not tried again."""
        if self.causes.get(day) != RETRY_STORM:
            return []
        calls = np.flatnonzero(self._calls(chunk))
        length = chunk.call_end[calls] - chunk.call_start[calls]
        waits = np.array([FIRST_WAIT_MS, NEXT_WAIT_MS])[:RETRIES]
        ends = chunk.call_end[calls] + RETRIES * length + waits.sum() + 20
        calls = calls[ends < before_ms]
        length = chunk.call_end[calls] - chunk.call_start[calls]
        return [
            (attempt + 1, _again(chunk, calls, attempt * length + waits[:attempt].sum()))
            for attempt in range(1, RETRIES + 1)
        ]

    def _calls(self, chunk: Chunk) -> np.ndarray:
        is_its = chunk.call_who // len(WORKFLOWS) == TENANTS.index(self.tenant)
        mine: np.ndarray = is_its & ~chunk.identity_lost
        return mine


def attempt_text(attempt: int) -> str:
    """What a span says of which attempt it is, with a comma in front."""
    return f',{number("attribution.attempt")}{attempt}"}}}}'


def of_roots(chunk: Chunk, picked: np.ndarray) -> Chunk:
    """The picked roots of a chunk, with everything that is theirs."""
    place = np.cumsum(picked) - 1
    calls, tools = picked[chunk.call_root], picked[chunk.tool_root]
    of_call = {
        name: getattr(chunk, name)[calls]
        for name in (
            "call_model", "call_start", "call_end", "served_start", "served_end", "serving_pod",
            "buckets", "identity_lost", "unmetered",
        )
    }  # fmt: skip
    return Chunk(
        root_who=chunk.root_who[picked], root_pod=chunk.root_pod[picked],
        root_start=chunk.root_start[picked], root_end=chunk.root_end[picked],
        call_root=place[chunk.call_root[calls]], **of_call,
        tool_root=place[chunk.tool_root[tools]], tool_start=chunk.tool_start[tools],
        tool_end=chunk.tool_end[tools],
    )  # fmt: skip


def _longer(chunk: Chunk, mine: np.ndarray) -> Chunk:
    buckets = chunk.buckets.copy()
    buckets[mine, :_VISIBLE] *= PROMPT_TIMES
    return replace(chunk, buckets=buckets)


def _uncached(chunk: Chunk, mine: np.ndarray) -> Chunk:
    buckets = chunk.buckets.copy()
    buckets[mine, _UNCACHED] = buckets[mine, :_VISIBLE].sum(axis=1)
    buckets[mine, _READ:_VISIBLE] = 0
    return replace(chunk, buckets=buckets)


def _switched(chunk: Chunk, mine: np.ndarray) -> Chunk:
    """Chats with vendors alone: nobody embeds with a chat model, and machines that are ours are paid
    for whether they are called or not."""
    open_to = np.array([model.operation == "chat" and bool(model.prices) for model in MODELS])
    moved = mine & open_to[chunk.call_model] & (chunk.call_model != DEAREST)
    buckets = chunk.buckets.copy()
    buckets[moved, _WRITE_5M] += buckets[moved, _WRITE]
    buckets[moved, _WRITE] = 0
    buckets[moved, _VISIBLE] += buckets[moved, _REASONING]
    buckets[moved, _REASONING] = 0
    return replace(chunk, buckets=buckets, call_model=np.where(moved, DEAREST, chunk.call_model))


def _again(chunk: Chunk, calls: np.ndarray, later: np.ndarray) -> Chunk:
    """Some calls once more, each so many ms later."""
    served = chunk.has_server_span[calls]
    begun, ended = chunk.call_start[calls] + later, chunk.call_end[calls] + later
    none = np.zeros(0, dtype=np.int64)
    return Chunk(
        root_who=chunk.call_who[calls], root_pod=chunk.call_pod[calls], root_start=begun - 15,
        root_end=ended + 20, call_root=np.arange(len(calls)), call_model=chunk.call_model[calls],
        call_start=begun, call_end=ended,
        served_start=np.where(served, chunk.served_start[calls] + later, 0),
        served_end=np.where(served, chunk.served_end[calls] + later, 0),
        serving_pod=chunk.serving_pod[calls], buckets=chunk.buckets[calls],
        identity_lost=np.zeros(len(calls), dtype=bool), unmetered=chunk.unmetered[calls],
        tool_root=none, tool_start=none, tool_end=none,
    )  # fmt: skip
