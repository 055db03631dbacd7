"""The seam to storage: objects are there whole or not at all."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.lake import folder_store as stores
from attribution_pipeline.lake.folder_store import FolderStore
from attribution_pipeline.lake.places import open_store
from attribution_pipeline.lake.store import create_once
from attribution_pipeline_tests.buckets.paths import Root
from attribution_pipeline_tests.lake.stores import HookedStore, raising

RACERS = 8
PROCESSES = multiprocessing.get_context("forkserver")


def staged(folder: Path, content: bytes) -> Path:
    path = folder / "staged"
    path.write_bytes(content)
    return path


def test_objects_are_named_relative_to_the_place(root: Root, tmp_path: Path) -> None:
    store = open_store(root)
    store.create("a/b/one", b"1")
    store.replace("a/b/two", b"2")
    store.place(staged(tmp_path, b"3"), "a/three")
    assert (store.read("a/b/one"), store.read("a/b/two")) == (b"1", b"2")
    assert store.fetch("a/three").read_bytes() == b"3"
    assert (store.names("a"), store.names("a/b")) == (["b", "three"], ["one", "two"])
    assert store.exists("a/b/one")
    assert not store.exists("a/b")
    assert store.where("a/b/one") == str(root / "a/b/one")
    assert not (tmp_path / "staged").exists()


def test_what_is_not_there_is_said_so_and_nothing_is_made_by_asking(root: Root) -> None:
    store = open_store(root / "none")
    assert store.names("a") == []
    assert not store.exists("a")
    for call in (store.read, store.fetch):
        with pytest.raises(FileNotFoundError, match="a"):
            call("a")
    assert not (root / "none").exists()


def test_an_object_is_created_once_and_never_changed(root: Root) -> None:
    store = open_store(root)
    store.create("one", b"1")
    with pytest.raises(FileExistsError):
        store.create("one", b"2")
    assert store.read("one") == b"1"
    assert store.names("") == ["one"]


def test_of_many_who_create_one_object_exactly_one_does(root: Root) -> None:
    store = open_store(root)

    def create(writer: int) -> int | None:
        try:
            store.create("one", str(writer).encode())
        except FileExistsError:
            return None
        return writer

    with ThreadPoolExecutor(RACERS) as racers:
        winners = [one for one in racers.map(create, range(10 * RACERS)) if one is not None]
    assert [store.read("one")] == [str(one).encode() for one in winners]


def test_objects_that_are_expected_are_read_as_they_stand_then(root: Root) -> None:
    store = open_store(root)
    names = [f"log/{number}" for number in range(20)]
    for name in names:
        store.create(name, name.encode())
    store.expect([*names, "log/none"])
    assert [store.read(name) for name in names] == [name.encode() for name in names]
    with pytest.raises(FileNotFoundError):
        store.read("log/none")
    store.expect(names)
    store.expect(())  # forgotten: what stands later is read later
    (root / "log/0").write_bytes(b"changed")
    assert store.read("log/0") == b"changed"


def test_creating_once_more_what_stands_is_no_error_and_something_else_is(root: Root) -> None:
    store = open_store(root)
    create_once(store, "one", b"1")
    create_once(store, "one", b"1")
    with pytest.raises(FileExistsError):
        create_once(store, "one", b"2")


def test_a_lost_answer_is_looked_up_and_a_failure_stays_one(root: Root) -> None:
    store = HookedStore(root)
    store.after["create", "one"] = raising(TimeoutError("lost"))
    create_once(store, "one", b"1")
    store.before["create", "two"] = raising(TimeoutError("never sent"))
    with pytest.raises(TimeoutError, match="never sent"):
        create_once(store, "two", b"2")
    assert store.names("") == ["one"]


def test_a_placed_file_may_be_placed_again_which_heals_it(root: Root, tmp_path: Path) -> None:
    store = open_store(root)
    store.place(staged(tmp_path, b"1"), "one")
    (root / "one").write_bytes(b"rotten")
    assert store.fetch("one").read_bytes() == b"rotten"
    store.place(staged(tmp_path, b"1"), "one")
    assert store.read("one") == store.fetch("one").read_bytes() == b"1"


def test_a_file_from_another_device_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def across_devices(self: Path, target: Path) -> Any:
        if self.name == "staged":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", across_devices)
    FolderStore(tmp_path).place(staged(tmp_path, b"1"), "a/one")
    assert (tmp_path / "a" / "one").read_bytes() == b"1"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "one"]


@pytest.mark.parametrize("call", ["create", "replace"])
def test_a_write_that_fails_leaves_the_old_object_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store = FolderStore(tmp_path)
    store.replace("one", b"1")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        getattr(store, call)("one", b"2")
    assert store.read("one") == b"1"
    assert os.listdir(tmp_path) == ["one"]


def test_scratch_folders_are_removed_and_those_of_the_dead_after_a_day(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with store.scratch("old") as old:
        with store.scratch("new"):
            assert old.exists()
        past = time.time() - stores.STAGING_KEPT_S - 1
        os.utime(old, (past, past))
        with store.scratch("new"):
            assert not old.exists()
    assert os.listdir(tmp_path / ".staging") == []


def _hold(root: Path, held: Any) -> None:
    with FolderStore(root).exclusive("one"):
        held.set()
        time.sleep(60)


def test_a_lock_is_let_go_of_when_its_holder_is_killed(tmp_path: Path) -> None:
    held = PROCESSES.Event()
    holder = PROCESSES.Process(target=_hold, args=(tmp_path, held))
    holder.start()
    assert held.wait(60)
    with FolderStore(tmp_path).exclusive("another"):
        pass  # another name is another lock
    holder.kill()
    holder.join()
    with FolderStore(tmp_path).exclusive("one"):
        pass
