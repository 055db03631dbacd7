"""Verdicts as people and programs read them: on a terminal, in the UI, as JSON.

Belongs here: layout. Does not: verdicts (``proof.score``, ``proof.triage``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof.score.verdict import Verdict
from attribution_pipeline.views.cells import terminal_cell
from attribution_pipeline.views.completeness import markdown_table

DETAIL_WIDTH = 240
"""Characters of a sentence in a table of the UI; the JSON has all of it."""

MOST_VERDICTS = 60
"""Verdicts of a table in the UI, failures first: the event log keeps each of them for ever."""


def lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A line a verdict, and what it was held against."""
    for verdict in verdicts:
        tokens = f", by tokens {verdict.by_tokens}" if verdict.by_tokens is not None else ""
        held = f" (threshold: {verdict.threshold})" if verdict.threshold else ""
        yield terminal_cell(
            f"{verdict.question} {verdict.word}  {verdict.subject}: {verdict.number}{tokens}{held}"
        )
        yield terminal_cell(f"   {verdict.title}: {verdict.detail}")


def failures(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What failed, slices of one number and one sentence in one line."""
    alike: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if not verdict.passed:
            key = (verdict.question, verdict.number, verdict.detail)
            alike.setdefault(key, []).append(verdict)
    for found in alike.values():
        if len(found) == 1:
            yield from lines(found)
            continue
        one = found[0]
        held = f" (threshold: {one.threshold})" if one.threshold else ""
        yield terminal_cell(f"{one.question} FAIL  {len(found)} slices: {one.number}{held}")
        yield terminal_cell(f"   {one.title}: {one.detail}")


def board(verdicts: Sequence[Verdict], questions: Sequence[str]) -> Iterator[str]:
    """A line a slice, a column a question."""
    from attribution_pipeline.views.text_table import text_table

    found: dict[str, dict[str, str]] = {}
    for verdict in verdicts:
        found.setdefault(terminal_cell(verdict.subject), {})[verdict.question] = verdict.word
    rows = [
        [subject, *(words.get(name, "") for name in questions)] for subject, words in found.items()
    ]
    yield from text_table(["slice", *questions], rows).splitlines()


def markdown(verdicts: Sequence[Verdict]) -> str:
    """A table of verdicts, failures first."""
    ordered = sorted(verdicts, key=lambda verdict: verdict.passed)
    rows = [
        (
            verdict.question, verdict.word, verdict.subject, verdict.number,
            verdict.by_tokens or "", verdict.threshold, verdict.detail[:DETAIL_WIDTH],
            f"{verdict.rows.count:,}",
        )
        for verdict in ordered[:MOST_VERDICTS]
    ]  # fmt: skip
    head = ("", "verdict", "slice", "number", "by tokens", "threshold", "detail", "rows")
    text = markdown_table(head, rows)
    more = len(verdicts) - MOST_VERDICTS
    return text if more <= 0 else f"{text}\n\nand {more:,} more"


def require_place(out: Path | None) -> None:
    """Asked before hours of work: Refusal where the file's folder is not there."""
    if out is not None and not out.absolute().parent.is_dir():
        raise Refusal(
            "cannot be written (there is no such folder)",
            where=str(out),
            remedy="name a file in a folder that exists",
        )


def write_json(said: Mapping[str, Any], out: Path) -> None:
    """One JSON document, whole or not at all."""
    from attribution_pipeline.views.output import whole

    text = json.dumps(said, indent=2, ensure_ascii=False) + "\n"

    def fill(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    whole(out, fill)
