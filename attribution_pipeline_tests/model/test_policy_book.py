"""Which version governs a charge day, and what two files may not say together."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import load_policies
from attribution_pipeline_tests.cases import WORKED_DAY


def _write(folder: Path, name: str, version: int, effective: str, more: str = "") -> Path:
    path = folder / name
    path.write_text(f"policy: p\n\nversion: {version}\neffective_from: {effective}\n{more}")
    return path


def test_version_in_force_is_the_latest_effective_one_however_files_are_named(
    tmp_path: Path,
) -> None:
    _write(tmp_path, "a.yaml", 2, "2026-10-10")
    _write(tmp_path, "b.yml", 1, "2026-10-01")
    book = load_policies(tmp_path)
    assert book.in_force(date(2026, 10, 1))[0].version == 1
    assert book.in_force(date(2026, 10, 9))[0].version == 1
    assert book.in_force(date(2026, 10, 10))[0].version == 2
    policy, digest = book.in_force(date(2027, 1, 1))
    assert policy.version == 2
    assert digest == policy.digest


def test_of_two_versions_with_one_effective_day_the_higher_number_wins(tmp_path: Path) -> None:
    _write(tmp_path, "10.yaml", 10, "2026-10-01")
    _write(tmp_path, "9.yaml", 9, "2026-10-01")
    assert load_policies(tmp_path).in_force(date(2026, 10, 5))[0].version == 10


def test_later_version_that_reaches_back_governs_from_its_effective_day(tmp_path: Path) -> None:
    _write(tmp_path, "1.yaml", 1, "2026-10-10")
    _write(tmp_path, "2.yaml", 2, "2026-10-01")
    book = load_policies(tmp_path)
    assert book.in_force(date(2026, 10, 9))[0].version == 2
    # the later effective day wins over the higher number
    assert book.in_force(date(2026, 10, 10))[0].version == 1


def test_day_before_every_version_is_refused_with_the_earliest(tmp_path: Path) -> None:
    _write(tmp_path, "1.yaml", 1, "2026-10-01")
    with pytest.raises(Refusal) as refused:
        load_policies(tmp_path).in_force(date(2026, 9, 30))
    assert refused.value.line() == (
        f"{tmp_path}: no policy is in force on 2026-09-30: the earliest takes effect on "
        "2026-10-01; publish a version with `effective_from: 2026-09-30` or earlier, or start later"
    )


def test_one_version_with_two_contents_is_refused_by_name_and_line(tmp_path: Path) -> None:
    first = _write(tmp_path, "a.yaml", 1, "2026-10-01")
    second = _write(tmp_path, "b.yaml", 1, "2026-10-01", "note: changed\n")
    with pytest.raises(Refusal) as refused:
        load_policies(tmp_path)
    assert refused.value.line() == (
        f"{second}:3: version 1 of policy p is published with two contents (also in {first}:3); "
        "a change is a new version: number it so"
    )


def test_one_version_published_twice_is_refused(tmp_path: Path) -> None:
    first = _write(tmp_path, "a.yaml", 1, "2026-10-01")
    second = _write(tmp_path, "b.yaml", 1, "2026-10-01")
    with pytest.raises(Refusal) as refused:
        load_policies(tmp_path)
    assert refused.value.line() == (
        f"{second}:3: version 1 of policy p is published twice (also in {first}:3); remove one file"
    )


def test_broken_version_stops_the_book_with_its_own_line(tmp_path: Path) -> None:
    _write(tmp_path, "1.yaml", 1, "2026-10-01")
    broken = _write(tmp_path, "2.yaml", 2, "2026-10-01", "pool: []\n")
    with pytest.raises(Refusal) as refused:
        load_policies(tmp_path)
    assert refused.value.line() == f"{broken}:5: unknown key `pool`; did you mean `pools`?"


def test_folder_without_policies_or_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no policy")
    (tmp_path / ".hidden.yaml").write_text("no policy")
    with pytest.raises(Refusal, match=r"holds no policy \(\*.yaml\); write one"):
        load_policies(tmp_path)
    with pytest.raises(Refusal, match="there is no such folder of policies; create it"):
        load_policies(tmp_path / "none")


def test_book_knows_its_versions_and_the_span_attributes_that_any_of_them_reads(
    tmp_path: Path,
) -> None:
    _write(tmp_path, "1.yaml", 1, "2026-10-01", "join: {attributes: {tenant_id: [b, a]}}\n")
    _write(tmp_path, "2.yaml", 2, "2026-11-01", "join: {attributes: {feature: [a, c]}}\n")
    book = load_policies(tmp_path)
    assert book.attribute_aliases() == ["a", "b", "c"]
    assert book.version(2).effective_from == date(2026, 11, 1)
    with pytest.raises(Refusal, match="there is no version 3; published are: 1, 2"):
        book.version(3)


def test_days_read_the_span_attributes_of_the_versions_in_force_on_them(tmp_path: Path) -> None:
    for version, effective, name in (
        (1, "2026-10-01", "a"), (2, "2026-10-05", "b"), (3, "2026-10-05", "c"),
        (4, "2026-10-09", "d"),
    ):  # fmt: skip
        more = f"join: {{attributes: {{feature: [{name}]}}}}\n"
        _write(tmp_path, f"{version}.yaml", version, effective, more)
    book = load_policies(tmp_path)
    expected = {1: "", 29: "", 30: "a", 33: "a", 34: "c", 37: "c", 38: "d", 60: "d"}
    days = {n: date(2026, 9, 1) + timedelta(days=n) for n in expected}
    assert {n: "".join(book.attributes_between(day, day)) for n, day in days.items()} == expected
    assert book.attributes_between(days[33], days[34]) == {"a", "c"}
    assert book.attributes_between(days[1], days[60]) == {"a", "c", "d"}
    assert book.attributes_between(days[37], days[38]) == {"c", "d"}


def test_worked_day_has_one_version_in_force() -> None:
    policy, _ = load_policies(WORKED_DAY / "policies").in_force(date(2026, 10, 5))
    assert policy.policy == "worked-day"
