"""The rule: which version is in force, which there are, and how to ask what another would change.

Belongs here: the page. Does not: what a version says (``model.policy_text``), comparing two
(``attribution policy diff``, which computes days: too much for a click).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import load_policies
from attribution_pipeline.model.policy_text import summary
from attribution_pipeline.views import day_ranges
from attribution_pipeline.views.dashboard.sheets import Column, Sheet, sheet
from attribution_pipeline.views.dashboard.view import Page, View

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy, Published

SHORT_DIGEST = 12

COMPARED_DAYS = timedelta(days=6)
"""Of the days that a comparison of two versions is offered for: a week."""


def page(view: View) -> Page:
    """The version of the place's last recorded day, all versions, and commands about them."""
    books = view.books
    published, problem = _published(books.deployment.policies_folder)
    used: dict[int, list[date]] = {}
    for day in books.days():
        head = books.head(day)
        assert head is not None, "a recorded day has a state"
        used.setdefault(head.policy_version, []).append(day)
    day = view.days[-1] if view.days else books.days()[-1]
    policy = books.policy(day)
    assert policy is not None, "a recorded day has a policy"
    more: dict[str, Any] = {
        "policy": policy,
        "day": day,
        "says": summary(policy)[1:],
        "under": day_ranges.counted(used[policy.version]),
        "decided": policy.decided_in,
        "decided_is_link": (policy.decided_in or "").startswith(("https://", "http://")),
        "problem": problem,
        **_commands(view, policy, published, day),
    }
    versions = _versions(view, published, used, policy)
    return Page("policy.html", f"Policy {policy.policy} {policy.version}", [versions], more)


def _published(folder: Path) -> tuple[Mapping[int, Published], str]:
    """Versions in the deployment's folder by number; nothing, and why, where they cannot be read."""
    try:
        return {one.policy.version: one for one in load_policies(folder).published}, ""
    except Refusal as refusal:
        return {}, refusal.line()


def _versions(
    view: View,
    published: Mapping[int, Published],
    used: Mapping[int, Sequence[date]],
    shown: Policy,
) -> Sheet:
    import pyarrow as pa

    rows = []
    for version in sorted({*published, *used}, reverse=True):
        days = used.get(version, ())
        recorded = view.books.policy(days[-1]) if days else None
        said = published[version].policy if version in published else recorded
        assert said is not None, "it is published, or days stand under it"
        rows.append(
            {
                "version": version, "effective_from": said.effective_from,
                "state": "in force" if version == shown.version else
                "" if version in published else "its file is gone",
                "digest": said.digest[:SHORT_DIGEST], "days": len(days),
                "which": day_ranges.said(days), "note": said.note,
            }
        )  # fmt: skip
    shape = pa.schema(
        [
            ("version", pa.int64()), ("effective_from", pa.date32()), ("state", pa.string()),
            ("digest", pa.string()), ("days", pa.int64()), ("which", pa.string()),
            ("note", pa.string()),
        ]
    )  # fmt: skip
    return sheet(
        "versions", "Versions", pa.Table.from_pylist(rows, schema=shape),
        [
            Column("version", hints="state"), Column("effective_from", "in force from", "day"),
            Column("digest"), Column("days", "days under it", "count"), Column("which", "which days"),
            Column("note"),
        ],
    )  # fmt: skip


def _commands(
    view: View, policy: Policy, published: Mapping[int, Published], day: date
) -> dict[str, str]:
    """What a person types: to try another version, to read this one whole, to prove it."""
    shell, folder = view.books.shell, view.books.deployment.policies_folder
    newest = max([policy.version, *published])
    other = (
        str(newest) if newest > policy.version
        else shell.seen(folder / f"policy-{policy.version + 1}.yaml")
    )  # fmt: skip
    week = [one for one in view.books.days() if day - COMPARED_DAYS <= one <= day]
    file = published.get(policy.version)
    whole = [shell.seen(Path(file.where.rpartition(":")[0]))] if file is not None else []
    return {
        "diff": shell.line(
            "policy", "diff", str(policy.version), other, "--from", str(week[0]), "--to", str(day)
        ),
        "is_draft": "" if newest > policy.version else other,
        "runbook": shell.line("policy", "check", *whole, "--text"),
        "packet": shell.line(
            "packet", "--tenant", "TENANT", "--from", str(week[0]), "--to", str(day),
            "--out", f"packet-{week[0]}.tar", "--key", "PRIVATE.pem",
        ),
    }  # fmt: skip
