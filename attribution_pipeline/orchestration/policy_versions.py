"""Policy versions and recorded days: which version governs which, and where a version is found.

Belongs here: looking that up, in the book and in the lake. Does not: the choice for one day
(``governing``), how it reads (``views.policy_versions``), Dagster.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.governing import recorded_policy
from attribution_pipeline.orchestration.policy_diff import Side

if TYPE_CHECKING:
    from attribution_pipeline.lake.states import Published as State
    from attribution_pipeline.model.policy import Policy, Published
    from attribution_pipeline.orchestration.house import House


EDITED = ".edited"
"""Behind the name of a file that was put aside: only ``*.yaml`` and ``*.yml`` are read."""
MOST_ASIDE = 100
"""Names that are tried for it."""


@dataclass(frozen=True)
class Reach:
    """Recorded days of one version. ``stale``: those it governs that were recorded under another
    one. ``closed``: those of them with settled charges, which keep theirs unless forced."""

    governed: Sequence[date]
    stale: Sequence[date]
    closed: Sequence[date]


@dataclass
class VersionUse:
    """One version, by number and content, and the recorded days under it. ``published``: None
    where no file says this content under this number any more."""

    policy: str
    version: int
    digest: str
    published: Published | None
    now: list[date] = field(default_factory=list)
    ever: set[date] = field(default_factory=set)


def reach(house: House, entry: Published) -> Reach:
    """What the version in ``entry`` governs, published or not. Raises Refusal where its number was
    used, or is published, with another content."""
    from attribution_pipeline.model.policy.history import require_history

    book = house.policies.including(entry)
    version, digest = entry.policy.version, entry.policy.digest
    used = [state for state in house.lake.states() if state.policy_version == version]
    require_history(book, used)
    heads = [
        _head(house, day)
        for day in house.lake.days()
        if day >= book.versions[0].effective_from and book.in_force(day)[1] == digest
    ]
    stale = [head for head in heads if head.policy_digest != digest]
    return Reach(
        governed=[head.day for head in heads],
        stale=[head.day for head in stale],
        closed=[head.day for head in stale if head.settled],
    )


def governed(house: House, entry: Published, first: date, last: date) -> list[date]:
    """Days of [first, last], recorded or not, that the version would govern once it is published,
    closed periods aside. Raises Refusal where it cannot be published as it is."""
    reach(house, entry)
    book = house.policies.including(entry)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [
        day
        for day in days
        if day >= book.versions[0].effective_from and book.in_force(day)[1] == entry.policy.digest
    ]


def versions(house: House) -> list[VersionUse]:
    """Every version that is published or was ever used, by number, with its recorded days."""
    found = {
        (entry.policy.version, entry.policy.digest): VersionUse(
            entry.policy.policy, entry.policy.version, entry.policy.digest, entry
        )
        for entry in house.policies.published
    }
    for state in house.lake.states():
        key = (state.policy_version, state.policy_digest)
        use = found.setdefault(
            key, VersionUse(state.policy, state.policy_version, state.policy_digest, None)
        )
        use.ever.add(state.day)
    for day in house.lake.days():
        head = _head(house, day)
        found[head.policy_version, head.policy_digest].now.append(day)
    return [found[key] for key in sorted(found)]


def side(house: House, named: str) -> Side:
    """A policy by version number, or by file. Raises Refusal where there is none.

    A version whose file is gone is found in the lake, if a recorded day used it.
    """
    from attribution_pipeline.model.policy import load_published

    if not named.isdecimal():
        entry = load_published(Path(named))
        return Side(entry.policy, f"{named} (version {entry.policy.version})", entry)
    number = int(named)
    policy = _of_number(house, number)
    return Side(policy, f"version {number}")


def used_policy(house: House, number: int) -> Policy | None:
    """The version as the newest state under it was recorded, from the lake; None without one."""
    states = [state for state in house.lake.states() if state.policy_version == number]
    return recorded_policy(house, states[-1]) if states else None


@dataclass(frozen=True)
class Restored:
    """The file of a used version. ``written``: now, or it stood as it was used. ``aside``: where the text
    of an edited file is kept that stood in its place; ``free``: a number that it may be published under."""

    path: Path
    written: bool
    aside: Path | None = None
    free: int = 0


def restore(house: House, number: int) -> Restored:
    """The used version as a file of the policies folder again. No text is ever lost: an edited file that
    has the version's number is kept beside it under a name that is read as no policy.

    Raises Refusal where no recorded day used the version.
    """
    from attribution_pipeline.model.policy.history import next_number
    from attribution_pipeline.model.policy_file import policy_text

    policy = used_policy(house, number)
    if policy is None:
        raise Refusal(
            f"no recorded day used version {number}",
            where=str(house.lake.storage),
            remedy="attribution policy list shows the versions that were used",
        )
    heading = f"restored from the lake: what was published, without its comments ({policy.digest})"
    text = policy_text(policy, heading)
    aside = None
    for entry in house.policies.published:
        path = Path(entry.where.rpartition(":")[0])
        if entry.policy.digest == policy.digest:
            return Restored(path, written=False)
        if entry.policy.version == number:
            aside = _put_aside(path)
    free = next_number(house.policies, (state.policy_version for state in house.lake.states()))
    return Restored(_write_new(house.deployment.policies_folder, number, text), True, aside, free)


def _put_aside(path: Path) -> Path:
    """The file's bytes under a new name that no policy has; it is gone only once they are written."""
    names = (f"{path.name}{EDITED}", *(f"{path.name}{EDITED}-{n}" for n in range(2, MOST_ASIDE)))
    for name in names:
        aside = path.with_name(name)
        try:
            with aside.open("xb") as file:
                file.write(path.read_bytes())
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            continue
        path.unlink()
        return aside
    raise Refusal(
        f"has {len(names)} edited texts put aside already, and nothing is ever overwritten",
        where=str(path),
        remedy=f"remove those that nobody needs ({path.name}{EDITED}*)",
    )


def _write_new(folder: Path, number: int, text: str) -> Path:
    for name in (f"policy-{number}.yaml", f"policy-{number}-restored.yaml"):
        path = folder / name
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        return path
    raise Refusal(
        f"is there already, and nothing is ever overwritten; so is policy-{number}.yaml",
        where=str(path),
        remedy="rename one of them",
    )


def _of_number(house: House, number: int) -> Policy:
    """The published version, if it was never used otherwise: a number is one rule."""
    from attribution_pipeline.model.policy.history import require_history

    try:
        policy = house.policies.version(number)
    except Refusal:
        used = used_policy(house, number)
        if used is None:
            raise
        return used
    require_history(
        house.policies, (one for one in house.lake.states() if one.policy_version == number)
    )
    return policy


def _head(house: House, day: date) -> State:
    head = house.lake.head(day)
    assert head is not None  # the day is one of the recorded
    return head
