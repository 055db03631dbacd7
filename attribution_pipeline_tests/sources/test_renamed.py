"""A source that was renamed is refused before its files count twice; spans count once, whoever brings them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline_tests.sources.landings import report, standing, usage


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
    with pytest.raises(
        Refusal, match=r"a\.csv was landed as source usage, which the deployment file"
    ) as no:
        land([usage(tmp_path / "in", "reports")], store)
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
