"""Which files form a delivery: AWS and Azure by manifest, OCI by adding, everything else by folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.focus import Deliveries, discover
from attribution_pipeline.sources.objects import SourceObject, list_objects

DATA = b"x" * 10


def deliveries(
    files: Mapping[str, bytes], format: str = "focus", written: Mapping[str, int] | None = None
) -> Deliveries:
    times = written or {}
    listing = [
        SourceObject(
            "bill", f"/bills/{path}", path, len(content), f"{len(content)}-{times.get(path, 1)}"
        )
        for path, content in files.items()
    ]
    return discover(listing, lambda path: files[path], format)


def read_paths(found: Deliveries) -> list[str]:
    return [one.path for one in found.objects]


def held(found: Deliveries) -> list[tuple[str, str]]:
    return [(one.path, one.reason) for one in found.held]


def delivery_of(found: Deliveries) -> dict[str, str]:
    return {one.path: one.delivery for one in found.objects}


def order_of(found: Deliveries, path: str) -> str:
    (one,) = [one for one in found.objects if one.path == path]
    return one.delivery_order


# --- plain folders -------------------------------------------------------------------------------


def test_files_of_one_folder_are_parts_of_one_delivery() -> None:
    found = deliveries({"a.csv": DATA, "b.parquet": DATA, "c.csv.gz": DATA})
    assert delivery_of(found) == {"a.csv": ".", "b.parquet": ".", "c.csv.gz": "."}
    assert len({one.delivery_order for one in found.objects}) == 1


def test_every_subfolder_is_a_delivery_and_later_folders_are_newer_by_number() -> None:
    found = deliveries({"run-9/a.csv": DATA, "run-10/a.csv": DATA, "run-10/b.csv": DATA})
    assert delivery_of(found)["run-10/b.csv"] == "run-10"
    assert order_of(found, "run-9/a.csv") < order_of(found, "run-10/a.csv")


def test_files_that_are_no_bill_by_their_name_are_reported() -> None:
    found = deliveries({"README.md": b"hi", "a.csv": DATA, "prices.json": b"{}"})
    assert read_paths(found) == ["a.csv"]
    assert held(found) == [("README.md", "not_billing_data"), ("prices.json", "not_billing_data")]


def test_a_manifest_json_of_something_else_holds_nothing_back() -> None:
    found = deliveries({"a.csv": DATA, "manifest.json": b'{"name": "my-app"}'})
    assert read_paths(found) == ["a.csv"]
    assert held(found) == [("manifest.json", "not_billing_data")]


def test_gcp_folders_are_deliveries() -> None:
    found = deliveries({"2026-10/part-0.parquet": DATA, "2026-10/part-1.parquet": DATA}, "gcp")
    assert set(delivery_of(found).values()) == {"2026-10"}


def test_an_unknown_format_is_refused_by_name() -> None:
    with pytest.raises(Refusal, match="billing format 'cur' is not known; use one of focus, aws"):
        deliveries({}, "cur")


# --- AWS Data Exports ----------------------------------------------------------------------------

EXPORT = "finops/focus-export"
PERIOD = "BILLING_PERIOD=2026-10"


def aws_manifest(*keys: str, execution: str = "exec-1") -> bytes:
    files = [f"s3://acme-billing/{key}" for key in keys]
    return json.dumps({"executionId": execution, "dataFiles": files}).encode()


def overwrite(chunks: int = 2) -> dict[str, bytes]:
    keys = [
        f"{EXPORT}/data/{PERIOD}/focus-export-0000{n}.snappy.parquet" for n in range(1, chunks + 1)
    ]
    manifest = f"{EXPORT}/metadata/{PERIOD}/focus-export-Manifest.json"
    return {**dict.fromkeys(keys, DATA), manifest: aws_manifest(*keys)}


def create_new(run: str) -> dict[str, bytes]:
    key = f"{EXPORT}/data/{PERIOD}/{run}/focus-export-00001.csv.gz"
    manifest = f"{EXPORT}/metadata/{PERIOD}/{run}/focus-export-Manifest.json"
    return {key: DATA, manifest: aws_manifest(key, execution=run[-1])}


@pytest.mark.parametrize("format", ["focus", "aws"])
def test_aws_overwrite_layout_is_read_by_its_manifest(format: str) -> None:
    found = deliveries(overwrite(), format)
    assert len(found.objects) == 2
    assert set(delivery_of(found).values()) == {f"{EXPORT}/{PERIOD}/exec-1"}
    assert len({one.delivery_order for one in found.objects}) == 1
    assert not found.held


@pytest.mark.parametrize("cut", ["finops/", "finops/focus-export/"])
def test_an_aws_source_may_start_at_any_folder_of_the_bucket(cut: str) -> None:
    files = {path.removeprefix(cut): content for path, content in overwrite().items()}
    assert len(deliveries(files).objects) == 2


def test_an_aws_source_may_be_a_copy_in_another_folder() -> None:
    files = {f"mirror/acme/{path}": content for path, content in overwrite().items()}
    assert len(deliveries(files).objects) == 2


def test_aws_overwrite_delivered_again_is_newer_than_before() -> None:
    files = overwrite()
    manifest = next(path for path in files if path.endswith("json"))
    before = deliveries(files, written={manifest: 999})
    after = deliveries(files, written={manifest: 1000})
    path = before.objects[0].path
    assert order_of(before, path) < order_of(after, path)


def test_an_open_month_that_is_being_overwritten_waits_for_the_manifest_of_its_new_run() -> None:
    """One chunk of two is new already, both are named: with it half of each run would be one bill."""
    files = overwrite()
    first, second, manifest = sorted(files)
    times = {first: 20, second: 10, manifest: 11}
    during = deliveries(files, written=times)
    assert read_paths(during) == []
    assert {reason for _, reason in held(during)} == {"half_written"}
    after = deliveries(files, written={**times, second: 21, manifest: 22})
    assert read_paths(after) == [first, second]


def test_a_run_of_its_own_folder_may_be_copied_in_any_order() -> None:
    files = create_new("2026-10-05T07:26:43Z-a")
    data, manifest = sorted(files)
    assert read_paths(deliveries(files, written={data: 20, manifest: 10})) == [data]


def test_a_chunk_that_the_newest_aws_manifest_no_longer_names_is_not_read() -> None:
    stale = f"{EXPORT}/data/{PERIOD}/focus-export-00003.snappy.parquet"
    found = deliveries({**overwrite(), stale: DATA})
    assert stale not in read_paths(found)
    assert held(found) == [(stale, "not_in_manifest")]


@pytest.mark.parametrize(
    ("name", "written"), [("focus-export-00003.snappy.parquet", 1001), ("other-00001.parquet", 1)]
)
def test_what_may_be_of_a_run_or_an_export_without_a_manifest_waits(
    name: str, written: int
) -> None:
    """A chunk that came after the manifest, and another export's file beside it: both may be a bill."""
    waits, manifest = (
        f"{EXPORT}/data/{PERIOD}/{name}",
        f"{EXPORT}/metadata/{PERIOD}/focus-export-Manifest.json",
    )
    found = deliveries({**overwrite(), waits: DATA}, written={waits: written, manifest: 1000})
    assert held(found) == [(waits, "awaiting_manifest")]
    assert "copy its metadata/ too, or take it out of data/BILLING_PERIOD=" in found.held[0].remedy


def test_aws_create_new_runs_are_deliveries_of_their_own_in_order_of_time() -> None:
    older, newer = "2026-10-05T07:26:43Z-b", "2026-10-06T07:20:01Z-a"
    found = deliveries({**create_new(newer), **create_new(older)})
    assert sorted(set(delivery_of(found).values())) == [
        f"{EXPORT}/{PERIOD}/{older}",
        f"{EXPORT}/{PERIOD}/{newer}",
    ]
    paths = sorted(read_paths(found))
    assert order_of(found, paths[0]) < order_of(found, paths[1])


def test_a_first_aws_export_without_its_manifest_is_not_read() -> None:
    key = f"{EXPORT}/data/{PERIOD}/focus-export-00001.csv.gz"
    found = deliveries({key: DATA})
    assert not found.objects
    assert held(found) == [(key, "awaiting_manifest")]


def test_a_second_aws_run_without_its_manifest_leaves_the_first_standing() -> None:
    first, second = create_new("2026-10-05T07:26:43Z-a"), create_new("2026-10-06T07:26:43Z-b")
    written = {path: content for path, content in second.items() if "/data/" in path}
    found = deliveries({**first, **written})
    assert read_paths(found) == [path for path in first if "/data/" in path]
    assert held(found) == [(path, "awaiting_manifest") for path in written]


def test_an_aws_manifest_that_names_a_missing_file_holds_its_delivery_back() -> None:
    files = overwrite()
    gone = f"{EXPORT}/data/{PERIOD}/focus-export-00002.snappy.parquet"
    del files[gone]
    found = deliveries(files)
    assert not found.objects
    assert {reason for _, reason in held(found)} == {"half_written"}
    assert any(
        f"names s3://acme-billing/{gone}, which is not there" in h.detail for h in found.held
    )


def test_an_aws_manifest_that_is_still_being_written_holds_its_delivery_back() -> None:
    files = overwrite()
    manifest = next(path for path in files if path.endswith("json"))
    files[manifest] = files[manifest][:20]
    found = deliveries(files)
    assert not found.objects
    assert (manifest, "manifest_unreadable") in held(found)
    assert len(found.held) == 3


@pytest.mark.parametrize(
    "content", [b"[]", b'{"dataFiles": "x"}', b"{}", b'{"dataFiles": [1]}', b"[" * 100_000]
)
def test_an_aws_manifest_in_an_unknown_shape_is_unreadable_not_a_crash(content: bytes) -> None:
    files = overwrite()
    manifest = next(path for path in files if path.endswith("json"))
    found = deliveries({**files, manifest: content})
    assert not found.objects
    assert (manifest, "manifest_unreadable") in held(found)


def test_a_top_level_copy_of_an_aws_manifest_changes_nothing() -> None:
    files = create_new("2026-10-05T07:26:43Z-a")
    copy = f"{EXPORT}/metadata/{PERIOD}/focus-export-Manifest.json"
    run_manifest = next(path for path in files if path.endswith("json"))
    with_copy = deliveries({**files, copy: files[run_manifest]})
    assert with_copy.objects == deliveries(files).objects


def test_plain_folders_beside_an_aws_export_are_still_read() -> None:
    found = deliveries({**overwrite(), "openai/costs.csv": DATA})
    assert delivery_of(found)["openai/costs.csv"] == "openai"


def test_a_half_written_export_on_disk_is_not_read_until_its_manifest_is_there(
    tmp_path: Path,
) -> None:
    files = create_new("2026-10-05T07:26:43Z-a")
    (manifest,) = [path for path in files if path.endswith("json")]
    (data,) = [path for path in files if path.endswith("gz")]
    _write(tmp_path / data, files[data])
    before = discover(list_objects("bill", tmp_path).objects, _reader(tmp_path))
    assert (read_paths(before), held(before)) == ([], [(data, "awaiting_manifest")])
    _write(tmp_path / manifest, files[manifest])
    after = discover(list_objects("bill", tmp_path).objects, _reader(tmp_path))
    assert (read_paths(after), held(after)) == ([data], [])


def _reader(folder: Path) -> Callable[[str], bytes]:
    return lambda path: (folder / path).read_bytes()


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


# --- Azure Cost Management -----------------------------------------------------------------------


def azure(
    run_time: str, guid: str, submitted: str, size: int = len(DATA), parts: int = 2
) -> dict[str, bytes]:
    folder = f"focus/daily/20261001-20261031/{run_time}/{guid}"
    blobs = [f"{folder}/part_0_000{n}.csv.gz" for n in range(1, parts + 1)]
    manifest = {
        "exportConfig": {"type": "FocusCost", "dataVersion": "1.2"},
        "runInfo": {"runId": guid, "submittedTime": submitted},
        "blobs": [{"blobName": name, "byteCount": size, "dataRowCount": 1} for name in blobs],
    }
    return {**dict.fromkeys(blobs, DATA), f"{folder}/manifest.json": json.dumps(manifest).encode()}


@pytest.mark.parametrize("format", ["focus", "azure"])
def test_azure_runs_are_deliveries_in_order_of_submission(format: str) -> None:
    older = azure("202610050101", "ffff", "2026-10-05T01:01:00.1Z")
    newer = azure("202610060101", "aaaa", "2026-10-06T01:01:00.1Z")
    found = deliveries({**newer, **older}, format)
    assert set(delivery_of(found).values()) == {"ffff", "aaaa"}
    paths = {one.delivery: one.path for one in found.objects}
    assert order_of(found, paths["ffff"]) < order_of(found, paths["aaaa"])
    assert not found.held


def test_an_azure_source_may_start_below_the_container() -> None:
    files = azure("202610050101", "ffff", "2026-10-05T01:01:00Z")
    moved = {path.removeprefix("focus/daily/"): content for path, content in files.items()}
    assert len(deliveries(moved).objects) == 2


def test_an_azure_blob_of_another_size_holds_its_run_back() -> None:
    found = deliveries(azure("202610050101", "ffff", "2026-10-05T01:01:00Z", size=11))
    assert not found.objects
    assert {reason for _, reason in held(found)} == {"half_written"}
    assert any("has 11 bytes; 10 are there" in one.detail for one in found.held)


def test_an_azure_run_without_its_manifest_is_not_read() -> None:
    files = azure("202610050101", "ffff", "2026-10-05T01:01:00Z")
    data = {path: content for path, content in files.items() if path.endswith(".gz")}
    found = deliveries(data)
    assert not found.objects
    assert {reason for _, reason in held(found)} == {"awaiting_manifest"}


def test_an_azure_manifest_that_is_cut_short_holds_its_run_back() -> None:
    files = azure("202610050101", "ffff", "2026-10-05T01:01:00Z")
    manifest = next(path for path in files if path.endswith("json"))
    found = deliveries({**files, manifest: files[manifest][:-5]})
    assert not found.objects
    assert len(found.held) == 3


def test_azure_parts_flattened_into_one_folder_are_found_by_their_name() -> None:
    files = azure("202610050101", "ffff", "2026-10-05T01:01:00Z")
    flat = {path.rsplit("/", 1)[1]: content for path, content in files.items()}
    assert len(deliveries(flat).objects) == 2


# --- OCI -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["focus", "oci"])
def test_oci_days_add_up_instead_of_superseding_each_other(format: str) -> None:
    files = {
        "FOCUS Reports/2026/10/05/0001.csv.gz": DATA,
        "FOCUS Reports/2026/10/06/0001.csv.gz": DATA,
    }
    found = deliveries(files, format)
    assert set(delivery_of(found).values()) == {"FOCUS Reports"}
    assert len({one.delivery_order for one in found.objects}) == 1
    assert len(found.objects) == 2


def test_discovery_does_not_depend_on_the_order_of_the_listing() -> None:
    files = {**overwrite(), **azure("202610050101", "ffff", "2026-10-05T01:01:00Z"), "a.csv": DATA}
    backwards = dict(reversed(list(files.items())))
    assert deliveries(files) == deliveries(backwards)
