"""A landing happens when its index file appears: before that nothing, after that all of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.lake.bucket_store import BucketStore
from attribution_pipeline.lake.folder_store import FolderStore
from attribution_pipeline.lake.landed import (
    LandedFile,
    LandedStore,
    LandingWriter,
    index,
    parquet,
    standing,
    writer,
)
from attribution_pipeline.model.errors import Overtaken, Refusal
from attribution_pipeline.model.evidence import ALLOCATIONS, CHARGE_LINES, SPANS, USAGE
from attribution_pipeline_tests.buckets.paths import Root, content
from attribution_pipeline_tests.lake.stores import HookedStore, Killed, raising

CLOCK = lambda: datetime(2026, 10, 6, tzinfo=UTC)  # noqa: E731 - a value of this test
NANOS_PER_DAY = 86_400 * 10**9

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__, "pandas"])  # Arrow imports pandas when it is there


def usage(object_id: str, *quantities: str, day: date = date(2026, 10, 5)) -> pa.Table:
    rows = [
        {
            "object_id": object_id, "position": n, "date": day, "service": "S", "metric": "m",
            "quantity": q,
        }
        for n, q in enumerate(quantities, start=1)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=USAGE)


def spans(object_id: str, *end_days: float) -> pa.Table:
    rows = [
        {
            "object_id": object_id, "position": n, "span_id": f"{n:016x}",
            "end_unix_nano": int(day * NANOS_PER_DAY),
        }
        for n, day in enumerate(end_days, start=1)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SPANS)


def keep(batch: LandingWriter, object_id: str, kind: str = "usage", **changes: Any) -> None:
    fields: dict[str, Any] = {
        "kind": kind, "source": "s", "uri": f"/in/{object_id}", "path": object_id,
        "fingerprint": "1-1", "size": 1, "object_id": object_id,
    }  # fmt: skip
    batch.add_object(**{**fields, **changes})


def land_one(store: LandedStore, object_id: str, *quantities: str, **changes: Any) -> None:
    with store.open_batch() as batch:
        batch.add("usage", "s", usage(object_id, *quantities))
        keep(batch, object_id, **changes)
        batch.commit()


def landed_quantities(storage: Root) -> list[str]:
    found: list[str] = []
    for path in LandedStore(storage).paths("usage"):
        found += pq.read_table(path, partitioning=None)["quantity"].to_pylist()
    return sorted(found)


# -- what a landing leaves ---------------------------------------------------------------------------


def test_many_small_objects_become_one_file_with_source_in_front(root: Root) -> None:
    store = LandedStore(root)
    with store.open_batch() as batch:
        for number in range(200):
            batch.add("usage", "s", usage(f"o{number}", str(number)))
            keep(batch, f"o{number}")
        batch.commit()
    (file,) = LandedStore(root).files("usage")
    assert (file.rows, file.day_from, file.day_to) == (200, date(2026, 10, 5), date(2026, 10, 5))
    table = pq.read_table(content(root / file.path))
    assert table.column_names == ["source", *USAGE.names]
    assert table.schema.field("date").type == pa.date32()
    assert len(list((root / "landed" / "usage").rglob("*.parquet"))) == 1
    assert len(list((root / "landed" / "index").glob("*.json"))) == 1


def test_same_objects_give_the_same_bytes(root: Root) -> None:
    for place in ("x", "y"):
        land_one(LandedStore(root / place), "o1", "1", "2")
    first, second = (LandedStore(root / place).files("usage")[0] for place in ("x", "y"))
    assert (first.sha256, first.path) == (second.sha256, second.path)


def test_spans_are_split_by_the_utc_day_in_which_they_end(root: Root) -> None:
    store = LandedStore(root)
    day = (date(2026, 10, 5) - date(1970, 1, 1)).days
    with store.open_batch() as batch:
        batch.add("spans", "s", spans("o1", day, day + 0.99, day + 1, day - 0.01))
        keep(batch, "o1", "spans")
        batch.commit()
    files = {str(file.day_from): file.rows for file in store.files("spans")}
    assert files == {"2026-10-04": 1, "2026-10-05": 2, "2026-10-06": 1}
    assert [f.rows for f in store.files("spans", date(2026, 10, 5), date(2026, 10, 5))] == [2]
    assert all(f"/day={f.day_from}/" in f.path for f in store.files("spans"))
    (record,) = store.objects("spans")
    assert (record.day_from, record.day_to) == (date(2026, 10, 4), date(2026, 10, 6))


def test_period_that_ends_at_midnight_does_not_touch_the_next_day() -> None:
    start, end = datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 10, 6, tzinfo=UTC)
    for table, schema, first, last in (
        ("billing", CHARGE_LINES, "ChargePeriodStart", "ChargePeriodEnd"),
        ("opencost_allocations", ALLOCATIONS, "window_start", "window_end"),
    ):
        rows = pa.Table.from_pylist([{first: start, last: end}], schema=schema)
        assert parquet.days_of(table, rows) == (date(2026, 10, 5), date(2026, 10, 5))
        assert parquet.days_of(table, rows.slice(1)) is None


def test_object_larger_than_a_file_is_written_in_parts_and_stays_whole(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FILE_ROWS", 10)
    store = LandedStore(root)
    with store.open_batch() as batch:
        for discarded in (True, False):
            for part in range(3):
                batch.add("usage", "s", usage("o1", *(f"{part}{n}" for n in range(12))))
            if discarded:
                batch.discard_object()
        keep(batch, "o1")
        batch.commit()
    assert sorted(file.rows for file in store.files("usage")) == [12, 12, 12]
    assert len(landed_quantities(root)) == 36
    (record,) = store.objects()
    assert (record.records, record.day_from) == (36, date(2026, 10, 5))


def test_discarded_object_leaves_nothing(root: Root) -> None:
    store = LandedStore(root)
    with store.open_batch() as batch:
        batch.add("usage", "s", usage("bad", "666"))
        batch.add_rejected("usage", "s", "bad", "/in/bad", [(1, "x", "y")])
        batch.discard_object()
        batch.add("usage", "s", usage("good", "1"))
        keep(batch, "good")
        batch.commit()
    assert landed_quantities(root) == ["1"]
    assert (store.rejected_counts(), store.rejected_paths()) == ({}, [])


def test_batch_without_objects_writes_no_index(root: Root) -> None:
    store = LandedStore(root)
    with store.open_batch() as batch:
        assert batch.commit() is None
    assert list((root / "landed" / "index").glob("*.json")) == []


def test_opening_a_store_creates_nothing(root: Root) -> None:
    store = LandedStore(root / "lake")
    assert (store.files("spans"), store.current_objects("spans"), store.days("spans")) == (
        [],
        {},
        None,
    )
    assert not (root / "lake").exists()


def test_rows_of_another_schema_are_a_fault(root: Root) -> None:
    with LandedStore(root).open_batch() as batch, pytest.raises(TypeError, match="usage"):
        batch.add("usage", "s", usage("o1", "1").drop_columns(["metric"]))


# -- what stands -------------------------------------------------------------------------------------


def test_newest_readable_content_of_a_path_stands_and_order_is_of_landing(root: Root) -> None:
    store = LandedStore(root, clock=CLOCK)
    land_one(store, "a1", "1", path="a")
    land_one(store, "b1", "2", path="b")
    land_one(store, "a2", "3", path="a")
    assert store.current_objects("usage") == {"s": ["b1", "a2"]}
    assert [file.objects for file in store.files("usage")] != []
    assert {one for file in store.files("usage") for one in file.objects} == {"b1", "a2"}
    with store.open_batch() as batch:  # a1 again: known, newer than all
        keep(batch, "a1", path="a", read=False)
        keep(batch, "broken", path="b", refused=True)
        batch.commit()
    assert store.current_objects("usage") == {"s": ["b1", "a1"]}


def test_files_are_found_by_day(root: Root) -> None:
    store = LandedStore(root)
    for number, day in enumerate((4, 5, 6)):
        with store.open_batch() as batch:
            batch.add("usage", "s", usage(f"o{number}", str(day), day=date(2026, 10, day)))
            keep(batch, f"o{number}")
            batch.commit()
    days = [f.day_from for f in store.files("usage", date(2026, 10, 5), date(2026, 10, 6))]
    assert sorted(str(day) for day in days) == ["2026-10-05", "2026-10-06"]
    assert len(store.files("usage", None, date(2026, 10, 4))) == 1
    assert store.days("usage") == (date(2026, 10, 4), date(2026, 10, 6))


def test_store_that_is_open_sees_a_later_landing_only_after_refresh(root: Root) -> None:
    reader = LandedStore(root)
    land_one(LandedStore(root), "o1", "1")
    assert reader.objects() == []
    reader.refresh()
    assert [record.object_id for record in reader.objects()] == ["o1"]


def test_what_was_landed_up_to_an_index_file_stays_readable_however_much_comes(
    root: Root,
) -> None:
    store = LandedStore(root)
    assert store.head == (0, "")
    land_one(store, "a1", "1", path="a")
    ordinal, name = store.head
    assert (ordinal, len(name)) == (1, 64)
    land_one(store, "a2", "2", path="a")
    assert store.head[0] == 2
    older = LandedStore(root).as_of(1)
    assert older.head == (1, name)
    assert older.current_objects("usage") == {"s": ["a1"]}
    assert store.current_objects("usage") == {"s": ["a2"]}
    assert [file.objects for file in older.files("usage")] == [("a1",)]
    older.verify(older.files("usage"))
    assert store.as_of(0).files("usage") == []
    with pytest.raises(Refusal, match="there are 2 landings, not 3"):
        store.as_of(3)


def test_answers_are_worked_out_once_for_each_landing(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LandedStore(root)
    for number in range(3):
        land_one(store, f"o{number}", str(number))
    touched: list[LandedFile] = []
    touches = LandedFile.touches
    monkeypatch.setattr(
        LandedFile, "touches", lambda self, *days: touched.append(self) or touches(self, *days)
    )
    day = date(2026, 10, 5)
    first = store.current_objects("usage")
    for _ in range(100):
        assert store.current_objects("usage") is first
        assert len(store.files("usage", day, day)) == 3
    assert touched == []  # looked up by day, not by going through all of them
    land_one(store, "o3", "3")
    assert len(store.files("usage", day, day)) == 4
    assert first == {"s": ["o0", "o1", "o2"]}  # what was handed out does not change


@pytest.mark.parametrize("days", [1, 40, standing.LONG_DAYS + 1])
def test_files_over_many_days_are_found_on_each_of_them(root: Root, days: int) -> None:
    store = LandedStore(root)
    first = date(2026, 10, 5)
    last = first + timedelta(days=days - 1)
    with store.open_batch() as batch:
        for day in (first, last):
            batch.add("usage", "s", usage("o1", "1", day=day))
        keep(batch, "o1")
        batch.commit()
    land_one(store, "o2", "2")  # of the first day alone
    day = timedelta(days=1)
    assert len(store.files("usage", first, first)) == 2
    assert len(store.files("usage", last, last)) == (2 if days == 1 else 1)
    assert len(store.files("usage", first - day, last + day)) == 2
    assert store.files("usage", first - day, first - day) == []
    assert store.files("usage", last + day, last + day) == []
    assert len(store.files("usage", None, first)) == len(store.files("usage", last, None)) + (
        days > 1
    )


# -- damage ------------------------------------------------------------------------------------------


def test_changed_or_missing_file_is_noticed_by_its_digest(root: Root) -> None:
    store = LandedStore(root)
    land_one(store, "o1", "1")
    files = store.files("usage")
    store.verify(files)
    path = root / files[0].path
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(Refusal, match="missing or was changed"):
        store.verify(files)
    path.unlink()
    with pytest.raises(Refusal, match="missing or was changed"):
        store.verify(files)


def index_files(storage: Root) -> list[Root]:
    return sorted((storage / "landed" / "index").glob("*.json"))


def damage_by_edit(files: list[Root]) -> None:
    files[1].write_text(files[1].read_text().replace('"quantity"', '"quality"').replace("o1", "oX"))


def damage_by_copy(files: list[Root]) -> None:
    """A whole landing of another history in the place of the second: the third does not follow."""
    other = files[0].parent / "other"
    for number in range(2):
        land_one(LandedStore(other), f"other{number}", str(number))
    files[1].write_bytes(index_files(other)[1].read_bytes())


DAMAGES: dict[str, Callable[[list[Root]], object]] = {
    "edited": damage_by_edit,
    "first missing": lambda files: files[0].unlink(),
    "middle missing": lambda files: files[1].unlink(),
    "replaced": damage_by_copy,
}


@pytest.mark.parametrize("how", sorted(DAMAGES))
def test_damaged_index_is_refused_by_the_name_of_its_file(root: Root, how: str) -> None:
    store = LandedStore(root)
    for number in range(3):
        land_one(store, f"o{number}", str(number))
    DAMAGES[how](index_files(root))
    with pytest.raises(Refusal) as refused:
        LandedStore(root)
    assert "landed/index/" in refused.value.line()


def test_landing_that_vanished_under_an_open_store_is_refused(root: Root) -> None:
    store = LandedStore(root)
    land_one(store, "o1", "1")
    index_files(root)[0].unlink()
    with pytest.raises(Refusal, match="missing"):
        store.refresh()


# -- crashes -----------------------------------------------------------------------------------------

STEPS = {
    "while a file is encoded": (parquet, "write"),
    "before a file is placed": (writer, "place"),
    "before the index is written": (index, "create"),
    "before the index appears": (FolderStore, "create"),
}


@pytest.mark.parametrize("step", sorted(STEPS))
def test_crash_before_the_index_leaves_the_old_state_and_a_rerun_converges(
    root: Root, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    land_one(LandedStore(root), "o1", "1")
    with monkeypatch.context() as patched:

        def killed(*_: object, **__: object) -> None:
            raise Killed

        patched.setattr(*STEPS[step], killed)
        if step == "before the index appears":
            patched.setattr(BucketStore, "create", killed)
        with pytest.raises(Killed):
            land_one(LandedStore(root), "o2", "2")
    assert landed_quantities(root) == ["1"]
    land_one(LandedStore(root), "o2", "2")
    assert landed_quantities(root) == ["1", "2"]


def test_crash_after_the_index_appeared_leaves_the_new_state(root: Root) -> None:
    storage = HookedStore(root)
    storage.after["create", f"landed/index/{1:010d}.json"] = raising(Killed())
    with pytest.raises(Killed):
        land_one(LandedStore(root, store=storage), "o1", "1")
    store = LandedStore(root)
    assert landed_quantities(root) == ["1"]
    assert store.object_ids("s") == {"o1"}  # the rerun knows that there is nothing to do
    land_one(store, "o2", "2")
    assert landed_quantities(root) == ["1", "2"]


def test_an_index_file_that_was_written_and_not_acknowledged_is_recognised(
    root: Root,
) -> None:
    storage = HookedStore(root)
    storage.after["create", f"landed/index/{1:010d}.json"] = raising(TimeoutError("no answer"))
    store = LandedStore(root, store=storage)
    land_one(store, "o1", "1")
    land_one(store, "o2", "2")
    assert store.head[0] == 2
    assert landed_quantities(root) == ["1", "2"]


def test_an_index_file_that_cannot_be_written_is_an_error_and_a_rerun_lands(root: Root) -> None:
    storage = HookedStore(root)
    storage.before["create", f"landed/index/{1:010d}.json"] = raising(OSError(28, "no space"))
    store = LandedStore(root, store=storage)
    with pytest.raises(OSError, match="no space"):
        land_one(store, "o1", "1")
    assert landed_quantities(root) == []
    land_one(store, "o1", "1")
    assert landed_quantities(root) == ["1"]


def test_of_two_machines_that_land_at_once_the_second_is_told(root: Root) -> None:
    """Without a lock between them: the index's number is what keeps them apart."""
    storage = HookedStore(root, locks=False)
    name = f"landed/index/{1:010d}.json"
    storage.before["create", name] = lambda: land_one(
        LandedStore(root, store=HookedStore(root, locks=False)), "o1", "1"
    )
    store = LandedStore(root, store=storage)
    with pytest.raises(Overtaken, match="another run landed objects at the same moment"):
        land_one(store, "o1", "1", uri="/the/same")
    assert landed_quantities(root) == ["1"]
    store.refresh()
    assert store.object_ids("s") == {"o1"}


def _land_for_ever(storage: Root, ready: Any) -> None:
    for number in range(10_000):
        store = LandedStore(storage)
        land_one(store, f"o{len(store.objects())}", str(number))
        ready.set()


def test_killed_process_leaves_whole_landings_and_no_lock(root: Root) -> None:
    landings = 0
    for round_ in range(5):
        ready = PROCESSES.Event()
        child = PROCESSES.Process(target=_land_for_ever, args=(root, ready))
        child.start()
        assert ready.wait(60)
        time.sleep(0.013 * round_)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        store = LandedStore(root)
        assert len(store.objects()) > landings, "the child landed nothing: nothing was tested"
        landings = len(store.objects())
        store.verify(store.files("usage"))
        assert len(landed_quantities(root)) == landings
    land_one(LandedStore(root), "last", "1")  # the lock went with its holder


def _land_ten(storage: Root, name: str) -> None:
    for number in range(10):
        land_one(LandedStore(storage), f"{name}{number}", str(number))


def test_two_landing_runs_wait_for_each_other_and_lose_nothing(root: Root) -> None:
    children = [PROCESSES.Process(target=_land_ten, args=(root, name)) for name in ("a", "b")]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
        assert child.exitcode == 0
    assert [file.stem for file in index_files(root)] == [
        f"{number:010d}" for number in range(1, 21)
    ]
    assert len(LandedStore(root).object_ids("s")) == 20
