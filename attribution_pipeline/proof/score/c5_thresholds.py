"""C5: every check has a named threshold in the policy, and a test that trips it.

Belongs here: judging the registry (``thresholds``) against a policy. Does not: running the tests; a
release is made from a tree where all of them pass, and one of them compares the registry with the
checks that exist.
"""

from __future__ import annotations

from typing import Any

from attribution_pipeline.proof.score.asked import Asked
from attribution_pipeline.proof.score.thresholds import each
from attribution_pipeline.proof.score.verdict import Rows, Verdict

QUESTION, TITLE = "C5", "thresholds"

UNNAMED = "threshold_unnamed"

_MISSING = object()


def judge(asked: Asked) -> list[Verdict]:
    """One verdict a route slice: a check is asked of all of them alike."""
    rows = [
        {
            "check": check,
            "policy_field": found.field,
            "value": _said(value_of(asked.policy, found.field)),
            "test": found.test,
        }
        for check, found in each()
    ]
    unnamed = [row for row in rows if row["value"] is None or "::test_" not in str(row["test"])]
    named = len(rows) - len(unnamed)
    detail = f"{named} of {len(rows)} thresholds of checks are in the policy and have a test that trips them"
    if unnamed:
        detail += f"; {unnamed[0]['check']} lacks {unnamed[0]['policy_field']}"
    return [
        Verdict(
            QUESTION, TITLE, route, not unnamed,
            number=f"{named} of {len(rows)}",
            threshold="all of them",
            detail=detail,
            query="-- pytest attribution_pipeline_tests/proof/test_thresholds.py, and each row's test",
            rows=Rows.of(unnamed or rows),
            reason=UNNAMED if unnamed else "",
        )
        for route in asked.routes
    ]  # fmt: skip


def value_of(policy: Any, field: str) -> Any:
    """The policy's value of ``a.b``; None where it has no such field."""
    found = policy
    for name in field.split("."):
        found = getattr(found, name, _MISSING)
        if found is _MISSING:
            return None
    return found


def _said(value: Any) -> str | None:
    return None if value is None else str(value)
