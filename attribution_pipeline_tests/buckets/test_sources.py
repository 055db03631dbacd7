"""Sources in a bucket: every page of keys, the content that was listed, and the same counts as ever."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attribution_pipeline.buckets import client
from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources import bucket_objects
from attribution_pipeline.sources.compression import Limits
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline.sources.objects import (
    SourceObject,
    StillChanging,
    list_objects,
    open_object,
)
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline.sources.unseen import unseen
from attribution_pipeline_tests.buckets.paths import BucketPath, copied
from attribution_pipeline_tests.lake.stores import HookedStore
from attribution_pipeline_tests.sources.landings import quantities, report, usage
from attribution_pipeline_tests.sources.test_focus_deliveries import create_new, overwrite

pytestmark = pytest.mark.heavy


def put(place: BucketPath, files: Mapping[str, bytes]) -> None:
    """Objects under exactly these keys, odd ones too."""
    for name, content in files.items():
        key = f"{place.prefix}/{name}"
        client.Client(place).session.client.put_object(Bucket=place.bucket, Key=key, Body=content)


def only(place: BucketPath) -> SourceObject:
    (obj,) = list_objects("s", place).objects
    return obj


def test_all_pages_of_a_listing_are_read(
    place: BucketPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE_KEYS", 3)
    names = [f"{number:02d}.csv" for number in range(11)]
    put(place, dict.fromkeys(names, b"x"))
    put(place.parent / f"{place.name}-beside", {"no.csv": b"x"})
    listed = list_objects("s", place)
    assert [obj.path for obj in listed.objects] == names
    assert listed.objects[0].uri == f"{place}/00.csv"


def test_what_is_no_object_is_passed_over_and_counted(place: BucketPath) -> None:
    put(place, {
        "a.csv": b"1", "empty/": b"", "b//c.csv": b"1", "d/../e.csv": b"1", "tab\tname.csv": b"1",
        ".hidden/f.csv": b"1", "g.csv.tmp": b"1", "_temporary/h.csv": b"1", "i/_SUCCESS": b"",
        "ü ö+%2F.csv": b"1",
    })  # fmt: skip
    listed = list_objects("s", place)
    assert [obj.path for obj in listed.objects] == ["a.csv", "ü ö+%2F.csv"]
    assert listed.skipped == {
        "folder_marker": 1, "hidden": 1, "marker": 2, "odd_key": 3, "temporary": 1,
    }  # fmt: skip
    for obj in listed.objects:
        with open_object(obj) as opened:
            assert opened.data == b"1"


def test_one_object_may_be_named(place: BucketPath) -> None:
    put(place, {"a.csv": b"1", "a.csv.old": b"2"})
    file = place / "a.csv"
    (obj,) = list_objects("s", file).objects
    assert (obj.path, obj.uri) == ("a.csv", str(file))
    with open_object(obj) as opened:
        assert opened.data == b"1"


def test_nothing_under_a_prefix_and_no_bucket_are_one_clear_line(place: BucketPath) -> None:
    with pytest.raises(Refusal, match=f"uri {place}: there is no object under it"):
        list_objects("bill", place)
    gone = BucketPath("no-such-bucket", "x", place.access)
    with pytest.raises(Refusal, match=r"s3://no-such-bucket/x: cannot be listed: there is no such"):
        list_objects("bill", gone)


def test_close_records_may_be_missing_and_nothing_else_may(place: BucketPath) -> None:
    store = LandedStore(place / "lake")
    report = land([Source("closes", "closes", place / "closes")], store)
    assert report.sources[0].skipped == {"folder_not_there_yet": 1}
    with pytest.raises(Refusal, match="no object under it"):
        land([usage(place / "usage")], store)


def test_an_object_that_is_replaced_after_its_listing_is_not_read(place: BucketPath) -> None:
    put(place, {"a.csv": b"one"})
    obj = only(place)
    put(place, {"a.csv": b"two"})
    with pytest.raises(StillChanging), open_object(obj):
        pass
    again = only(place)
    assert again.fingerprint != obj.fingerprint
    with open_object(again) as opened:
        assert opened.data == b"two"


def test_an_object_that_is_replaced_while_it_is_read_is_read_as_it_was(place: BucketPath) -> None:
    put(place, {"a.csv": b"one"})
    with open_object(only(place)) as opened:
        put(place, {"a.csv": b"two"})
        assert opened.data == b"one"


def test_an_object_that_is_gone_is_left_for_later_and_stops_no_other(
    place: BucketPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv"):
        report(tmp_path / "in", name, name[0].encode().hex())
    source = copied(tmp_path / "in", place / "in")
    opened = bucket_objects.opened

    def remove_first(*asked, **named):  # type: ignore[no-untyped-def]
        (source / "a.csv").unlink(missing_ok=True)
        return opened(*asked, **named)

    with monkeypatch.context() as patched:
        patched.setattr(bucket_objects, "opened", remove_first)
        store = LandedStore(place / "lake")
        (found,) = land([usage(source)], store).sources
    assert dict(found.awaiting) == {"out_of_reach": 1}
    assert (found.new, quantities(store)) == (1, ["62"])


@pytest.mark.parametrize("in_memory", [4, 1 << 20])
def test_large_objects_are_read_once_and_hashed(place: BucketPath, in_memory: int) -> None:
    content = os.urandom(3 << 20)
    put(place, {"a.bin": content})
    with open_object(only(place), Limits(in_memory_bytes=in_memory)) as opened:
        data = opened.data
        assert not isinstance(data, bytes)
        assert data.read() == content


def test_an_object_beyond_the_limit_is_refused_and_still_has_its_digest(place: BucketPath) -> None:
    put(place, {"a.bin": b"x" * 100})
    limits = Limits(in_memory_bytes=10, object_bytes=50)
    with open_object(only(place), limits) as opened:
        assert len(opened.object_id) == 64
        with pytest.raises(ObjectRefused, match="object_bytes"):
            _ = opened.data


def test_reports_land_with_the_same_counts_as_from_a_folder(
    place: BucketPath, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    report(folder, "a.csv", "1", "2", "not a number")
    report(folder, "sub/b.csv", "3")
    (folder / "broken.csv").write_bytes(b"\xff\xfe\x00")
    (folder / "empty.csv").write_bytes(b"")
    (folder / "same.csv").write_bytes((folder / "sub" / "b.csv").read_bytes())
    source = copied(folder, place / "in")
    here, there = LandedStore(tmp_path / "lake"), LandedStore(place / "lake")
    ours = land([usage(folder)], here).sources[0]
    theirs = land([usage(source)], there).sources[0]
    for name in ("new", "refused", "same_content", "known", "rows", "rejected", "awaiting"):
        assert getattr(theirs, name) == getattr(ours, name), name
    assert quantities(there) == quantities(here)
    assert here.rejected_counts() == there.rejected_counts()
    again = land([usage(source)], there).sources[0]
    assert (again.new, again.known) == (0, ours.new + ours.refused + ours.same_content)
    (source / "a.csv").write_bytes(
        (folder / "sub" / "b.csv").read_bytes() + b"2026-10-05,S,r,m,9,t\n"
    )
    third = land([usage(source)], there).sources[0]
    assert third.new == 1
    assert quantities(there) == ["3", "3", "9"]


def test_a_listing_tells_a_sensor_what_is_new(place: BucketPath, tmp_path: Path) -> None:
    report(tmp_path / "in", "a.csv", "1")
    source = usage(copied(tmp_path / "in", place / "in"))
    store = LandedStore(place / "lake")
    now = datetime.now(UTC)
    found = unseen([source], store, now)
    assert [(kind, name, path) for kind, name, path, _ in found.objects] == [
        ("usage", "usage", "a.csv")
    ]  # whole as soon as it is there: an object does not grow
    land([source], store)
    assert unseen([source], store, now).objects == []


def test_two_machines_that_land_the_same_at_once_land_it_once(
    place: BucketPath, tmp_path: Path
) -> None:
    """No lock is common to them: who comes second looks again."""
    for name in ("a.csv", "b.csv"):
        report(tmp_path / "in", name, name[0].encode().hex())
    source = copied(tmp_path / "in", place / "in")
    lake = place / "lake"
    first = HookedStore(lake, locks=False)
    second = LandedStore(lake, store=HookedStore(lake, locks=False))
    first.before["create", f"landed/index/{1:010d}.json"] = lambda: land([usage(source)], second)
    (found,) = land([usage(source)], LandedStore(lake, store=first)).sources
    assert (found.new, found.known) == (0, 2)
    assert quantities(LandedStore(lake)) == ["61", "62"]
    assert LandedStore(lake).head[0] == 1


@pytest.mark.parametrize("layout", ["create-new", "overwrite"])
def test_an_aws_export_is_read_by_its_manifest(place: BucketPath, layout: str) -> None:
    files = overwrite() if layout == "overwrite" else create_new("2026-10-05T07:26:43Z-a")
    (manifest,) = [path for path in files if path.endswith("json")]
    store = LandedStore(place / "lake")
    place = place / "in"
    put(place, {path: content for path, content in files.items() if path != manifest})
    source = Source("billing", "bill", place, format="focus", delivery="replace")
    (first,) = land([source], store).sources
    assert (first.new, set(first.awaiting)) == (0, {"awaiting_manifest"})
    put(place, {manifest: files[manifest]})
    (second,) = land([source], store).sources
    assert not second.awaiting
    read = store.objects("billing", "bill")
    assert {record.path for record in read} == set(files) - {manifest}
    assert len({record.delivery_order for record in read}) == 1
    if layout == "overwrite":
        put(place, {manifest: json.dumps(json.loads(files[manifest])).encode() + b"\n"})
        (third,) = land([source], store).sources
        assert not third.awaiting
