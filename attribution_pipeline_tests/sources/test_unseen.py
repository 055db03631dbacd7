"""What a listing calls unseen is what landing then reads, and nothing is opened to say so."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline.sources.unseen import ARRIVING, unseen
from attribution_pipeline_tests.sources.landings import report, usage

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def written(path: Path, ago: timedelta) -> None:
    at = (NOW - ago).timestamp()
    os.utime(path, (at, at))


def aged(folder: Path) -> None:
    for path in folder.rglob("*"):
        written(path, timedelta(hours=1))


def test_unseen_is_what_landing_reads_and_then_nothing(tmp_path: Path) -> None:
    report(tmp_path / "in", "a.csv", "1")
    (tmp_path / "in" / "broken.csv").write_text("nothing\n")
    aged(tmp_path / "in")
    store = LandedStore(tmp_path / "lake")
    found = unseen([usage(tmp_path / "in")], store, NOW)
    assert [(kind, path) for kind, _, path, _ in found.objects] == [
        ("usage", "a.csv"), ("usage", "broken.csv"),
    ]  # fmt: skip
    landed = land([usage(tmp_path / "in")], store)
    assert landed.new + landed.refused == len(found.objects)
    assert unseen([usage(tmp_path / "in")], store, NOW).objects == []  # the refused one too


def test_a_changed_object_is_unseen_again(tmp_path: Path) -> None:
    report(tmp_path / "in", "a.csv", "1")
    aged(tmp_path / "in")
    store = LandedStore(tmp_path / "lake")
    land([usage(tmp_path / "in")], store)
    written(tmp_path / "in" / "a.csv", timedelta(minutes=5))
    assert len(unseen([usage(tmp_path / "in")], store, NOW).objects) == 1


def test_an_object_is_opened_by_landing_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(tmp_path / "in", "a.csv", "1")
    aged(tmp_path / "in")

    def opened(*_: object) -> None:
        raise AssertionError("a listing opened an object")

    monkeypatch.setattr("attribution_pipeline.sources.landing_run.open_object", opened)
    assert len(unseen([usage(tmp_path / "in")], LandedStore(tmp_path / "lake"), NOW).objects) == 1


@pytest.mark.parametrize(
    ("ago", "arriving"),
    [
        (timedelta(0), True),
        (ARRIVING - timedelta(seconds=1), True),
        (ARRIVING, False),
        (timedelta(days=400), False),
        (-timedelta(seconds=1), True),  # the folder's clock is a little ahead
        (-timedelta(days=1), False),  # it is wrong: such a file would wait for a day
    ],
)
def test_what_was_written_just_now_waits(tmp_path: Path, ago: timedelta, arriving: bool) -> None:
    report(tmp_path / "in", "a.csv", "1")
    written(tmp_path / "in" / "a.csv", ago)
    found = unseen([usage(tmp_path / "in")], LandedStore(tmp_path / "lake"), NOW)
    assert dict(found.awaiting) == ({"still_arriving": 1} if arriving else {})
    assert len(found.objects) == (0 if arriving else 1)


def test_close_records_that_nobody_has_written_yet_are_nothing(tmp_path: Path) -> None:
    source = Source("closes", "closes", tmp_path / "closes")
    found = unseen([source], LandedStore(tmp_path / "lake"), NOW)
    assert (found.objects, dict(found.awaiting)) == ([], {})


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no such folder"):
        unseen([usage(tmp_path / "nowhere")], LandedStore(tmp_path / "lake"), NOW)
