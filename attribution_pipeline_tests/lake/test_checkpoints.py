"""Checkpoints: made by count, sealed, and never what our own readers go by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from attribution_pipeline.lake import Lake, checkpoints, delta
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.lake.days import DAY, amounts_of, record
from attribution_pipeline_tests.lake.stores import HookedStore, Killed, raising

EVERY = 4


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", EVERY)


def log(storage: Path) -> Path:
    return storage / "ledger" / "_delta_log"


def made(storage: Path) -> list[int]:
    return [int(path.name[:20]) for path in sorted(log(storage).glob("*.checkpoint.parquet"))]


def sealed(storage: Path) -> list[int]:
    return [int(path.name[:20]) for path in sorted(storage.glob("seals/ledger/*.checkpoint.json"))]


def record_often(lake: Lake, times: int) -> None:
    for number in range(times):
        record(lake, DAY, [str(number + 1)])


def refusal_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refused:
        act()
    return refused.value.line()


def test_a_checkpoint_is_made_after_so_many_commits_and_sealed(tmp_path: Path) -> None:
    record_often(Lake(tmp_path), 3)
    assert made(tmp_path) == []
    record_often(Lake(tmp_path), 7)  # another process counts on
    assert made(tmp_path) == sealed(tmp_path) == [4, 8]
    Lake(tmp_path).verify(DAY, DAY)
    assert DeltaTable(str(tmp_path / "ledger")).to_pyarrow_table().num_rows == 1
    assert json.loads((log(tmp_path) / "_last_checkpoint").read_text())["version"] == 8


def test_delta_makes_none_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 10**9)
    monkeypatch.setitem(delta.PROPERTIES, "delta.checkpointInterval", "2")  # its own is 100
    record_often(Lake(tmp_path), 5)
    assert made(tmp_path) == []
    assert not (log(tmp_path) / "_last_checkpoint").exists()


@pytest.mark.parametrize("name", [f"{4:020d}.checkpoint.parquet", "_last_checkpoint"])
def test_a_flipped_bit_is_refused_by_its_name_and_nothing_is_committed_on_it(
    tmp_path: Path, name: str
) -> None:
    record_often(Lake(tmp_path), 5)
    path = log(tmp_path) / name
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 50)):
        content = bytearray(whole)
        content[at] ^= 1
        path.write_bytes(content)
        assert refusal_of(lambda: Lake(tmp_path).verify(DAY, DAY)).startswith(str(path))
    assert refusal_of(lambda: record(Lake(tmp_path), DAY, ["9"])).startswith(str(path))
    assert amounts_of(Lake(tmp_path), DAY) == ["5"]  # read from the entries
    path.unlink()
    assert refusal_of(lambda: Lake(tmp_path).verify(DAY, DAY)).startswith(str(path))
    path.write_bytes(whole)
    Lake(tmp_path).verify(DAY, DAY)


def test_every_bit_of_a_checkpoints_seal_counts(tmp_path: Path) -> None:
    record_often(Lake(tmp_path), 5)
    (path,) = tmp_path.glob("seals/ledger/*.checkpoint.json")
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        content = bytearray(whole)
        content[at] ^= 1
        path.write_bytes(content)
        assert refusal_of(lambda: Lake(tmp_path).verify(DAY, DAY)).startswith(str(path))


@pytest.mark.parametrize("dies", ["before its seal", "before the pointer"])
def test_a_checkpoint_whose_writer_died_before_its_seal_is_taken_and_sealed_with_the_next(
    tmp_path: Path, dies: str
) -> None:
    store = HookedStore(tmp_path)
    record_often(Lake(tmp_path, store=store), 3)
    store.before["create", f"seals/ledger/{4:020d}.checkpoint.json"] = raising(Killed())
    with pytest.raises(Killed):
        record(Lake(tmp_path, store=store), DAY, ["4"])
    if dies == "before the pointer":
        (log(tmp_path) / "_last_checkpoint").unlink()
    assert (made(tmp_path), sealed(tmp_path)) == ([4], [])
    Lake(tmp_path).verify(DAY, DAY)
    record_often(Lake(tmp_path), 1)  # due, and made at once
    assert made(tmp_path) == sealed(tmp_path) == [4, 5]
    Lake(tmp_path).verify(DAY, DAY)


@pytest.mark.parametrize("name", [f"{4:020d}.checkpoint.parquet", "_last_checkpoint"])
def test_a_checkpoint_without_a_seal_must_sum_up_what_the_entries_say(
    tmp_path: Path, name: str
) -> None:
    other = tmp_path / "other"
    record_often(Lake(other), 5)
    store = HookedStore(tmp_path)
    store.before["create", f"seals/ledger/{4:020d}.checkpoint.json"] = raising(Killed())
    with pytest.raises(Killed):
        record_often(Lake(tmp_path, store=store), 5)
    path = log(tmp_path) / name
    content = (log(other) / name).read_bytes()  # the same amounts in a table of another id
    path.write_bytes(content if name.endswith("parquet") else content.replace(b":4", b":3"))
    for act in (
        lambda: Lake(tmp_path).verify(DAY, DAY),
        lambda: record(Lake(tmp_path), DAY, ["9"]),
    ):
        assert refusal_of(act).startswith(str(path))


def test_states_are_read_from_entries_whatever_a_checkpoint_says(tmp_path: Path) -> None:
    record_often(Lake(tmp_path), 9)
    for path in log(tmp_path).glob("*.checkpoint.parquet"):
        path.write_bytes(b"nothing")
    lake = Lake(tmp_path)
    assert [state.state for state in lake.states(DAY)] == list(range(1, 10))
    assert amounts_of(lake, DAY) == ["9"]
