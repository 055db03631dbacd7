"""A verdict: PASS or FAIL, with the number, the query that gives it, and the rows behind it.

Belongs here: the values that checkpoints and triage answer with. Does not: any judgement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attribution_pipeline.proof.routes import Route

UNUSABLE = "evidence_unusable"
"""A file that a question needs is missing or was changed."""

MOST_ROWS = 1_000
"""Rows that a verdict carries; more are counted. As many as C1 samples of a slice."""


@dataclass(frozen=True)
class Rows:
    """Rows behind a verdict: all are counted, the first ``MOST_ROWS`` are carried."""

    count: int = 0
    shown: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], count: int | None = None) -> Rows:
        """The rows, in their order; ``count``: where there are more than were read."""
        found = list(rows)
        return cls(len(found) if count is None else count, found[:MOST_ROWS])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: amounts and instants as text."""
        return {
            "count": self.count,
            "shown": [
                {name: plain_json(value) for name, value in row.items()} for row in self.shown
            ],
        }


@dataclass(frozen=True)
class Verdict:
    """One question about one route slice; ``route`` is null where it is about all of them."""

    question: str
    """C1 to C6, P1 to P3."""
    title: str
    route: Route | None
    passed: bool
    number: str
    """What was found, as text: a share cut to 12 digits, a count, an amount."""
    threshold: str
    """What it was held against, with the policy's field."""
    detail: str
    """One sentence; of a failure, what to do."""
    query: str
    """The SQL text, or the command, that gives the number."""
    rows: Rows = field(default_factory=Rows)
    reason: str = ""
    """Of a failure: a stable word."""
    by_tokens: str | None = None
    """The same by quantity, where the question is about a share."""

    @property
    def word(self) -> str:
        """PASS or FAIL."""
        return "PASS" if self.passed else "FAIL"

    @property
    def subject(self) -> str:
        """The route slice's name."""
        return self.route.name if self.route else "all slices"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "question": self.question,
            "title": self.title,
            "route": self.route.as_dict() if self.route else None,
            "verdict": self.word,
            "reason": self.reason or None,
            "number": self.number,
            "by_tokens": self.by_tokens,
            "threshold": self.threshold,
            "detail": self.detail,
            "query": self.query,
            "rows": self.rows.as_dict(),
        }


def plain_json(value: Any) -> Any:
    """A JSON value: whatever is not text, a whole number or a truth becomes text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def unanswered(question: str, title: str, command: str, reason: str, detail: str) -> Verdict:
    """The FAIL of a question that could not be put to any slice."""
    return Verdict(
        question, title, None, False,
        number=reason, threshold="", detail=detail, query=f"-- {command}", reason=reason,
    )  # fmt: skip
