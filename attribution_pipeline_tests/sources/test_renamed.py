"""A source that was renamed is refused before its files count twice; spans count once, whoever brings them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline_tests.sources.landings import (
    HEADER,
    quantities,
    report,
    standing,
    usage,
)


@pytest.fixture
def store(tmp_path: Path) -> LandedStore:
    """A report that was landed as source ``usage``."""
    report(tmp_path / "in", "a.csv", "1")
    found = LandedStore(tmp_path / "lake")
    land([usage(tmp_path / "in")], found)
    return found


def test_the_same_files_under_another_name_are_refused_and_nothing_is_landed(
    store: LandedStore, tmp_path: Path
) -> None:
    before = store.head
    report(tmp_path / "in", "b.csv", "2")
    report(tmp_path / "others", "c.csv", "3")
    with pytest.raises(
        Refusal, match=r"a\.csv was landed as source usage, which the deployment file"
    ) as no:
        land([usage(tmp_path / "others", "first"), usage(tmp_path / "in", "reports")], store)
    assert "name the source usage again" in no.value.line()
    assert store.head == before
    assert land([usage(tmp_path / "in")], store).new == 1


def test_other_files_and_other_kinds_are_no_renamed_source(
    store: LandedStore, tmp_path: Path
) -> None:
    report(tmp_path / "more", "a.csv", "3", "4")
    assert land([usage(tmp_path / "more", "reports")], store).new == 1
    assert len(standing(store, "usage", ["quantity"])) == 3
    shutil.copytree(tmp_path / "in", tmp_path / "copy")
    both = [usage(tmp_path / "in"), usage(tmp_path / "copy", "twice")]
    assert land(both, store).new == 1, "both are named: who does that knows it"
    assert land([Source("spans", "usage", tmp_path / "in")], store).refused == 1


def test_a_file_that_was_withdrawn_may_be_delivered_under_another_name(
    store: LandedStore, tmp_path: Path
) -> None:
    """As landing advises: its header alone, under its path. Then nothing of it stands."""
    shutil.copytree(tmp_path / "in", tmp_path / "kept")
    (tmp_path / "in" / "a.csv").write_text(HEADER + "\n")
    land([usage(tmp_path / "in")], store)
    assert quantities(store) == []
    assert land([usage(tmp_path / "kept", "reports")], store).new == 1
    assert quantities(store) == ["1"]


def test_a_file_without_rows_is_no_renamed_source(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    for name in ("usage", "reports"):
        os.utime(report(tmp_path / name, "a.csv"), (1, 1))
        assert land([usage(tmp_path / name, name)], store).new == 1


def test_other_content_of_equal_size_and_time_is_no_renamed_source(tmp_path: Path) -> None:
    """What comes out of an archive or an image has the time of its making, or 1970."""
    store = LandedStore(tmp_path / "lake")
    for name, quantity in (("usage", "1"), ("reports", "7")):
        os.utime(report(tmp_path / name, "a.csv", quantity), (1, 1))
        assert land([usage(tmp_path / name, name)], store).new == 1
    assert quantities(store) == ["1", "7"]


@pytest.mark.parametrize("how", ["merged", "one folder up", "copied"])
def test_its_content_tells_a_renamed_source_whose_files_lie_elsewhere(
    store: LandedStore, tmp_path: Path, how: str
) -> None:
    report(tmp_path / "more" / "in", "b.csv", "9")
    merged = usage(tmp_path / "more", "reports")
    if how == "merged":
        assert land([usage(tmp_path / "in"), merged], store).new == 1
    for_name = {"merged": "in/a.csv", "one folder up": "in/a.csv", "copied": "a.csv"}[how]
    target = tmp_path / "more" / for_name
    shutil.copy(tmp_path / "in" / "a.csv", target)  # with a new time
    before = store.head
    with pytest.raises(Refusal, match=r"a\.csv.* was landed as source usage, which the") as no:
        land([merged], store)
    assert ("in/a.csv has the content of a.csv, which" in no.value.line()) == (how != "copied")
    assert store.head == before
    target.unlink()
    assert quantities(store) == ["1", *(["9"] if how == "merged" else [])]
    assert land([merged], store).new == (how != "merged")


def test_what_both_sources_had_landed_stays_as_it_is_when_one_is_named_no_more(
    store: LandedStore, tmp_path: Path
) -> None:
    shutil.copytree(tmp_path / "in", tmp_path / "copy")
    twice = usage(tmp_path / "copy", "twice")
    land([usage(tmp_path / "in"), twice], store)
    shutil.copy(tmp_path / "copy" / "a.csv", tmp_path / "copy" / "c.csv")
    assert land([twice], store).sources[0].same_content == 1
