"""What an alert says: title, what was found, what to do, where to look.

Belongs here: the words, and that they cannot act. Does not: remedies themselves (``checks.runbook``).

A check's sentence may name tenants and files, and a tenant may be called anything. So nothing of it is a
control character, a mention that rings everybody, or markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from urllib.parse import quote

from attribution_pipeline.orchestration.alerting.found import RUN, Finding
from attribution_pipeline.orchestration.checks.runbook import REMEDIES
from attribution_pipeline.views.cells import terminal_cell
from attribution_pipeline.views.day_ranges import pasted

MOST_LETTERS = 900
"""Of a check's sentence: a text message and a chat line are read, not studied."""

RESOLVED = "resolved"

_MENTION = re.compile(r"@(?=(everyone|here|channel|all)\b)", re.IGNORECASE)
_MARKUP = str.maketrans({"<": "\u2039", ">": "\u203a"})

_RUN_REMEDY = (
    "Open the run: its log names the file, the line and the remedy. Put it right and launch again."
)
_LINKS = re.compile(r"\[([^\]]+)\]\([^)]+\)")
"""Remedies are written for the docs; what they link to there is not here."""


def title(found: Finding, *, resolved: bool = False) -> str:
    """One line: how bad, what, where."""
    word = RESOLVED if resolved else found.severity
    what = f"{found.name} run failed" if found.asset == RUN else f"{found.name} of {found.asset}"
    return safe(f"[{word}] {what}")


def body(findings: Sequence[Finding], base_url: str | None, *, resolved: bool = False) -> str:
    """Of findings that are alike but for their days, the newest day's sentence."""
    newest = max(findings, key=lambda found: found.partition)
    days = days_text([found.partition for found in findings if found.partition])
    lines = [safe(days)] if days else []
    if resolved:
        lines.append("It passes again." if newest.passed else "It is no longer of this severity.")
    else:
        lines.append(_shortened(safe(newest.description)))
        lines.append(f"What to do: {remedy(newest)}")
    if base_url:
        lines.append(link(newest, base_url))
    return "\n\n".join(line for line in lines if line)


def remedy(found: Finding) -> str:
    """Of the runbook."""
    if found.asset == RUN:
        return _RUN_REMEDY
    return _LINKS.sub(r"\1", REMEDIES.get(found.name, "See the check's own page in Dagster."))


def link(found: Finding, base_url: str) -> str:
    """Where Dagster shows it."""
    if found.asset == RUN:
        return f"{base_url}/runs/{quote(found.run_id)}"
    return f"{base_url}/assets/{quote(found.asset)}?view=checks&checkDetail={quote(found.name)}"


def days_text(partitions: Sequence[str]) -> str:
    """Days as people read them, ranges where they follow each other."""
    try:
        days = [date.fromisoformat(one) for one in partitions]
    except ValueError:
        return ", ".join(sorted(partitions))  # a backfill's range is one already
    if not days:
        return ""
    return f"{len(days)} day{'s' if len(days) > 1 else ''}: {pasted(days)}"


def safe(text: str) -> str:
    """Text that no chat, mail or phone obeys."""
    return _MENTION.sub("@\u200b", terminal_cell(text)).translate(_MARKUP)


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1].rstrip() + "\u2026"
