"""A page of a cost or usage report: JSON to results, each with the UTC day of its bucket.

Belongs here: the envelope that both vendors share, exact numbers, bucket times in seconds and in
RFC 3339. Does not: what a result means (``openai``, ``anthropic``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO

from attribution_pipeline.model.money import NotAnAmount
from attribution_pipeline.sources.focus.amounts import parse_number
from attribution_pipeline.sources.rejection import ObjectRefused, RecordRejected

PAGE_BYTES_MAX = 64 << 20
"""One page: 180 days of some thousand projects and line items."""

RESULTS_MAX = 1_000_000
"""Results of one page, which is more than ``PAGE_BYTES_MAX`` can hold of real ones."""

COUNT_MAX = 10**15
"""Tokens of one result: a thousand times what any organization uses a day."""

YEARS = range(2000, 2200)
"""Of a bucket. Beyond these it is no time of ours, and not every library can hold it."""

_REMEDY = "land the pages of the cost and usage reports as they were answered"


@dataclass(frozen=True)
class Bucket:
    """The UTC day that results are of."""

    start: date

    @property
    def end(self) -> date:
        return self.start + timedelta(days=1)


def document(data: bytes | BinaryIO, where: str) -> dict[str, Any]:
    """The page. Numbers are int or Decimal, as written. Raises ObjectRefused."""
    content = data if isinstance(data, bytes) else data.read(PAGE_BYTES_MAX + 1)
    if len(content) > PAGE_BYTES_MAX:
        raise ObjectRefused(
            "object_too_large", f"has more than {PAGE_BYTES_MAX} bytes", where=where
        )
    try:
        found = json.loads(
            content.decode("utf-8-sig"), parse_float=Decimal, object_pairs_hook=_once,
            parse_constant=_no_number,
        )  # fmt: skip
    except UnicodeDecodeError as error:
        raise ObjectRefused(
            "not_utf8", f"is not UTF-8 at byte {error.start}", where=where
        ) from None
    except (ValueError, InvalidOperation, RecursionError) as error:
        raise ObjectRefused(
            "not_json", f"is not JSON: {type(error).__name__}", where=where, remedy=_REMEDY
        ) from None
    if not isinstance(found, dict) or not isinstance(found.get("data"), list):
        raise ObjectRefused(
            "not_a_page", "is JSON, but no page with a list `data`", where=where, remedy=_REMEDY
        )
    return found


def begins(bucket: Any) -> datetime | None:
    """When a bucket says that it begins; None where it does not."""
    return _said(bucket, "start_time", "starting_at")


def ends(bucket: Any) -> datetime | None:
    """When it says that it ends."""
    return _said(bucket, "end_time", "ending_at")


def results(page: dict[str, Any], where: str) -> Iterator[tuple[int, Bucket, dict[str, Any]]]:
    """(position from 1, bucket, result) over all buckets of a page.

    Raises ObjectRefused where a bucket is none: its money would be of no day.
    """
    position = 0
    for number, bucket in enumerate(page["data"], start=1):
        found = bucket.get("results") if isinstance(bucket, dict) else None
        if not isinstance(found, list):
            raise ObjectRefused(
                "not_a_bucket", f"bucket {number} has no list `results`", where=where
            )
        day = _day(bucket, number, where)
        for result in found:
            position += 1
            if position > RESULTS_MAX:
                raise ObjectRefused(
                    "object_too_large", f"has more than {RESULTS_MAX} results", where=where
                )
            yield position, day, result if isinstance(result, dict) else {}


def exact(value: Any, column: str) -> Decimal:
    """A JSON number or a decimal string, exactly; RecordRejected where it is neither."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise RecordRejected(f"unreadable_{column}", f"{column} is {type(value).__name__}")
    try:
        return parse_number(str(value))
    except NotAnAmount:
        raise RecordRejected(f"unreadable_{column}", f"{column} is no decimal number") from None


def count(result: dict[str, Any], column: str) -> int:
    """A count of tokens or requests; 0 where the report has none. RecordRejected where it is odd."""
    value = result.get(column)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= COUNT_MAX:
        raise RecordRejected(f"unreadable_{column}", f"{column} is no count")
    return value


def text(result: dict[str, Any], column: str) -> str | None:
    """A column's text; null where there is none. RecordRejected where it is something else."""
    value = result.get(column)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise RecordRejected(
            f"unreadable_{column}", f"{column} is {type(value).__name__}, not text"
        )
    return value


def _day(bucket: dict[str, Any], number: int, where: str) -> Bucket:
    start, end = begins(bucket), ends(bucket)
    if start is None or end is None or start.year not in YEARS:
        raise ObjectRefused("not_a_bucket", f"bucket {number} has no times", where=where)
    if start.time() != datetime.min.time() or end - start != timedelta(days=1):
        raise ObjectRefused(
            "bucket_not_a_utc_day", f"bucket {number} is not one UTC day", where=where,
            remedy="ask with bucket_width=1d",
        )  # fmt: skip
    return Bucket(start.date())


def _said(bucket: Any, openai: str, anthropic: str) -> datetime | None:
    found = bucket if isinstance(bucket, dict) else {}
    return _instant(found.get(openai, found.get(anthropic)))


def _instant(value: Any) -> datetime | None:
    """Unix seconds (OpenAI) or RFC 3339 (Anthropic)."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError, OSError):
        pass  # told by the caller: the bucket has no times
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object names one of its keys twice")
    return members


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")
