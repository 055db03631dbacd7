"""OpenCost: /allocation and /assets of whole UTC days, each answer an object of its day.

Belongs here: which days are asked for, the query, what an answer must be to be kept. Does not: rows
of an answer (``sources.opencost`` reads them when they land), transport.

A day is asked for once. OpenCost's answer changes with its cache, retention and price list
(facts/opencost.md, section 7), so a replay works from the bytes that are kept here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from attribution_pipeline.sources.opencost.envelope import REFUSALS, Payload, parse
from attribution_pipeline.sources.pull.place import Place
from attribution_pipeline.sources.pull.transport import Answer, PullFailed, Transport
from attribution_pipeline.sources.rejection import ObjectRefused

SETTLES_AFTER = timedelta(hours=1)
"""After midnight: the last scrape is in, and a restart of the server has been caught up with."""

KEPT_DAYS = 14
"""How far back an unasked day is looked for. OpenCost's own collector keeps 15 days (helm chart
1.120.1); with Prometheus behind it more is there, and ``--from`` asks for it."""

QUESTIONS = {
    "allocation": (
        "/allocation",
        (
            ("includeIdle", "true"), ("idleByNode", "true"), ("shareIdle", "false"),
            ("includeAggregatedMetadata", "true"),
        ),
    ),
    "assets": ("/assets", ()),
}  # fmt: skip
"""Design, Evidence: container grain, idle by node and not shared. Nothing else: a parameter that
the handler does not know is ignored with a 200 (facts/opencost.md, section 1.3)."""


@dataclass(frozen=True)
class Kept:
    """One object that a pull has written."""

    name: str
    size: int
    detail: str = ""


def due_days(now: datetime, first_day: date, back: int = KEPT_DAYS) -> list[date]:
    """Days whose answers can be asked for at ``now``: over, settled, not before ``first_day``."""
    last = (now - SETTLES_AFTER).date() - timedelta(days=1)
    first = max(first_day, now.date() - timedelta(days=back))
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def require_over(day: date, now: datetime) -> None:
    """Raises PullFailed for a day that has not settled: half a day would stand for a whole one."""
    over = datetime.combine(day + timedelta(days=1), time(), UTC) + SETTLES_AFTER
    if now < over:
        raise PullFailed(
            "day_not_over", f"{day} has not settled", where="opencost",
            remedy=f"ask at {over:%Y-%m-%dT%H:%M:%SZ} or later",
        )  # fmt: skip


def window(day: date) -> str:
    """The day as OpenCost's one replayable spelling: two RFC 3339 instants with Z."""
    return f"{day}T00:00:00Z,{day + timedelta(days=1)}T00:00:00Z"


def name_of(day: date, question: str) -> str:
    """What the answer is kept as. One name a day: an answer that is asked for again replaces it."""
    return f"{day}/{question}.json"


def missing(place: Place, day: date) -> list[str]:
    """The questions of a day that have no answer yet."""
    return [question for question in QUESTIONS if not place.has(name_of(day, question))]


def pull_day(
    transport: Transport, place: Place, day: date, now: datetime, *, again: bool = False
) -> Iterator[Kept]:
    """Ask what is missing of one day, and keep it. Raises PullFailed."""
    require_over(day, now)
    for question in QUESTIONS if again else missing(place, day):
        path, parameters = QUESTIONS[question]
        answer = transport.get(path, (("window", window(day)), *parameters))
        _require_evidence(answer, question, day, transport.endpoint + path)
        name = name_of(day, question)
        place.keep(answer.file, name)
        yield Kept(name, answer.size, f"{day} {question}")


OF_THE_DAY = ("no_rows", "other_window", "other_answer", *REFUSALS)
"""Reasons that say something of one day; of any other reason the next day would hear it again."""


def _require_evidence(answer: Answer, question: str, day: date, where: str) -> None:
    """The reader's own judgement, before the answer stands for the day."""
    try:
        payload = parse(answer.read(), where)
    except ObjectRefused as no:
        raise PullFailed(
            no.reason, no.what, where=where, remedy="the next run asks again"
        ) from None
    if payload.kind != question and _has_rows(payload):
        raise PullFailed("other_answer", f"is no {question}", where=where)
    if not _has_rows(payload):
        raise PullFailed(
            "no_rows", f"has nothing of {day}", where=where,
            remedy="is the day still kept there? an empty answer does not stand for a day",
        )  # fmt: skip
    if not any(_is_of(row, day) for _, _, row in payload.rows()):
        raise PullFailed("other_window", f"answers with another window than {day}", where=where)


def _has_rows(payload: Payload) -> bool:
    return next(payload.rows(), None) is not None


def _is_of(row: object, day: date) -> bool:
    said = row.get("window") if isinstance(row, dict) else None
    start = said.get("start") if isinstance(said, dict) else None
    return isinstance(start, str) and start.startswith(f"{day}T00:00:00")
