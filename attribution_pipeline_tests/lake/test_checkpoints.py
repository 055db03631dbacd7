"""Checkpoints: made by count, sealed, and never what our own readers go by."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from attribution_pipeline.lake import Lake, checkpoints
from attribution_pipeline.lake.delta import PROPERTIES
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.buckets.paths import Root, delta
from attribution_pipeline_tests.lake.days import DAY, amounts_of, record
from attribution_pipeline_tests.lake.stores import HookedStore, Killed, raising

EVERY = 4


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", EVERY)


def log(storage: Root) -> Root:
    return storage / "ledger" / "_delta_log"


def made(storage: Root) -> list[int]:
    return [int(path.name[:20]) for path in sorted(log(storage).glob("*.checkpoint.parquet"))]


def sealed(storage: Root) -> list[int]:
    return [int(path.name[:20]) for path in sorted(storage.glob("seals/ledger/*.checkpoint.json"))]


def record_often(lake: Lake, times: int) -> None:
    for number in range(times):
        record(lake, DAY, [str(number + 1)])


def refusal_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refused:
        act()
    return refused.value.line()


def test_a_checkpoint_is_made_after_so_many_commits_and_sealed(root: Root) -> None:
    record_often(Lake(root), 3)
    assert made(root) == []
    record_often(Lake(root), 7)  # another process counts on
    assert made(root) == sealed(root) == [4, 8]
    Lake(root).verify(DAY, DAY)
    assert delta(root / "ledger").to_pyarrow_table().num_rows == 1
    assert json.loads((log(root) / "_last_checkpoint").read_text())["version"] == 8


def test_delta_makes_none_by_itself(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 10**9)
    monkeypatch.setitem(PROPERTIES, "delta.checkpointInterval", "2")  # its own is 100
    record_often(Lake(root), 5)
    assert made(root) == []
    assert not (log(root) / "_last_checkpoint").exists()


@pytest.mark.parametrize("name", [f"{4:020d}.checkpoint.parquet", "_last_checkpoint"])
def test_a_flipped_bit_is_refused_by_its_name_and_nothing_is_committed_on_it(
    root: Root, name: str
) -> None:
    record_often(Lake(root), 5)
    path = log(root) / name
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 50)):
        content = bytearray(whole)
        content[at] ^= 1
        path.write_bytes(content)
        assert refusal_of(lambda: Lake(root).verify(DAY, DAY)).startswith(str(path))
    assert refusal_of(lambda: record(Lake(root), DAY, ["9"])).startswith(str(path))
    assert amounts_of(Lake(root), DAY) == ["5"]  # read from the entries
    path.unlink()
    assert refusal_of(lambda: Lake(root).verify(DAY, DAY)).startswith(str(path))
    path.write_bytes(whole)
    Lake(root).verify(DAY, DAY)


def test_every_bit_of_a_checkpoints_seal_counts(root: Root) -> None:
    record_often(Lake(root), 5)
    (path,) = root.glob("seals/ledger/*.checkpoint.json")
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        content = bytearray(whole)
        content[at] ^= 1
        path.write_bytes(content)
        assert refusal_of(lambda: Lake(root).verify(DAY, DAY)).startswith(str(path))


@pytest.mark.parametrize("dies", ["before its seal", "before the pointer"])
def test_a_checkpoint_whose_writer_died_before_its_seal_is_taken_and_sealed_with_the_next(
    root: Root, dies: str
) -> None:
    store = HookedStore(root)
    record_often(Lake(root, store=store), 3)
    store.before["create", f"seals/ledger/{4:020d}.checkpoint.json"] = raising(Killed())
    with pytest.raises(Killed):
        record(Lake(root, store=store), DAY, ["4"])
    if dies == "before the pointer":
        (log(root) / "_last_checkpoint").unlink()
    assert (made(root), sealed(root)) == ([4], [])
    Lake(root).verify(DAY, DAY)
    record_often(Lake(root), 1)  # due, and made at once
    assert made(root) == sealed(root) == [4, 5]
    Lake(root).verify(DAY, DAY)


@pytest.mark.parametrize("name", [f"{4:020d}.checkpoint.parquet", "_last_checkpoint"])
def test_a_checkpoint_without_a_seal_must_sum_up_what_the_entries_say(
    root: Root, name: str
) -> None:
    other = root / "other"
    record_often(Lake(other), 5)
    store = HookedStore(root)
    store.before["create", f"seals/ledger/{4:020d}.checkpoint.json"] = raising(Killed())
    with pytest.raises(Killed):
        record_often(Lake(root, store=store), 5)
    path = log(root) / name
    content = (log(other) / name).read_bytes()  # the same amounts in a table of another id
    path.write_bytes(content if name.endswith("parquet") else content.replace(b":4", b":3"))
    for act in (
        lambda: Lake(root).verify(DAY, DAY),
        lambda: record(Lake(root), DAY, ["9"]),
    ):
        assert refusal_of(act).startswith(str(path))


def test_states_are_read_from_entries_whatever_a_checkpoint_says(root: Root) -> None:
    record_often(Lake(root), 9)
    for path in log(root).glob("*.checkpoint.parquet"):
        path.write_bytes(b"nothing")
    lake = Lake(root)
    assert [state.state for state in lake.states(DAY)] == list(range(1, 10))
    assert amounts_of(lake, DAY) == ["9"]
