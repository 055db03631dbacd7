"""Finding a call by an id that a person has at hand: newest day first, to a limit.

Belongs here: which ids a text can be, and the days that are looked through. Does not: the page
(``pages.find``), the command line.

Ids are not sorted in the published files, since a day is read by time; so a day is a scan of its id
columns, some megabytes. Every file is hashed before it is read, once while it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from attribution_pipeline.proof.relations import quoted
from attribution_pipeline.views.cells import terminal_cell
from attribution_pipeline.views.dashboard.books import Books, sql_text
from attribution_pipeline.views.dashboard.view import NotThere

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 25
"""Calls that are found at most: a trace has some, and an id that names more names nothing."""

LONGEST = 512
"""Characters of an id. Keys that are made of two ids are the longest."""

STEPS = (1, 6, 14)
"""Days that are read at a time, newest first; the last for all that remain."""

MOST_DIGITS = 19
"""Of a number that fits into 64 bits."""

UNIT = chr(31)
"""Between provider and response id in an operation key; a person writes a slash."""

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_XRAY = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_HEX = re.compile(r"[0-9A-Fa-f]{16}|[0-9A-Fa-f]{32}")

_WHERE = 80
"""Characters of a text that can be no id, in what is said of it."""


@dataclass(frozen=True)
class Found:
    """``rows``: grain call, newest first. ``days``: recorded days that were looked through; ``is_cut``:
    there may be more calls, and older days."""

    text: str
    rows: pa.Table
    days: Sequence[date]
    is_cut: bool

    @property
    def span(self) -> str:
        """The days in words."""
        if not self.days:
            return "no recorded day"
        if len(self.days) == 1:
            return f"the recorded day {self.days[0]}"
        return f"{len(self.days)} recorded days, {min(self.days)} to {max(self.days)}"


def find_calls(
    books: Books, text: str, first: date | None = None, last: date | None = None
) -> Found:
    """Calls whose trace id, span id, response id or operation key is ``text``. Raises NotThere where it
    can be none of these: no day is opened for it."""
    import pyarrow as pa

    wanted = required(text)
    days = [
        day for day in reversed(books.days())
        if (first is None or day >= first) and (last is None or day <= last)
    ]  # fmt: skip
    query = sql_text("find").format(
        wanted=" or ".join(f"({one})" for one in wanted.values()), named=_named(wanted), most=MOST
    )  # fmt: skip
    tables: list[pa.Table] = []
    looked: list[date] = []
    for some in _steps(days):
        if sum(table.num_rows for table in tables) >= MOST:
            break
        tables.append(books.of_days(some, query, ("operations",)))
        looked += some
    rows = pa.concat_tables(tables) if tables else pa.table({})
    return Found(text, rows[:MOST], looked, rows.num_rows >= MOST)


def required(text: str) -> Mapping[str, str]:
    """``conditions`` of a text that has some. Raises NotThere."""
    wanted = conditions(text)
    if not wanted:
        raise NotThere(
            "this can be no id of a call", where=terminal_cell(text.strip()[:_WHERE]),
            remedy=f"give a trace, span or response id, an operation key or a traceparent header: UTF-8 "
            f"text of 1 to {LONGEST} characters",
        )  # fmt: skip
    return wanted


def conditions(text: str) -> Mapping[str, str]:
    """What the text can be -> SQL. A text that can be nothing has none."""
    text = text.strip()
    if not text or len(text) > LONGEST or "\0" in text or not _is_utf8(text):
        return {}
    if (said := _TRACEPARENT.fullmatch(text.lower())) is not None:
        return {"traceparent": _both(said[1], said[2])}
    if (said := _XRAY.fullmatch(text.lower())) is not None:
        return {"trace": f"trace_id = {quoted(said[1] + said[2])}"}
    # a column that cannot hold it is not read: ids of traces and spans are hexadecimal (OpenTelemetry)
    found = {"response": f"response_id = {quoted(text)}"}
    match len(text) if _HEX.fullmatch(text) else 0:
        case 32:
            return {"trace": f"trace_id = {quoted(text.lower())}", **found}
        case 16:
            span = text.lower()
            return {"span": f"span_id = {quoted(span)}", "merged span": _merged(span), **found}
    found["key"] = f"operation_key = {quoted(text)}"
    if text.isascii() and text.isdigit() and len(text) < MOST_DIGITS:
        found["number"] = f"operation_number = {int(text)}"  # what exports of calls name it by
    trace, colon, span = text.partition(":")
    if colon:
        found["trace and span"] = _both(trace.lower(), span.lower())
    provider, unit, response = text.replace("/", UNIT, 1).partition(UNIT)
    if unit:
        found["provider and response"] = (
            f"coalesce(provider, '') = {quoted(provider)} and response_id = {quoted(response)}"
        )
    return found


def _both(trace: str, span: str) -> str:
    """A span of a trace, or the call of the trace that it was merged into as a twin."""
    spans = f"span_id = {quoted(span)}"
    if _HEX.fullmatch(span):  # a part of an id is in many lists of merged spans
        spans = f"({spans} or {_merged(span)})"
    return f"trace_id = {quoted(trace)} and {spans}"


def _merged(span: str) -> str:
    return f"contains(merged, {quoted(span)})"


def _is_utf8(text: str) -> bool:
    """Whether it can be written at all: bytes of a shell that are no UTF-8 are lone surrogates here."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _named(wanted: Mapping[str, str]) -> str:
    cases = " ".join(f"when {one} then '{name}'" for name, one in wanted.items())
    return f"case {cases} end" if cases else "''"


def _steps(days: Sequence[date]) -> Iterator[Sequence[date]]:
    at = number = 0
    while at < len(days):
        size = STEPS[min(number, len(STEPS) - 1)]
        yield days[at : at + size]
        at, number = at + size, number + 1
