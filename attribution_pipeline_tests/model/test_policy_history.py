"""Published means immutable: what a recorded day used stays published, as it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import PolicyBook, load_policies, load_policy, load_published
from attribution_pipeline.model.policy.history import require_history


@dataclass
class State:
    """A recorded state, as far as its policy goes."""

    day: date
    policy: str
    policy_version: int
    policy_digest: str


def _write(folder: Path, version: int, more: str = "", name: str = "") -> Path:
    path = folder / (name or f"policy-{version}.yaml")
    path.write_text(f"policy: p\nversion: {version}\neffective_from: 2026-10-01\n{more}")
    return path


def _used(path: Path, *days: int) -> list[State]:
    policy, digest = load_policy(path)
    return [State(date(2026, 10, day), policy.policy, policy.version, digest) for day in days]


def _refusal(folder: Path, used: list[State]) -> str:
    with pytest.raises(Refusal) as refused:
        require_history(load_policies(folder), used)
    return refused.value.line()


def test_versions_that_stand_as_they_were_used_pass(tmp_path: Path) -> None:
    used = _used(_write(tmp_path, 1), 5, 6)
    _write(tmp_path, 2, "note: never used\n")
    _write(tmp_path, 1, "# a comment is no change\n")
    require_history(load_policies(tmp_path), used)
    require_history(load_policies(tmp_path), [])


def test_a_changed_file_under_a_used_version_is_refused_with_its_line(tmp_path: Path) -> None:
    path = _write(tmp_path, 1)
    used = _used(path, 6, 5)
    _write(tmp_path, 1, "note: changed\n")
    now = load_policy(path)[1]
    assert _refusal(tmp_path, used) == (
        f"{path}:2: version 1 of policy p was changed after 2026-10-05 was recorded under it (its "
        f"digest then {used[0].policy_digest[:12]}, now {now[:12]}); copy your edit to "
        "policy-2.yaml with `version: 2`, then put the used one back: attribution policy restore 1"
    )


def test_a_used_version_that_is_gone_is_refused_with_the_command_that_restores_it(
    tmp_path: Path,
) -> None:
    path = _write(tmp_path, 1)
    used = _used(path, 5, 6)
    path.unlink()
    _write(tmp_path, 2, "note: another\n")
    assert _refusal(tmp_path, used) == (
        f"{tmp_path}: version 1 of policy p is gone, and 2 days were recorded under it; put its "
        "file back: attribution policy restore 1"
    )


def test_a_file_renumbered_in_place_is_recognised_by_its_content(tmp_path: Path) -> None:
    path = _write(tmp_path, 1)
    used = _used(path, 5)
    path.write_text(path.read_text().replace("version: 1", "version: 2"))
    assert _refusal(tmp_path, used) == (
        f"{path}:2: version 1 of policy p was renumbered to 2 after 2026-10-05 was recorded under "
        "it; write `version: 1` again; a copy of it may have a number of its own"
    )


def test_a_copy_under_a_new_number_is_a_version_of_its_own(tmp_path: Path) -> None:
    path = _write(tmp_path, 1)
    used = _used(path, 5)
    _write(tmp_path, 2)
    require_history(load_policies(tmp_path), used)


def test_a_superseded_state_counts_too(tmp_path: Path) -> None:
    """A day that moved on to version 2 was published under version 1 once."""
    first = _write(tmp_path, 1)
    second = _write(tmp_path, 2, "note: second\n")
    used = [*_used(first, 5), *_used(second, 5)]
    first.unlink()
    assert "version 1 of policy p is gone, and 2026-10-05 was recorded" in _refusal(tmp_path, used)


def test_the_digest_of_a_content_follows_the_number_it_is_asked_for(tmp_path: Path) -> None:
    one, _ = load_policy(_write(tmp_path, 1))
    two, _ = load_policy(_write(tmp_path, 2))
    assert one.digest_as(2) == two.digest != one.digest == one.digest_as(1)


def test_a_book_with_one_more_file_is_what_publishing_it_would_give(tmp_path: Path) -> None:
    published = tmp_path / "policies"
    published.mkdir()
    _write(published, 1)
    book = load_policies(published)
    entry = load_published(_write(tmp_path, 2, name="draft.yaml"))
    assert [policy.version for policy in book.including(entry).versions] == [1, 2]
    assert [policy.version for policy in book.versions] == [1]
    assert book.including(load_published(_write(tmp_path, 1, name="copy.yaml"))) is book
    with pytest.raises(Refusal, match="version 1 of policy p is published with two contents"):
        book.including(load_published(_write(tmp_path, 1, "note: other\n", name="other.yaml")))


def test_of_equal_effective_days_the_higher_number_governs_and_the_later_day_before_that(
    tmp_path: Path,
) -> None:
    for version in (2, 10, 9):
        _write(tmp_path, version)
    later = tmp_path / "later.yaml"
    later.write_text("policy: p\nversion: 3\neffective_from: 2026-10-04\n")
    book: PolicyBook = load_policies(tmp_path)
    assert [book.in_force(date(2026, 10, day))[0].version for day in (1, 3, 4, 30)] == [
        10, 10, 3, 3,
    ]  # fmt: skip
