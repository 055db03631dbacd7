"""The rule: which version is in force, what stands under another, which there are, and how to ask what another would change.

Belongs here: the page. Does not: what a version says (``model.policy_text``), comparing two
(``attribution policy diff``, which computes days: too much for a click).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import PolicyBook, load_policies
from attribution_pipeline.model.policy.history import require_history, restoring
from attribution_pipeline.model.policy_text import summary
from attribution_pipeline.views import day_ranges
from attribution_pipeline.views.dashboard.sheets import Column, Sheet, sheet
from attribution_pipeline.views.dashboard.view import Page, View

if TYPE_CHECKING:
    from attribution_pipeline.lake.states import Published as State
    from attribution_pipeline.model.policy import Policy, Published
    from attribution_pipeline.views.dashboard.books import Books

SHORT_DIGEST = 12

COMPARED_DAYS = timedelta(days=6)
"""Of the days that a comparison of two versions is offered for: a week."""


DRAFT = "draft.yaml"
"""Where a person writes another version: outside of the folder, whose every file is published."""


def page(view: View) -> Page:
    """The version in force on the place's last recorded day, all versions, days that stand under
    another than is in force on them, and commands."""
    books = view.books
    book, problem = _book(books.deployment.policies_folder)
    published = {one.policy.version: one for one in book.published} if book is not None else {}
    recorded = _recorded(books)
    changed = _changed(published, recorded)
    rules = _rules(book, recorded)
    used: dict[int, list[date]] = {}
    behind: dict[int, list[date]] = {}
    for day in books.days():
        head = books.head(day)
        assert head is not None, "a recorded day has a state"
        used.setdefault(head.policy_version, []).append(day)
        governs = _in_force(rules, day)
        if governs is not None and governs.digest != head.policy_digest:
            behind.setdefault(head.policy_version, []).append(day)
    day = view.days[-1] if view.days else books.days()[-1]
    in_force = _in_force(rules, day)
    policy = in_force or books.policy(day)
    assert policy is not None, "a recorded day has a policy"
    more: dict[str, Any] = {
        "policy": policy,
        "day": day,
        "says": summary(policy)[1:],
        "is_in_force": in_force is not None,
        "under": day_ranges.counted(used[policy.version])
        if policy.version in used
        else "no day yet",
        "behind": [
            f"version {version}: {day_ranges.counted(days)}"
            for version, days in sorted(behind.items())
        ],
        "decided": policy.decided_in,
        "decided_is_link": (policy.decided_in or "").startswith(("https://", "http://")),
        "problem": problem,
        "refused": _refused(book, books.lake.states()),
        "differs": policy.version in changed,
        **_commands(view, policy, published, recorded, day),
    }
    versions = _versions(
        view, published, recorded, used, in_force.version if in_force is not None else None
    )
    return Page("policy.html", f"Policy {policy.policy} {policy.version}", [versions], more)


def _book(folder: Path) -> tuple[PolicyBook | None, str]:
    """Versions in the deployment's folder; none, and why, where they cannot be read."""
    try:
        return load_policies(folder), ""
    except Refusal as refusal:
        return None, refusal.line()


def _recorded(books: Books) -> dict[int, Policy]:
    """Version -> its text as the newest state under it recorded it, superseded ones too."""
    heads = [head for day in books.days() if (head := books.head(day)) is not None]
    newest = {state.policy_version: state for state in [*books.lake.states(), *heads]}
    found = {}
    for version, state in sorted(newest.items()):
        with contextlib.suppress(Refusal):  # of a superseded state, which may have been pruned
            found[version] = books.policy_of(state)
    return found


def _changed(published: Mapping[int, Published], recorded: Mapping[int, Policy]) -> set[int]:
    """Versions whose file says another rule than was recorded under their number."""
    return {
        version
        for version, policy in recorded.items()
        if version in published and published[version].policy.digest != policy.digest
    }


def _rules(book: PolicyBook | None, recorded: Mapping[int, Policy]) -> PolicyBook | None:
    """The book with what was recorded in the place of what its files say now: a version is what it was
    used as, and no day is run until its file says so again."""
    if book is None:
        return None
    entries = [
        replace(one, policy=recorded.get(one.policy.version, one.policy)) for one in book.published
    ]
    return PolicyBook.of(entries, book.folder)


def _refused(book: PolicyBook | None, states: Sequence[State]) -> str:
    """What a run would be refused with, where used versions are not published as they were used."""
    if book is None:
        return ""
    try:
        require_history(book, states)
    except Refusal as refusal:
        return refusal.line()
    return ""


def _in_force(book: PolicyBook | None, day: date) -> Policy | None:
    """The published version that governs a day: of two from one date the later number. None where
    the folder has none, or cannot be read."""
    if book is None or all(one.effective_from > day for one in book.versions):
        return None
    return book.in_force(day)[0]


def _versions(
    view: View,
    published: Mapping[int, Published],
    recorded: Mapping[int, Policy],
    used: Mapping[int, Sequence[date]],
    in_force: int | None,
) -> Sheet:
    import pyarrow as pa

    rows = []
    changed = _changed(published, recorded)
    for version in sorted({*published, *recorded}, reverse=True):
        days = used.get(version, ())
        said = recorded[version] if version in recorded else published[version].policy
        state = [
            *(["in force"] if version == in_force else []),
            *(["its file is gone"] if version not in published else []),
            *(["its file says another rule"] if version in changed else []),
        ]
        rows.append(
            {
                "version": version, "effective_from": said.effective_from,
                "state": ", ".join(state),
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


def _drafting(file: Sequence[str], number: int) -> str:
    """What comes before a draft can be compared."""
    copy = f"Copy {file[0]} to {DRAFT}" if file else f"Write {DRAFT}"
    return (
        f"{copy}, outside of the folder of policies (a file in it is published: the next run follows "
        f"it), and give it version: {number} and the other rule"
    )


def _commands(
    view: View, policy: Policy, published: Mapping[int, Published], recorded: Mapping[int, Policy],
    day: date,
) -> dict[str, str]:  # fmt: skip
    """What a person types: to try another version, to read this one whole, to prove it."""
    shell = view.books.shell
    newest = max([policy.version, *published, *recorded])
    other = str(newest) if newest > policy.version else DRAFT
    is_as_used = policy.version not in _changed(published, recorded)
    week = [one for one in view.books.days() if day - COMPARED_DAYS <= one <= day]
    file = published.get(policy.version)
    whole = [shell.seen(Path(file.where.rpartition(":")[0]))] if file is not None else []
    return {
        "diff": shell.line(
            "policy", "diff", str(policy.version), other, "--from", str(week[0]), "--to", str(day)
        ),
        "draft": _drafting(whole, newest + 1) if other == DRAFT else "",
        "runbook": shell.line("policy", "check", *whole, "--text") if is_as_used and whole else "",
        "restore": shell.line(*restoring(policy.version).split()[1:]),
        "packet": shell.line(
            "packet", "--tenant", "TENANT", "--from", str(week[0]), "--to", str(day),
            "--out", f"packet-{week[0]}.tar", "--key", "PRIVATE.pem",
        ),
    }  # fmt: skip
