"""Answers that come in pages: until the last, and no further.

Belongs here: following cursors within limits, noticing that they go in circles. Does not: what the
pages hold beside their cursor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from attribution_pipeline.sources.pull.transport import Answer, PullFailed

Next = Callable[[dict[str, Any]], str | None]
"""The cursor of the page after this one; None after the last. Raises ValueError where it is odd."""


def pages(
    ask: Callable[[str | None], Answer], next_of: Next, most: int, where: str
) -> Iterator[Answer]:
    """Every page of one question. Raises PullFailed where they do not end, or one is no page."""
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(most):
        answer = ask(cursor)
        document = _document(answer, where)
        try:
            cursor = next_of(document)
        except ValueError as error:
            raise PullFailed("not_a_page", str(error), where=where) from None
        yield answer
        if cursor is None:
            return
        if cursor in seen:
            raise PullFailed("pages_in_a_circle", "sends the same page token twice", where=where)
        seen.add(cursor)
    raise PullFailed(
        "pages", f"has more than {most} pages", where=where,
        remedy="raise limits.pages where that is right",
    )  # fmt: skip


def _document(answer: Answer, where: str) -> dict[str, Any]:
    try:
        document = json.loads(answer.read())
    except (ValueError, RecursionError):
        raise PullFailed(
            "not_json", "answers with something that is not JSON", where=where
        ) from None
    if not isinstance(document, dict):
        raise PullFailed("not_a_page", "answers with JSON that is no object", where=where)
    return document
