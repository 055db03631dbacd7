"""The drill: copy, lose everything, restore in a new place, replay says equal."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from attribution_pipeline.buckets.place import parse
from attribution_pipeline.commands.backup import _require_apart
from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake import Lake, copying
from attribution_pipeline.lake.copying import copy_lake, damaged, verify_lake
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.operate.commands import CONFIG, attribution
from attribution_pipeline_tests.orchestration.deployments import DAY

DAYS = ("--from", "2026-10-05", "--to", "2026-10-05")


def test_the_drill(states: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    ledger = attribution(states, "ledger", *DAYS, "--format", "csv")
    said = attribution(states, "backup", "--to", str(copy))
    assert f"{copy}: 1 recorded days, 2026-10-05 to 2026-10-05" in said
    new = tmp_path / "elsewhere"
    for name in (CONFIG, "policies", "billing", "spans", "opencost", "usage"):
        place = states / name
        (shutil.copytree if place.is_dir() else _copied_file)(place, new / name)
    shutil.rmtree(states)
    attribution(new, "restore", "--from", str(copy))
    assert attribution(new, "ledger", *DAYS, "--format", "csv") == ledger
    assert "reproduced" in attribution(new, "replay", *DAYS)
    assert [state.state for state in Lake(new / "lake").states()] == [1, 2, 3, 4]


def test_a_copy_is_brought_up_to_date_by_what_is_new(states: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    first = copy_lake(states / "lake", copy)
    assert first.standing == 0
    _restate(states)
    second = copy_lake(states / "lake", copy)
    assert second.files < first.files / 2
    verify_lake(copy)
    assert len(Lake(copy).states()) == len(Lake(states / "lake").states()) == 5


def test_a_copy_can_be_read_wherever_copying_stops(
    states: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write of the copy's logs is the last one once; what stands then is a lake."""
    wrote = 0
    whole = copy_lake(states / "lake", tmp_path / "whole")
    states_then = []
    for stop in range(0, 60, 8):
        copy = tmp_path / f"copy-{stop}"
        left = stop

        class Stopped(Exception):
            pass

        real = copying.passing_store

        @contextlib.contextmanager
        def opened(place: Path, copy: Path = copy, real=real) -> Iterator[object]:  # type: ignore[no-untyped-def]
            with real(place) as store:
                if place == copy:
                    replace = store.replace

                    def counted(name: str, content: bytes) -> None:
                        nonlocal left
                        if left == 0:
                            raise Stopped
                        left -= 1
                        replace(name, content)

                    store.replace = counted
                yield store

        with monkeypatch.context() as patch:
            patch.setattr(copying, "passing_store", opened)
            try:
                copy_lake(states / "lake", copy)
            except Stopped:
                wrote += 1
        lake = Lake(copy)
        for day in lake.days():
            lake.verify(day, day)
        states_then.append(len(lake.states()))
    assert wrote > 5
    assert states_then == sorted(states_then)
    assert whole.versions["ledger"] == 4


def test_what_is_committed_while_it_is_copied_is_in_the_next_copy(
    states: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    real = copying._logs

    def then_a_commit(store: object) -> object:
        found = real(store)  # type: ignore[arg-type]
        _restate(states)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(copying, "_logs", then_a_commit)
        copy_lake(states / "lake", copy)
    verify_lake(copy)
    assert len(Lake(copy).states()) == 4
    copy_lake(states / "lake", copy)
    verify_lake(copy)
    assert len(Lake(copy).states()) == 5


def test_a_rotten_file_is_not_copied(states: Path, tmp_path: Path) -> None:
    lake = Lake(states / "lake")
    (entry,) = lake.manifest(DAY)["files"]["ledger"]
    path = states / "lake" / entry["path"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(Refusal, match="a file was changed"):
        copy_lake(states / "lake", tmp_path / "copy")


def test_nothing_is_restored_over_a_lake_and_no_copy_is_mixed(states: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    attribution(states, "backup", "--to", str(copy))
    assert "is not empty" in attribution(states, "restore", "--from", str(copy), status=2)
    place = states / CONFIG
    place.write_text(place.read_text().replace("storage: ./lake", "storage: ./new"))
    said = attribution(states, "restore", "--from", str(tmp_path / "nothing"), status=2)
    assert "holds no recorded day" in said
    place.write_text(place.read_text().replace("storage: ./new", "storage: ./lake"))
    other = tmp_path / "other"
    shutil.copytree(copy, other)
    (entry,) = other.glob("ledger/_delta_log/*0.json")
    entry.write_text(entry.read_text() + " ")
    assert "another lake" in attribution(states, "backup", "--to", str(other), status=2)


def test_a_copy_that_rotted_is_put_right_by_the_next_backup(states: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    attribution(states, "backup", "--to", str(copy))
    (entry,) = Lake(copy).manifest(DAY)["files"]["ledger"]
    rotten = copy / entry["path"]
    content = bytearray(rotten.read_bytes())
    content[len(content) // 2] ^= 1
    rotten.write_bytes(content)
    attribution(states, "backup", "--to", str(copy), "--no-check")
    assert damaged(copy) == [entry["path"]]
    said = attribution(states, "backup", "--to", str(copy))
    assert "copied once more: 1 damaged files" in said
    assert damaged(copy) == []
    assert rotten.read_bytes() == (states / "lake" / entry["path"]).read_bytes()


def test_a_restore_that_was_interrupted_may_be_given_again(states: Path, tmp_path: Path) -> None:
    copy, lake = tmp_path / "copy", states / "lake"
    attribution(states, "backup", "--to", str(copy))
    shutil.rmtree(lake)
    shutil.copytree(copy / "policies", lake / "policies")
    (lake / "mine.txt").write_text("no part of a lake")
    assert "mine.txt stands there" in attribution(states, "restore", "--from", str(copy), status=2)
    (lake / "mine.txt").unlink()
    shutil.copytree(copy / "landed" / "index", lake / "landed" / "index")
    assert "is not empty: landed/index" in attribution(
        states, "restore", "--from", str(copy), status=2
    )
    shutil.rmtree(lake / "landed" / "index")
    assert "1 recorded days" in attribution(states, "restore", "--from", str(copy))


def test_no_copy_lies_in_what_it_is_a_copy_of(states: Path) -> None:
    for inside in (states / "lake" / "copy", states / "lake" / ".." / "lake", states):
        said = attribution(states, "backup", "--to", str(inside), status=2)
        assert "one lies in the other" in said
    assert not (states / "lake" / "copy").exists()
    for one, other, refused in (
        ("s3://costs/lake", "s3://costs/lake/copy", True),
        ("s3://costs", "s3://costs/lake", True),
        ("s3://costs/lake", "s3://costs/lake", True),
        ("s3://costs/lake", "s3://costs/lake-copy", False),
        ("s3://costs/lake", "s3://copies/lake", False),
    ):
        with pytest.raises(Refusal) if refused else contextlib.nullcontext():
            _require_apart(parse(one), parse(other))
            _require_apart(parse(other), parse(one))
    said = attribution(states, "backup", "--to", "s3://costs/a b", status=2)
    assert "has a prefix of other letters" in said


def _restate(folder: Path) -> None:
    bill = folder / "billing" / "focus.csv"
    bill.write_text(bill.read_text().replace(",0.85,", ",0.95,"))
    house = House(load_deployment(folder / CONFIG))
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    record_day(House(load_deployment(folder / CONFIG)), DAY)


def _copied_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
