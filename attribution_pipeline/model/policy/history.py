"""What recorded days used of the policies, held against what is published now.

Belongs here: published means immutable, as a rule. Does not: which version is in force (``book``),
where used versions are remembered (``lake``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Protocol

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy.book import PolicyBook, Published

SHORT_DIGEST = 12
"""Hex digits of a digest that a person compares by eye."""


class Used(Protocol):
    """A recorded state of a day, as far as its policy goes."""

    @property
    def day(self) -> date: ...
    @property
    def policy(self) -> str: ...
    @property
    def policy_version(self) -> int: ...
    @property
    def policy_digest(self) -> str: ...


def require_history(book: PolicyBook, used: Iterable[Used]) -> None:
    """Every version that a recorded state used is still published, with the content it had.

    ``used``: every state ever recorded, the superseded ones too: an old version stays runnable.
    Raises Refusal for the lowest version that was changed, renumbered or removed, by name.
    """
    first: dict[tuple[int, str], Used] = {}
    days: dict[tuple[int, str], set[date]] = {}
    for state in used:
        key = (state.policy_version, state.policy_digest)
        days.setdefault(key, set()).add(state.day)
        if key not in first or state.day < first[key].day:
            first[key] = state
    entries = {entry.policy.version: entry for entry in book.published}
    for key in sorted(first):
        version, digest = key
        entry = entries.get(version)
        if entry is None:
            raise _gone(book, first[key], len(days[key]))
        if entry.policy.digest != digest:
            raise _changed(entry, first[key], next_number(book, (used for used, _ in first)))


def restoring(version: int) -> str:
    """The command that writes a used version's file again."""
    return f"attribution policy restore {version}"


def next_number(book: PolicyBook, used: Iterable[int]) -> int:
    """The lowest number over every version that is published or was used."""
    return 1 + max((*(policy.version for policy in book.versions), *used), default=0)


def _changed(entry: Published, state: Used, free: int) -> Refusal:
    return Refusal(
        f"version {state.policy_version} of policy {state.policy} was changed after {state.day} "
        f"was recorded under it (its digest then {state.policy_digest[:SHORT_DIGEST]}, "
        f"now {entry.policy.digest[:SHORT_DIGEST]})",
        where=entry.where,
        remedy=f"copy your edit to policy-{free}.yaml with `version: {free}`, then put the used one back: "
        f"{restoring(state.policy_version)}",
    )


def _gone(book: PolicyBook, state: Used, days: int) -> Refusal:
    version = state.policy_version
    recorded = f"{state.day} was recorded" if days == 1 else f"{days} days were recorded"
    for entry in book.published:
        if entry.policy.digest_as(version) == state.policy_digest:
            return Refusal(
                f"version {version} of policy {state.policy} was renumbered to "
                f"{entry.policy.version} after {recorded} under it",
                where=entry.where,
                remedy=f"write `version: {version}` again; a copy of it may have a number of its own",
            )
    return Refusal(
        f"version {version} of policy {state.policy} is gone, and {recorded} under it",
        where=book.folder,
        remedy=f"put its file back: {restoring(version)}",
    )
