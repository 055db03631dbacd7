"""OpenAI's and Anthropic's cost and usage APIs: a billing period at a time, all pages, one delivery.

Belongs here: which periods are asked for, the queries, pages, the receipt that makes a delivery of
them. Does not: what the pages say of money (``sources.vendor_costs`` reads them when they land).

A delivery is a whole billing period to date, because the newest delivery of a period supersedes the
older: a few re-sent days would take the rest of the month away. Its receipt is written last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from attribution_pipeline.model.months import next_month
from attribution_pipeline.sources.pull.opencost import Kept
from attribution_pipeline.sources.pull.paging import pages
from attribution_pipeline.sources.pull.place import Place
from attribution_pipeline.sources.pull.transport import Answer, Parameters, PullFailed, Transport
from attribution_pipeline.sources.vendor_costs.deliveries import IS_RUN, RECEIPT

RESTATED_FOR = timedelta(days=15)
"""After a month has ended its costs still change; AWS's take two weeks (facts/focus.md, section 5),
and neither vendor promises less."""

ANTHROPIC_VERSION = "2023-06-01"
"""Header ``anthropic-version``: the only one that the Admin API has."""


@dataclass(frozen=True)
class Question:
    """One paged report."""

    name: str
    """What its pages are called."""
    path: str
    parameters: Callable[[datetime, datetime], Parameters]
    """For a window, end exclusive."""


@dataclass(frozen=True)
class Vendor:
    """One API."""

    format: str
    """Of the billing source that it fills."""
    endpoint: str
    headers: Callable[[str], dict[str, str]]
    """From the key."""
    questions: tuple[Question, ...]


def _unix(*fixed: tuple[str, str]) -> Callable[[datetime, datetime], Parameters]:
    return lambda start, end: (
        ("start_time", str(int(start.timestamp()))), ("end_time", str(int(end.timestamp()))),
        ("bucket_width", "1d"), *fixed,
    )  # fmt: skip


def _rfc3339(*fixed: tuple[str, str]) -> Callable[[datetime, datetime], Parameters]:
    return lambda start, end: (
        ("starting_at", f"{start:%Y-%m-%dT%H:%M:%SZ}"),
        ("ending_at", f"{end:%Y-%m-%dT%H:%M:%SZ}"),
        ("bucket_width", "1d"), *fixed,
    )  # fmt: skip


VENDORS = {
    vendor.format: vendor
    for vendor in (
        Vendor(
            "openai",
            "https://api.openai.com",
            lambda key: {"Authorization": f"Bearer {key}"},
            (
                # limit: buckets a page, 180 at most for costs, 31 for usage by day
                Question("costs", "/v1/organization/costs", _unix(
                    ("group_by", "project_id"), ("group_by", "line_item"), ("limit", "180"))),
                Question("usage-completions", "/v1/organization/usage/completions", _unix(
                    ("group_by", "project_id"), ("group_by", "model"), ("group_by", "batch"),
                    ("limit", "31"))),
                Question("usage-embeddings", "/v1/organization/usage/embeddings", _unix(
                    ("group_by", "project_id"), ("group_by", "model"), ("limit", "31"))),
            ),
        ),
        Vendor(
            "anthropic",
            "https://api.anthropic.com",
            lambda key: {"x-api-key": key, "anthropic-version": ANTHROPIC_VERSION},
            (
                Question("costs", "/v1/organizations/cost_report", _rfc3339(
                    ("group_by[]", "workspace_id"), ("group_by[]", "description"),
                    ("limit", "31"))),
                Question("usage-messages", "/v1/organizations/usage_report/messages", _rfc3339(
                    ("group_by[]", "workspace_id"), ("group_by[]", "model"),
                    ("group_by[]", "service_tier"), ("group_by[]", "context_window"),
                    ("group_by[]", "inference_geo"), ("limit", "31"))),
            ),
        ),
    )
}  # fmt: skip


def due_periods(now: datetime, first_day: date) -> list[date]:
    """First days of the billing periods whose costs can have changed at ``now``, oldest first."""
    found = []
    month = (now - RESTATED_FOR).date().replace(day=1)
    while month < now.date():
        if next_month(month) > first_day:
            found.append(month)
        month = next_month(month)
    return found


def window(period: date, now: datetime) -> tuple[datetime, datetime]:
    """What of a period is over: from its first instant to today's midnight or its end."""
    end = min(next_month(period), now.date())
    return _midnight(period), _midnight(end)


def pull_period(
    transport: Transport, place: Place, vendor: Vendor, period: date, now: datetime
) -> Iterator[Kept]:
    """All pages of one period's reports as a delivery of their own; none where nothing changed.

    Nothing is written before every page is there. Raises PullFailed.
    """
    start, end = window(period, now)
    if start >= end:
        raise PullFailed(
            "day_not_over", f"no day of {period:%Y-%m} is over yet", where=transport.endpoint
        )
    answers: list[tuple[str, Answer]] = []
    for question in vendor.questions:
        found = pages(
            lambda cursor, question=question: transport.get(  # type: ignore[misc]
                question.path,
                (*question.parameters(start, end), *([("page", cursor)] if cursor else [])),
            ),
            _next_page,
            transport.limits.pages,
            transport.endpoint + question.path,
        )
        answers += [
            (f"{question.name}-{number:04}.json", answer)
            for number, answer in enumerate(found, start=1)
        ]
    folder = f"{period:%Y-%m}"
    if [(name, answer.sha256) for name, answer in answers] == _newest(place, folder):
        place.note(folder, _asked_at(now))
        _discard(answers)
        return
    run = f"{folder}/{now:{RUN}}"
    for name, answer in answers:
        place.keep(answer.file, f"{run}/{name}")
        yield Kept(f"{run}/{name}", answer.size, f"{period:%Y-%m} to {end - _DAY:%Y-%m-%d}")
    receipt = transport.scratch / RECEIPT
    receipt.write_bytes(_receipt(transport.endpoint, vendor, start, end, now, answers))
    place.keep(receipt, f"{run}/{RECEIPT}")
    _discard(answers)


def last_asked(place: Place, period: date) -> datetime | None:
    """When a period was asked for and answered; None where it never was.

    By its newest delivery, or by the note of a later answer that was the same.
    """
    folder = f"{period:%Y-%m}"
    newest = _newest_run(place, folder)
    if not newest:
        return None
    delivered = datetime.strptime(newest, RUN).replace(tzinfo=UTC)
    try:
        noted = datetime.fromisoformat(json.loads(place.noted(folder))["asked_at"])
        return max(delivered, noted)
    except (ValueError, KeyError, TypeError, RecursionError):
        return delivered  # none yet, or a damaged one: the period is asked for once more


def _asked_at(now: datetime) -> bytes:
    return json.dumps({"asked_at": now.isoformat()}).encode() + b"\n"


RUN = "%Y%m%dT%H%M%SZ"
"""How a delivery's folder is called."""

_DAY = timedelta(days=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _next_page(document: dict[str, Any]) -> str | None:
    """Both vendors: ``has_more``, and ``next_page`` where it is true."""
    if not isinstance(document.get("data"), list) or "has_more" not in document:
        raise ValueError("answers without data and has_more")
    if document["has_more"] is False:
        return None
    token = document.get("next_page")
    if document["has_more"] is not True or not isinstance(token, str) or not token:
        raise ValueError("has more pages, but names none")
    return token


def _receipt(
    endpoint: str,
    vendor: Vendor,
    start: datetime,
    end: datetime,
    now: datetime,
    answers: list[tuple[str, Answer]],
) -> bytes:
    document = {
        "api": vendor.format,
        "endpoint": endpoint,
        "window": [start.isoformat(), end.isoformat()],
        "asked_at": now.isoformat(),
        "answers": [
            {
                "name": name, "bytes": answer.size, "sha256": answer.sha256,
                "request": answer.request, "fetched_at": answer.fetched_at.isoformat(),
            }
            for name, answer in answers
        ],
    }  # fmt: skip
    return json.dumps(document, indent=1).encode() + b"\n"


def _newest(place: Place, folder: str) -> list[tuple[str, str]]:
    """(name, sha256) of the newest delivery's pages; empty where its receipt says nothing."""
    run = _newest_run(place, folder)
    if not run:
        return []
    try:
        answers = json.loads(place.read(f"{folder}/{run}/{RECEIPT}"))["answers"]
        return [(str(one["name"]), str(one["sha256"])) for one in answers]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []  # somebody else's; a delivery of our own is written beside it


def _newest_run(place: Place, folder: str) -> str | None:
    for run in reversed(place.names(folder)):
        if IS_RUN.fullmatch(run) and place.has(f"{folder}/{run}/{RECEIPT}"):
            return run
    return None


def _discard(answers: list[tuple[str, Answer]]) -> None:
    for _, answer in answers:
        Path(answer.file).unlink(missing_ok=True)
