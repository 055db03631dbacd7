"""Objects land once, whole or not at all, and a broken one stops no other."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources import landing_run
from attribution_pipeline.sources.landing import LandingProgress, Source, land
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.sources.landings import quantities, report, standing, usage


def worked_day() -> list[Source]:
    return [
        Source("billing", "bill", WORKED_DAY / "billing", "focus", "replace"),
        Source("opencost", "prod", WORKED_DAY / "opencost", cluster="prod"),
        Source("spans", "traces", WORKED_DAY / "spans"),
        Source("usage", "usage", WORKED_DAY / "usage"),
    ]


def test_worked_day_lands_every_record_once(tmp_path: Path) -> None:
    store = LandedStore(tmp_path)
    found = land(worked_day(), store)
    assert found.rows == {
        "billing": 12, "opencost_allocations": 6, "opencost_assets": 1, "spans": 8, "usage": 3,
    }  # fmt: skip
    assert (found.new, found.known, found.refused, found.rejected) == (5, 0, 0, {})
    assert all(str(store.days(table)[0]) == "2026-10-05" for table in found.rows)  # type: ignore[index]
    again = land(worked_day(), store)
    assert (again.new, again.known, again.rows) == (0, 5, {})
    assert len(store.objects()) == 5


def test_report_reads_as_lines(tmp_path: Path) -> None:
    report(tmp_path / "in", "a.csv", "1", "-2")
    (tmp_path / "in" / "b.csv").write_text("nothing\n")
    lines = land([usage(tmp_path / "in")], LandedStore(tmp_path / "lake")).lines()
    assert lines[:2] == [
        "usage usage: objects 1 new, 0 known, 1 refused; rows usage 1; days 2026-10-05",
        "  rejected 2: missing_columns 1, negative_quantity 1; in a.csv, b.csv (attribution rejected "
        "lists them)",
    ]
    assert "b.csv" in lines[2]
    assert len(lines) == 3


def test_progress_is_told_after_each_object(tmp_path: Path) -> None:
    for number in range(3):
        report(tmp_path / "in", f"{number}.csv", "1", str(number))
    told: list[LandingProgress] = []
    land([usage(tmp_path / "in")], LandedStore(tmp_path / "lake"), progress=told.append)
    assert [(one.done, one.total, one.rows) for one in told] == [(1, 3, 2), (2, 3, 4), (3, 3, 6)]


# -- once --------------------------------------------------------------------------------------------


def test_same_content_under_another_name_is_recorded_and_not_read_again(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    report(tmp_path / "in", "a.csv", "1", "2")
    land([usage(tmp_path / "in")], store)
    shutil.copy(tmp_path / "in" / "a.csv", tmp_path / "in" / "b.csv")
    again = land([usage(tmp_path / "in")], store)
    assert (again.new, again.known, again.rows) == (0, 1 + 1, {})
    assert [record.read for record in store.objects()] == [True, False]
    assert quantities(store) == ["1", "2"]
    assert set(store.known("usage")) == {"a.csv", "b.csv"}


def test_touched_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LandedStore(tmp_path / "lake")
    file = report(tmp_path / "in", "a.csv", "1")
    land([usage(tmp_path / "in")], store)
    os.utime(file, (1, 1))
    monkeypatch.setattr(landing_run.Run, "_read", None)  # reading it would fail
    assert land([usage(tmp_path / "in")], store).known == 1
    assert store.known("usage")["a.csv"].endswith("-1000000000")
    assert quantities(store) == ["1"]


def test_overwritten_path_replaces_what_it_held_and_may_return_to_it(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    for seen, held in enumerate(["100", "120", "100"]):
        file = report(tmp_path / "in", "a.csv", held)
        os.utime(file, (seen, seen))
        land([usage(tmp_path / "in")], store)
        assert quantities(store) == [held]
    assert [record.read for record in store.objects()] == [True, True, False]


def test_overwritten_spans_take_nothing_back(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    lines = (WORKED_DAY / "spans" / "traces.jsonl").read_text().splitlines(keepends=True)
    file = tmp_path / "in" / "traces.jsonl"
    file.parent.mkdir()
    for content in (lines[:1], lines):
        file.write_text("".join(content))
        land([Source("spans", "traces", tmp_path / "in")], store)
    assert len(store.current_objects("spans")["traces"]) == 2
    assert len(standing(store, "spans", ["span_id"])) > 8


def test_sources_of_two_kinds_may_share_a_name(tmp_path: Path) -> None:
    store = LandedStore(tmp_path)
    sources = [
        Source("opencost", "prod", WORKED_DAY / "opencost", cluster="prod"),
        Source("usage", "prod", WORKED_DAY / "usage"),
    ]
    assert land(sources, store).rows == {
        "opencost_allocations": 6, "opencost_assets": 1, "usage": 3,
    }  # fmt: skip
    assert land(sources, store).known == 3


def test_listing_order_does_not_change_what_is_landed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number % 7}/{number}.csv" for number in range(40)]
    for place, order in (("x", names), ("y", names[::-1])):
        for name in order:
            report(tmp_path / place / "in", name, name.split("/")[1].removesuffix(".csv"))
        land([usage(tmp_path / place / "in")], LandedStore(tmp_path / place / "lake"))
    files = [
        {file.sha256 for file in LandedStore(tmp_path / place / "lake").files("usage")}
        for place in ("x", "y")
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 1


# -- broken ------------------------------------------------------------------------------------------


def test_broken_object_beside_good_ones_is_one_rejected_record(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    report(tmp_path / "in", "a.csv", "1")
    (tmp_path / "in" / "b.csv").write_bytes(b"\x1f\x8b\x08 not gzip at all")
    (tmp_path / "in" / "c.csv").write_bytes(b"")
    report(tmp_path / "in", "d.csv", "2")
    found = land([usage(tmp_path / "in")], store)
    assert quantities(store) == ["1", "2"]
    assert found.rejected == {"damaged_compression": 1, "empty_object": 1}
    assert store.rejected_counts() == {("usage", "usage"): found.rejected}
    again = land([usage(tmp_path / "in")], store)
    assert (again.refused, again.known) == (0, 4)  # tried again only with other content


def test_rejected_records_are_kept_with_object_position_and_reason(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    store = LandedStore(tmp_path / "lake")
    report(tmp_path / "in", "a.csv", "1", "-1", "x")
    land([usage(tmp_path / "in")], store)
    (path,) = store.rejected_paths()
    rows = pq.read_table(path, partitioning=None).to_pylist()
    assert [(row["kind"], row["source"], row["position"], row["reason"]) for row in rows] == [
        ("usage", "usage", 2, "negative_quantity"),
        ("usage", "usage", 3, "unreadable_quantity"),
    ]
    (record,) = store.objects()
    assert {row["object_id"] for row in rows} == {record.object_id}
    assert (record.records, dict(record.rows)) == (3, {"usage": 1})


def test_object_put_right_lands_and_its_rejection_no_longer_counts(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("nothing\n")
    land([usage(tmp_path / "in")], store)
    assert store.rejected_counts() == {("usage", "usage"): {"missing_columns": 1}}
    report(tmp_path / "in", "a.csv", "1")
    assert land([usage(tmp_path / "in")], store).new == 1
    assert (quantities(store), store.rejected_counts()) == (["1"], {})


def test_broken_new_content_does_not_take_away_what_its_path_held(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    file = report(tmp_path / "in", "a.csv", "1")
    land([usage(tmp_path / "in")], store)
    file.write_text("nothing\n")
    assert land([usage(tmp_path / "in")], store).refused == 1
    assert quantities(store) == ["1"]


def test_file_broken_at_its_end_gives_none_of_its_rows(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    file = report(tmp_path / "in", "a.csv", *["1"] * 60_000)
    with file.open("ab") as tail:
        tail.write(b"2026-10-05,S,\xff,m,1,t\n")
    report(tmp_path / "in", "b.csv", "2")
    found = land([usage(tmp_path / "in")], store)
    assert (found.rejected, quantities(store)) == ({"not_utf8": 1}, ["2"])


def test_fault_of_ours_is_not_called_a_broken_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(tmp_path / "in", "a.csv", "1")
    store = LandedStore(tmp_path / "lake")

    def fault(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("attribution_pipeline.sources.tables.read_usage", fault)
    with pytest.raises(KeyError):
        land([usage(tmp_path / "in")], store)
    assert LandedStore(tmp_path / "lake").objects() == []


def test_missing_folder_changes_nothing(tmp_path: Path) -> None:
    report(tmp_path / "in", "a.csv", "1")
    with pytest.raises(Refusal, match="no such folder"):
        land([usage(tmp_path / "in"), usage(tmp_path / "no")], LandedStore(tmp_path / "lake"))
    assert not (tmp_path / "lake").exists()


# -- later -------------------------------------------------------------------------------------------


def test_object_that_changes_while_it_is_read_waits_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LandedStore(tmp_path / "lake")
    file = report(tmp_path / "in", "a.csv", "1")
    report(tmp_path / "in", "b.csv", "2")
    original = landing_run.Run._read

    def grow(self: landing_run.Run, opened: object, obj: object, writer: object) -> object:
        if file.stat().st_size < 100 and getattr(obj, "path", "") == "a.csv":
            report(tmp_path / "in", "a.csv", "1", "3", "4", "5")
        return original(self, opened, obj, writer)  # type: ignore[arg-type]

    monkeypatch.setattr(landing_run.Run, "_read", grow)
    found = land([usage(tmp_path / "in")], store)
    assert dict(found.sources[0].awaiting) == {"still_changing": 1}
    assert quantities(store) == ["2"]
    assert land([usage(tmp_path / "in")], store).new == 1
    assert quantities(store) == ["1", "2", "3", "4", "5"]


def test_object_out_of_reach_is_counted_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LandedStore(tmp_path / "lake")
    report(tmp_path / "in", "a.csv", "1")

    def broken_disk(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(landing_run, "open_object", broken_disk)
        found = land([usage(tmp_path / "in")], store)
    assert (dict(found.sources[0].awaiting), found.rejected) == ({"out_of_reach": 1}, {})
    assert store.objects() == []
    assert land([usage(tmp_path / "in")], store).new == 1


# -- deliveries of a bill ----------------------------------------------------------------------------

BILL = WORKED_DAY / "billing" / "focus.csv"
AWS_DATA = "exp/data/BILLING_PERIOD=2026-10/exp-00001.csv"
AWS_MANIFEST = "exp/metadata/BILLING_PERIOD=2026-10/exp-Manifest.json"


def test_bill_sent_again_in_a_newer_delivery_stands_in_that_delivery(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    bills = [Source("billing", "bill", tmp_path / "in", "focus", "replace")]
    for run in ("run-1", "run-2"):
        (tmp_path / "in" / run).mkdir(parents=True)
        shutil.copy(BILL, tmp_path / "in" / run / "part-0.csv")
        assert land(bills, store).rows == {"billing": 12}
    rows = standing(store, "billing", ["delivery_order", "position"])
    newest = max(order for order, _ in rows)
    assert sorted(position for order, position in rows if order == newest) == [*range(1, 13)]


def test_bill_copied_within_its_delivery_counts_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.csv", "b.csv"):
        shutil.copy(BILL, tmp_path / "in" / name)
    for delivery in ("replace", "append"):
        source = Source("billing", "bill", tmp_path / "in", "focus", delivery)
        assert land([source], LandedStore(tmp_path / delivery)).rows == {"billing": 12}


def test_appended_bill_sent_again_counts_once(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    bills = [Source("billing", "bill", tmp_path / "in", "focus", "append")]
    for run in ("run-1", "run-2"):
        (tmp_path / "in" / run).mkdir(parents=True)
        shutil.copy(BILL, tmp_path / "in" / run / "part-0.csv")
        land(bills, store)
    assert len(standing(store, "billing", ["position"])) == 12


def aws_export(folder: Path, *, manifest: bool) -> None:
    data = folder / AWS_DATA
    data.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(BILL, data)
    if manifest:
        path = folder / AWS_MANIFEST
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"dataFiles": [f"s3://bucket/{AWS_DATA}"]}))


def test_half_written_export_is_not_read_until_its_manifest_is_there(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    bills = [Source("billing", "bill", tmp_path / "in", "focus", "replace")]
    aws_export(tmp_path / "in", manifest=False)
    found = land(bills, store)
    assert (found.new, found.awaiting, found.rows) == (0, 1, {})
    assert dict(found.sources[0].awaiting) == {"awaiting_manifest": 1}
    assert "1 awaiting (awaiting_manifest 1)" in found.lines()[0]
    assert store.objects() == []
    aws_export(tmp_path / "in", manifest=True)
    assert land(bills, store).rows == {"billing": 12}
    assert land(bills, store).known == 1


def test_delivery_of_which_a_part_changes_while_it_is_read_waits_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its other part alone would supersede the older delivery, and be half a bill."""
    from attribution_pipeline_tests.sources.focus_bills import csv_bytes, row

    folder = tmp_path / "in"
    for name, amount in (("1/a", "5"), ("2/a", "7"), ("2/b", "11"), ("3/a", "13")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.csv").write_bytes(csv_bytes(row(BilledCost=amount)))
    opened = landing_run.open_object

    def changing(obj: Any, *given: Any) -> Any:
        if obj.path == "2/b.csv":  # the vendor writes over it at this very moment
            (folder / obj.path).write_bytes(csv_bytes(row(BilledCost="12"), row(BilledCost="1")))
        return opened(obj, *given)

    store = LandedStore(tmp_path / "lake")
    bill = Source("billing", "bill", folder, format="focus", delivery="replace")
    with monkeypatch.context() as patch:
        patch.setattr(landing_run, "open_object", changing)
        (during,) = land([bill], store).sources
    assert (during.new, dict(during.awaiting)) == (2, {"still_changing": 2})
    (line,) = [line for line in during.lines() if "its delivery 2 waits" in line]
    assert line.startswith("  2/a.csv, 2/b.csv: still_changing, ")
    amounts = ["delivery", "BilledCost"]
    assert [int(billed) for _, billed in standing(store, "billing", amounts)] == [5, 13]
    (after,) = land([bill], store).sources
    assert (after.new, dict(after.awaiting)) == (2, {})
    assert sorted(int(billed) for _, billed in standing(store, "billing", amounts)) == [
        1,
        5,
        7,
        12,
        13,
    ]
